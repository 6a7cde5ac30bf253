"""Everything that decides a picture, and its flat numeric form, the scene code."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from textedit_core.synthetic.geometry import SHAPE_MODIFIERS, SHAPE_NAMES, Build, age_weights

SKINS: tuple[str, ...] = (
    "young_lightskinned_female_diffuse2",
    "young_lightskinned_female_diffuse3",
    "middleage_lightskinned_female_diffuse2",
    "young_lightskinned_male_diffuse",
    "young_lightskinned_male_diffuse2",
    "young_lightskinned_male_diffuse3",
    "middleage_lightskinned_male_diffuse",
    "middleage_lightskinned_male_diffuse2",
    "old_lightskinned_male_diffuse2",
    "middleage_darkskinned_female_diffuse",
    "old_darkskinned_female_diffuse",
    "young_darkskinned_male_diffuse",
    "middleage_darkskinned_male_diffuse",
    "old_darkskinned_male_diffuse",
)
EYES: tuple[str, ...] = ("brown", "blue", "green", "grey")
BROWS: tuple[str, ...] = tuple(f"eyebrow{number:03d}" for number in (1, 2, 3, 4, 5, 8, 9, 10, 11, 12))
# "bob" is the long hair cut at the chin; "bald" has no mesh.
HAIRS: tuple[str, ...] = ("long01", "ponytail01", "braid01", "short01", "short02", "short04", "bob", "bald")
GLASSES: tuple[str, ...] = ("none", "round", "rectangular", "acetate", "aviator")
STYLES: tuple[str, ...] = ("photo", "sketch", "cartoon")
EXPRESSIONS: tuple[str, ...] = (
    "smile_closed", "smile_toothy", "brow_raise", "mouth_open", "sad", "angry", "eyes_closed",
)
# Linear RGB of natural hair before greying.
HAIR_SHADES: dict[str, tuple[float, float, float]] = {
    "black": (0.014, 0.011, 0.010),
    "dark brown": (0.040, 0.021, 0.012),
    "brown": (0.095, 0.048, 0.024),
    "light brown": (0.180, 0.100, 0.048),
    "blond": (0.420, 0.280, 0.125),
    "red": (0.260, 0.075, 0.022),
}
_GREY = np.array([0.30, 0.29, 0.27])


@dataclass(frozen=True)
class SceneParameters:
    """One picture.

    Attributes:
        ethnicity: weights of african, asian, caucasian; they sum to 1.
        gender: 0 female to 1 male.
        weight, muscle: 0 to 1.
        shape: one value per `SHAPE_MODIFIERS`.
        dark_skin: draw from the dark-skinned textures.
        skin_mix: 0 to 1, place among the two or three textures of the same age group.
        melanin, redness: 0 to 1.
        eye, brow, hair: indices into `EYES`, `BROWS`, `HAIRS`; the hair "bald" draws none.
        hair_color: linear RGB before greying.
        age_years: 1 to 90.
        smile_closed, smile_toothy, brow_raise, mouth_open, sad, angry: activations, 0 to 1.
        key_azimuth, key_elevation: degrees; positive azimuth is to the image right.
        warmth: -1 cool to 1 warm.
        fill: 0 to 1, fill to key ratio.
        background, cloth: linear RGB.
        yaw, pitch: degrees.
        style: one of `STYLES`.
        eyes_closed: 0 open to 1, where the lids of both eyes meet.
        glasses: index into `GLASSES`; 0 is none.
        glasses_color: linear RGB of the frame.
        freckles, stubble, lipstick: 0 absent to 1 strong; stubble takes the colour of the hair.
        hair_grey: 0 to 1, greying beyond what the age gives.
        backdrop_slope: brightness of the backdrop rising to the image right and to the top, -1 to 1 each.
    """

    ethnicity: tuple[float, float, float]
    gender: float
    weight: float
    muscle: float
    shape: tuple[float, ...]
    dark_skin: bool
    skin_mix: float
    melanin: float
    redness: float
    eye: int
    brow: int
    hair: int
    hair_color: tuple[float, float, float]
    age_years: float
    smile_closed: float
    smile_toothy: float
    brow_raise: float
    mouth_open: float
    sad: float
    angry: float
    key_azimuth: float
    key_elevation: float
    warmth: float
    fill: float
    background: tuple[float, float, float]
    cloth: tuple[float, float, float]
    yaw: float
    pitch: float
    style: str = "photo"
    eyes_closed: float = 0.0
    glasses: int = 0
    glasses_color: tuple[float, float, float] = (0.02, 0.02, 0.02)
    freckles: float = 0.0
    stubble: float = 0.0
    lipstick: float = 0.0
    hair_grey: float = 0.0
    backdrop_slope: tuple[float, float] = (0.0, 0.0)

    @property
    def smile(self) -> float:
        """Smile activation, 0 to 1."""
        return max(self.smile_closed, self.smile_toothy)

    @property
    def bald(self) -> bool:
        """Whether no hair is drawn on the head."""
        return HAIRS[self.hair] == "bald"

    @property
    def build(self) -> Build:
        """What selects the macro targets."""
        return Build(self.age_years, self.gender, self.ethnicity, self.muscle, self.weight)

    def with_style(self, style: str) -> SceneParameters:
        """Returns the same scene in another style."""
        return replace(self, style=style)

    def with_expression(self, values: dict[str, float]) -> SceneParameters:
        """Returns the same scene with other expression activations, named as the attributes are."""
        return replace(self, **values)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain JSON data."""
        return asdict(self)


