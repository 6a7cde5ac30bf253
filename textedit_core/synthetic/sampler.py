"""Draws random people and random views of them.

Shares of people: half are women. Ethnicity is a Dirichlet blend (0.5, 0.5, 0.6) of african, asian, caucasian; melanin
follows it with a standard deviation of 0.10. 30% of those with light skin and 8% of the others have freckles. Hair
colours of light-haired populations: 12% black, 36% dark and middle brown, 14% light brown, 24% blond, 14% red; blond and
red become rare as the dark-haired share grows.

Shares of views:

* age: 30% 4 to 13 years, 45% 16 to 40, 25% 40 to 85, even inside each band;
* expression: 44% clear smiles (activation 0.55 to 1; half of them toothy, a third of those with an open mouth), 4% a hint of
  a smile, 6% sad, 6% angry, 6% surprised (raised brows and open mouth), 6% closed eyes, 5% an open mouth, 3% raised
  brows, 20% neutral; 4% of the smiles have closed eyes too;
* glasses: 15%, four styles alike;
* hair: of women 26% long, 24% a bob, 22% tied back, 28% short; men lose it with age, 3% bald at 18 years, 6% at 35,
  35% at 75; grey hair before its time in 5% of adults;
* stubble: 45% of men from 18 years; lipstick: 35% of women from 16 years;
* pose: yaw with a standard deviation of 10 degrees, pitch of 4, cut at 2.2 deviations;
* backdrop: 15 colours, half of them with a gradient; key light -50 to 50 degrees around, 10 to 50 degrees up.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from textedit_core.synthetic.geometry import SHAPE_MODIFIERS
from textedit_core.synthetic.scene import (
    BROWS,
    EXPRESSIONS,
    EYES,
    GLASSES,
    HAIR_SHADES,
    HAIRS,
    SceneParameters,
    neutral_scene,
)

# In the order of HAIR_SHADES.
_HAIR_SHARES_LIGHT = (0.12, 0.18, 0.18, 0.14, 0.24, 0.14)
_HAIR_SHARES_DARK = (0.60, 0.28, 0.08, 0.02, 0.01, 0.01)
_FEMALE_HAIRS = {"long01": 0.26, "bob": 0.24, "ponytail01": 0.22, "braid01": 0.14, "short02": 0.14}
_MALE_HAIRS = {"short01": 0.32, "short02": 0.32, "short04": 0.32, "bob": 0.04}
_BACKGROUNDS = np.array([
    (0.55, 0.55, 0.55), (0.20, 0.20, 0.21), (0.70, 0.69, 0.67), (0.16, 0.24, 0.38), (0.42, 0.20, 0.16),
    (0.18, 0.32, 0.20), (0.50, 0.42, 0.30), (0.34, 0.24, 0.40), (0.30, 0.45, 0.55), (0.15, 0.34, 0.35),
    (0.24, 0.15, 0.09), (0.58, 0.36, 0.40), (0.60, 0.48, 0.18), (0.07, 0.10, 0.22), (0.36, 0.44, 0.26),
])
_FRAME_COLORS = np.array([
    (0.015, 0.015, 0.015), (0.08, 0.035, 0.015), (0.40, 0.30, 0.14), (0.42, 0.42, 0.43), (0.02, 0.04, 0.12),
    (0.20, 0.02, 0.03), (0.10, 0.10, 0.11),
])
_AGE_BANDS = ((4.0, 12.99), (16.0, 40.0), (40.0, 85.0))
_AGE_SHARES = (0.30, 0.45, 0.25)
_YAW_SIGMA, _PITCH_SIGMA = 10.0, 4.0
_GLASSES_SHARE = 0.15


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    red, green, blue = (round(float(v), 5) for v in values)
    return red, green, blue


def _truncated(rng: np.random.Generator, sigma: float, limit: float = 2.2) -> float:
    return float(np.clip(rng.normal(), -limit, limit)) * sigma


def _hair(rng: np.random.Generator, male: bool, dark_share: float) -> tuple[int, tuple[float, float, float]]:
    styles = _MALE_HAIRS if male else _FEMALE_HAIRS
    style = rng.choice(list(styles), p=list(styles.values()))
    shares = dark_share * np.array(_HAIR_SHARES_DARK) + (1.0 - dark_share) * np.array(_HAIR_SHARES_LIGHT)
    shade = list(HAIR_SHADES.values())[rng.choice(len(HAIR_SHADES), p=shares)]
    return HAIRS.index(str(style)), _triple(np.array(shade) * np.exp(0.12 * _truncated(rng, 1.0)))


def _sometimes(rng: np.random.Generator, share: float, low: float, high: float = 1.0) -> float:
    return round(float(rng.uniform(low, high)), 4) if rng.random() < share else 0.0


def sample_identity(rng: np.random.Generator) -> SceneParameters:
    """Returns a person as a scene with a default view; pass it to `sample_view`."""
    ethnicity = rng.dirichlet((0.5, 0.5, 0.6))
    male = bool(rng.random() < 0.5)
    melanin = float(np.clip(float(ethnicity @ [0.80, 0.32, 0.14]) + 0.10 * rng.normal(), 0.02, 1.0))
    dark_share = float(min(1.4 * (ethnicity[0] + ethnicity[1]), 1.0))
    hair, color = _hair(rng, male, dark_share)
    light_eyes = 0.85 * (1.0 - dark_share) + 0.08
    eye_shares = [1.0 - light_eyes, 0.4 * light_eyes, 0.35 * light_eyes, 0.25 * light_eyes]
    margin = min(abs(float(rng.normal())) * 0.12, 0.35)
    return replace(
        neutral_scene(),
        ethnicity=_triple(ethnicity),
        gender=round(1.0 - margin if male else margin, 4),
        weight=round(float(np.clip(rng.normal(0.5, 0.13), 0.15, 0.85)), 4),
        muscle=round(float(rng.uniform(0.35, 0.65)), 4),
        shape=tuple(round(_truncated(rng, 0.72 * axis.sigma), 4) for axis in SHAPE_MODIFIERS),
        dark_skin=bool(ethnicity[0] > 0.5),
        skin_mix=round(float(rng.random()), 4),
        melanin=round(melanin, 4),
        redness=round(float(rng.random()), 4),
        freckles=_sometimes(rng, 0.30 if melanin < 0.35 else 0.08, 0.3),
        eye=int(rng.choice(len(EYES), p=eye_shares)),
        brow=int(rng.integers(len(BROWS))),
        hair=hair,
        hair_color=color,
    )


def _age(rng: np.random.Generator) -> float:
    low, high = _AGE_BANDS[int(rng.choice(3, p=_AGE_SHARES))]
    return round(float(rng.uniform(low, high)), 2)


def _smile(rng: np.random.Generator, amount: float) -> dict[str, float]:
    if rng.random() < 0.5:
        return {"smile_closed": amount}
    values = {"smile_toothy": amount}
    if amount >= 0.5 and rng.random() < 0.33:
        values["mouth_open"] = float(rng.uniform(0.2, 0.5))
    return values


_EXPRESSION_SHARES = {
    "smile": 0.44, "hint": 0.04, "sad": 0.06, "angry": 0.06, "surprised": 0.06, "asleep": 0.06, "agape": 0.05,
    "raised": 0.03, "neutral": 0.20,
}


def _drawn_expression(rng: np.random.Generator) -> dict[str, float]:
    kind = str(rng.choice(list(_EXPRESSION_SHARES), p=list(_EXPRESSION_SHARES.values())))
    if kind == "smile":
        return _smile(rng, float(rng.uniform(0.55, 1.0))) | {"eyes_closed": _sometimes(rng, 0.04, 0.9)}
    if kind == "hint":
        return _smile(rng, float(rng.uniform(0.05, 0.40)))
    if kind in ("sad", "angry"):
        return {kind: float(rng.uniform(0.5, 1.0))}
    if kind == "surprised":
        return {"brow_raise": float(rng.uniform(0.6, 1.0)), "mouth_open": float(rng.uniform(0.5, 1.0))}
    if kind == "asleep":
        return {"eyes_closed": float(rng.uniform(0.9, 1.0))}
    if kind == "agape":
        return {"mouth_open": float(rng.uniform(0.2, 0.7))}
    return {"brow_raise": float(rng.uniform(0.3, 1.0))} if kind == "raised" else {}


def _expression(rng: np.random.Generator) -> dict[str, float]:
    values = dict.fromkeys(EXPRESSIONS, 0.0) | _drawn_expression(rng)
    return {name: round(value, 4) for name, value in values.items()}


def _grooming(rng: np.random.Generator, person: SceneParameters, age: float) -> SceneParameters:
    """What changes on a person between views: beard, make-up, baldness and early grey."""
    male, grown = person.gender >= 0.5, age >= 16.0
    bald_share = float(np.interp(age, [17.9, 18.0, 35.0, 75.0], [0.0, 0.03, 0.06, 0.35])) if male else 0.0
    bald, stubble, lipstick = rng.random() < bald_share, _sometimes(rng, 0.45, 0.25), _sometimes(rng, 0.35, 0.25)
    grey = _sometimes(rng, 0.05, 0.85)
    return replace(
        person,
        age_years=age,
        hair=HAIRS.index("bald") if bald else person.hair,
        stubble=stubble if male and age >= 18.0 else 0.0,
        lipstick=lipstick if not male and grown else 0.0,
        hair_grey=grey if grown else 0.0,
    )


def _backdrop(rng: np.random.Generator) -> tuple[tuple[float, float, float], tuple[float, float]]:
    color = _BACKGROUNDS[rng.integers(len(_BACKGROUNDS))] * np.exp(0.20 * _truncated(rng, 1.0))
    slope = rng.uniform(-1.0, 1.0, 2) * (rng.random() < 0.5)
    return _triple(np.clip(color, 0.03, 0.75)), (round(float(slope[0]), 4), round(float(slope[1]), 4))


def _eyewear(rng: np.random.Generator) -> tuple[int, tuple[float, float, float]]:
    style = int(rng.integers(1, len(GLASSES)))
    color = _FRAME_COLORS[rng.integers(len(_FRAME_COLORS))] * np.exp(0.25 * _truncated(rng, 1.0))
    return style if rng.random() < _GLASSES_SHARE else 0, _triple(np.clip(color, 0.008, 0.5))


def sample_view(rng: np.random.Generator, person: SceneParameters) -> SceneParameters:
    """Returns one view of a person: age, expression, glasses, grooming, light, clothes, background and pose."""
    background, slope = _backdrop(rng)
    cloth = np.clip(rng.uniform(0.03, 0.55) * np.exp(0.45 * rng.normal(size=3)), 0.015, 0.7)
    glasses, frame = _eyewear(rng)
    return replace(
        _grooming(rng, person, _age(rng)),
        key_azimuth=round(float(rng.uniform(-50.0, 50.0)), 3),
        key_elevation=round(float(rng.uniform(10.0, 50.0)), 3),
        warmth=round(float(rng.uniform(-1.0, 1.0)), 4),
        fill=round(float(rng.random()), 4),
        background=background,
        backdrop_slope=slope,
        cloth=_triple(cloth),
        glasses=glasses,
        glasses_color=frame,
        yaw=round(_truncated(rng, _YAW_SIGMA), 3),
        pitch=round(_truncated(rng, _PITCH_SIGMA), 3),
        style="photo",
    ).with_expression(_expression(rng))
