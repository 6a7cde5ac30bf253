"""The parts that a scene's figure is drawn from, with their materials."""

from __future__ import annotations

from dataclasses import dataclass

from textedit_core.synthetic import shaders
from textedit_core.synthetic.eyewear import FRAME_STYLES
from textedit_core.synthetic.meshes import Points
from textedit_core.synthetic.scene import BROWS, EYES, HAIRS, SceneParameters, hair_color, skin_color
from textedit_core.synthetic.wardrobe import HAIR_MESHES, Wardrobe

_WHITE_TEETH = (2.2, 2.1, 1.95)
_EYE_TINT = (0.90, 0.90, 0.92)
_LASH = (0.02, 0.015, 0.01)
_BRIGHTEST_BROW = 0.075
# The texture of this hair has stronger lights than the others'.
_HAIR_CONTRAST = {"braid01": 0.95}
_CUT = {"bob": 0.12}
Color = tuple[float, ...]


@dataclass(frozen=True)
class Part:
    """One mesh with its material.

    Attributes:
        name: of the mesh.
        kind: one of the materials of shaders.py.
        texture: name of its texture; skins are chosen by weight instead.
        tint: linear RGB that multiplies the texture, or is the colour.
        tone: gain and contrast of hair; strength of the highlight of spectacles.
        cut: hair below the chin's height plus this is cut off; None leaves it.
    """

    name: str
    kind: int
    texture: str
    tint: Color
    tone: tuple[float, float] = (1.0, 1.0)
    cut: float | None = None


def brow_color(scene: SceneParameters) -> Color:
    """Returns the linear RGB of the brows: the hair's, darker, and never as light as grey or blond hair is."""
    color = tuple(0.5 * channel for channel in hair_color(scene))
    # One factor for all channels: clipping each would turn grey to blue beside warm skin.
    factor = min(1.0, _BRIGHTEST_BROW / max(color))
    return tuple(factor * channel * warm for channel, warm in zip(color, (1.0, 0.84, 0.70), strict=True))


def parts(scene: SceneParameters, wardrobe: Wardrobe) -> list[Part]:
    """Returns the parts of a scene; what is seen through, the lenses, comes last."""
    brow, style = BROWS[scene.brow], HAIRS[scene.hair]
    hair = HAIR_MESHES.get(style, style)
    chosen = [
        Part("body", shaders.SKIN, "", tuple(2.0 * c for c in skin_color(scene))),
        Part("eyes", shaders.EYE, f"eye:{EYES[scene.eye]}", _EYE_TINT),
        Part("teeth", shaders.TEETH, "teeth", _WHITE_TEETH),
        Part("tongue", shaders.TEETH, "tongue", (1.0, 0.9, 0.9)),
        Part(brow, shaders.CARD, brow, brow_color(scene)),
        Part("lashes", shaders.CARD, "lashes", _LASH),
    ]
    if hair:
        tone = wardrobe.textures[hair].gain, _HAIR_CONTRAST.get(hair, 1.3)
        chosen.append(Part(hair, shaders.HAIR, hair, hair_color(scene), tone, _CUT.get(style)))
    if scene.glasses:
        metal = FRAME_STYLES[scene.glasses - 1].metal
        chosen.append(Part("glasses", shaders.FRAME, "", scene.glasses_color, (metal, 1.0)))
        chosen.append(Part("lenses", shaders.LENS, "", (1.0, 1.0, 1.0)))
    return chosen


def collar_of(wardrobe: Wardrobe, points: Points) -> tuple[float, float, float]:
    """Height and depth at which clothes begin on base mesh positions [V, 3], and 1 since they are worn."""
    neck, chin = wardrobe.finder.neck(points), wardrobe.finder.chin(points)
    return float(chin[1] - 0.06), float(neck[2] + 0.25), 1.0