def _between(skins: tuple[int, int, int], mix: float) -> dict[int, float]:
    """Walks round three skins while `mix` goes from 0 to 1; two neighbours are blended at a time."""
    place = 3.0 * mix
    first = int(place) % 3
    share = place - int(place)
    return {skins[first]: 1.0 - share, skins[(first + 1) % 3]: share}


def _skin_family(scene: SceneParameters) -> tuple[dict[int, float], dict[int, float], dict[int, float]]:
    """Returns the blends (index into `SKINS` -> weight) of the person when young, in middle age and old."""
    mix, male = scene.skin_mix, scene.gender >= 0.5
    if scene.dark_skin and not male:
        return {9: 1.0 - 0.5 * mix, 1: 0.5 * mix}, {9: 0.8, 10: 0.2}, {10: 0.75, 9: 0.25}
    if scene.dark_skin:
        return _between((11, 12, 4), mix), {12: 1.0 - 0.3 * mix, 6: 0.3 * mix}, {13: 0.8, 12: 0.2}
    if not male:
        # There is no old light woman: the wrinkles of the dark one, relative to her colour, serve better than a man's.
        return _between((0, 1, 2), mix), {2: 1.0 - 0.4 * mix, 1: 0.4 * mix}, {2: 0.45, 10: 0.40, 8: 0.15}
    return _between((3, 4, 5), mix), {6: 1.0 - mix, 7: mix}, {8: 1.0 - 0.4 * mix, 13: 0.4 * mix}


def skin_weights(scene: SceneParameters) -> tuple[float, ...]:
    """Returns one weight per entry of `SKINS`, at most four above 0; they sum to 1 and vary smoothly with age."""
    old = float(np.interp(scene.age_years, [55.0, 80.0], [0.0, 0.85]))
    middle = float(np.interp(scene.age_years, [28.0, 55.0], [0.0, 1.0])) * (1.0 - old)
    young = round(max(1.0 - middle - old, 0.0), 9)
    # Boys' faces are smooth: the grown man's skin fades in while he grows up.
    boyish = young * float(np.interp(scene.age_years, [11.0, 17.0], [1.0, 0.0])) if scene.gender >= 0.5 else 0.0
    weights = [0.0] * len(SKINS)
    weights[9 if scene.dark_skin else 1] += boyish
    for share, blend in zip((young - boyish, middle, old), _skin_family(scene), strict=True):
        for index, weight in blend.items():
            weights[index] += share * weight
    return tuple(weights)


def skin_color(scene: SceneParameters) -> tuple[float, float, float]:
    """Returns the mean skin albedo, linear RGB, from melanin and redness."""
    pale, deep = np.log([0.63, 0.40, 0.30]), np.log([0.085, 0.042, 0.026])
    color = np.exp(pale + scene.melanin * (deep - pale))
    red, green, blue = color * np.array([1.0, 1.0 - 0.12 * scene.redness, 1.06 - 0.16 * scene.redness])
    return float(red), float(green), float(blue)


def hair_color(scene: SceneParameters) -> tuple[float, float, float]:
    """Returns linear RGB hair colour after greying: between 45 and 75 years, or by `hair_grey` when that is more."""
    grey = max(float(np.interp(scene.age_years, [45.0, 75.0], [0.0, 0.9])), scene.hair_grey)
    red, green, blue = (1 - grey) * np.array(scene.hair_color) + grey * _GREY
    return float(red), float(green), float(blue)


def _one_hot(prefix: str, names: tuple[str, ...], index: int) -> list[tuple[str, float]]:
    return [(f"{prefix}:{name}", float(index == k)) for k, name in enumerate(names)]


