"""What a picture shows, as numbers and words: the labels of the dataset, of the judges and of the evaluation."""

from __future__ import annotations

from textedit_core.synthetic.scene import STYLES as STYLES
from textedit_core.synthetic.scene import SceneParameters, hair_color

HAIR_COLORS: tuple[str, ...] = ("black", "brown", "blond", "red", "grey", "bald")
# In 0 to 1 each; the thresholds of words are in captions.py.
ACTIVATIONS: tuple[str, ...] = ("smile", "brow_raise", "mouth_open", "sad", "angry", "eyes_closed")


def hair_color_word(scene: SceneParameters) -> str:
    """Returns the entry of `HAIR_COLORS` that names the hair as drawn, greyed or absent."""
    if scene.bald:
        return "bald"
    red, green, blue = hair_color(scene)
    if blue > 0.6 * red and red > 0.12:
        return "grey"
    if red > 0.28 and green > 0.5 * red:
        return "blond"
    if red > 0.14 and green < 0.4 * red:
        return "red"
    return "black" if red < 0.027 else "brown"


def attributes(scene: SceneParameters) -> dict[str, float | str]:
    """Returns the attributes of a scene.

    Returns:
        smile, brow_raise, mouth_open, sad, angry, eyes_closed: activations, 0 to 1; age_years; male and glasses:
        0 or 1; hair_color: one of `HAIR_COLORS`; melanin: 0 to 1; yaw and pitch: degrees, positive to the image
        right and down; style: one of `STYLES`.
    """
    values: dict[str, float | str] = {name: float(getattr(scene, name)) for name in ACTIVATIONS}
    values["age_years"] = scene.age_years
    values["male"] = float(scene.gender >= 0.5)
    values["glasses"] = float(scene.glasses > 0)
    values["hair_color"] = hair_color_word(scene)
    values |= {"melanin": scene.melanin, "yaw": scene.yaw, "pitch": scene.pitch, "style": scene.style}
    return values