def _signed(value: float) -> float:
    return 2.0 * value - 1.0


def _rgb(prefix: str, color: tuple[float, float, float], ceiling: float) -> list[tuple[str, float]]:
    # A cube root spreads linear light about as the eye does.
    return [(f"{prefix}:{c}", _signed((v / ceiling) ** (1 / 3))) for c, v in zip("rgb", color, strict=True)]


def _identity_entries(scene: SceneParameters) -> list[tuple[str, float]]:
    entries = [(f"ethnicity:{n}", v) for n, v in zip(("african", "asian", "caucasian"), scene.ethnicity, strict=True)]
    entries += [("gender", _signed(scene.gender)), ("weight", _signed(scene.weight)), ("muscle", _signed(scene.muscle))]
    scaled = zip(SHAPE_NAMES, scene.shape, SHAPE_MODIFIERS, strict=True)
    entries += [(f"shape:{name}", value / (2.0 * axis.sigma)) for name, value, axis in scaled]
    entries += [(f"skin:{name}", value) for name, value in zip(SKINS, skin_weights(scene), strict=True)]
    entries += [("melanin", _signed(scene.melanin)), ("redness", _signed(scene.redness))]
    entries += _one_hot("eye", EYES, scene.eye) + _one_hot("brow", BROWS, scene.brow)
    entries += _one_hot("hair", HAIRS, scene.hair) + _rgb("hair-color", hair_color(scene), 0.5)
    return entries + [(name, getattr(scene, name)) for name in ("freckles", "stubble", "lipstick")]


def _glasses_entries(scene: SceneParameters) -> list[tuple[str, float]]:
    entries = _one_hot("glasses", GLASSES, scene.glasses)[1:]
    worn = float(scene.glasses > 0)
    return entries + [(name, worn * value) for name, value in _rgb("glasses-color", scene.glasses_color, 0.5)]


def _view_entries(scene: SceneParameters) -> list[tuple[str, float]]:
    ages = age_weights(scene.age_years)
    entries = [("age:years", scene.age_years / 45.0 - 1.0)]
    entries += [(f"age:{name}", ages.get(name, 0.0)) for name in ("child", "young", "old")]
    entries += [(name, getattr(scene, name)) for name in EXPRESSIONS] + _glasses_entries(scene)
    azimuth, elevation = math.radians(scene.key_azimuth), math.radians(scene.key_elevation)
    entries += [("key:azimuth", math.sin(azimuth)), ("key:elevation", math.sin(elevation))]
    entries += [("light:warmth", scene.warmth), ("light:fill", _signed(scene.fill))]
    entries += _rgb("background", scene.background, 0.8) + _rgb("cloth", scene.cloth, 0.8)
    entries += [("yaw", math.sin(math.radians(scene.yaw)) / math.sin(math.radians(20.0)))]
    entries += [("pitch", math.sin(math.radians(scene.pitch)) / math.sin(math.radians(8.0)))]
    entries += [(f"backdrop-slope:{axis}", value) for axis, value in zip("xy", scene.backdrop_slope, strict=True)]
    return entries + [(style, float(scene.style == style)) for style in STYLES[1:]]


def scene_entries(scene: SceneParameters) -> list[tuple[str, float]]:
    """Returns (name, value) of every number of the scene code."""
    return _identity_entries(scene) + _view_entries(scene)


def scene_code(scene: SceneParameters) -> list[float]:
    """Returns the numbers that decide the picture, each about -1 to 1, named by `SCENE_CODE_NAMES`."""
    return [round(value, 6) for _, value in scene_entries(scene)]


_NEUTRAL = SceneParameters(
    ethnicity=(0.0, 0.0, 1.0), gender=0.0, weight=0.5, muscle=0.5, shape=(0.0,) * len(SHAPE_MODIFIERS),
    dark_skin=False, skin_mix=0.5, melanin=0.2, redness=0.5, eye=0, brow=0, hair=0, hair_color=(0.1, 0.05, 0.03),
    age_years=25.0, smile_closed=0.0, smile_toothy=0.0, brow_raise=0.0, mouth_open=0.0, sad=0.0, angry=0.0,
    key_azimuth=20.0, key_elevation=30.0, warmth=0.0, fill=0.5, background=(0.3, 0.3, 0.3), cloth=(0.2, 0.2, 0.2),
    yaw=0.0, pitch=0.0,
)
SCENE_CODE_NAMES: tuple[str, ...] = tuple(name for name, _ in scene_entries(_NEUTRAL))


def neutral_scene() -> SceneParameters:
    """Returns an average young woman, front view, no expression."""
    return _NEUTRAL
