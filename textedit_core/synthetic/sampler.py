"""Draws random people and random views of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from textedit_core.synthetic.geometry import SHAPE_MODIFIERS
from textedit_core.synthetic.scene import BROWS, EYES, HAIRS, SceneParameters, neutral_scene

# Linear RGB of natural hair, and how common each is among the light-haired populations.
_HAIR_COLORS = np.array([
    (0.014, 0.011, 0.010), (0.040, 0.021, 0.012), (0.095, 0.048, 0.024), (0.180, 0.100, 0.048),
    (0.420, 0.280, 0.125), (0.260, 0.075, 0.022),
])
_HAIR_SHARES_LIGHT = (0.12, 0.22, 0.22, 0.14, 0.20, 0.10)
_HAIR_SHARES_DARK = (0.60, 0.28, 0.08, 0.02, 0.01, 0.01)
_FEMALE_HAIRS = ("long01", "ponytail01", "braid01", "short02")
_MALE_HAIRS = ("short01", "short02", "short04")
_BACKGROUNDS = np.array([
    (0.55, 0.55, 0.55), (0.20, 0.20, 0.21), (0.16, 0.24, 0.38), (0.42, 0.20, 0.16), (0.18, 0.32, 0.20),
    (0.50, 0.42, 0.30), (0.34, 0.24, 0.40), (0.30, 0.45, 0.55),
])


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    red, green, blue = (round(float(v), 5) for v in values)
    return red, green, blue


def _truncated(rng: np.random.Generator, sigma: float, limit: float = 2.2) -> float:
    return float(np.clip(rng.normal(), -limit, limit)) * sigma


def _hair(rng: np.random.Generator, male: bool, dark_share: float) -> tuple[int, tuple[float, float, float]]:
    style = rng.choice(_MALE_HAIRS if male else _FEMALE_HAIRS)
    shares = dark_share * np.array(_HAIR_SHARES_DARK) + (1.0 - dark_share) * np.array(_HAIR_SHARES_LIGHT)
    color = _HAIR_COLORS[rng.choice(len(_HAIR_COLORS), p=shares)] * np.exp(0.15 * rng.normal())
    return HAIRS.index(str(style)), _triple(color)


def sample_identity(rng: np.random.Generator) -> SceneParameters:
    """Returns a person as a scene with a default view; pass it to `sample_view`."""
    ethnicity = rng.dirichlet((0.5, 0.5, 0.6))
    male = bool(rng.random() < 0.5)
    melanin = float(ethnicity @ [0.80, 0.32, 0.14]) + 0.10 * rng.normal()
    dark_share = float(min(1.4 * (ethnicity[0] + ethnicity[1]), 1.0))
    hair, color = _hair(rng, male, dark_share)
    light_eyes = 0.85 * (1.0 - dark_share) + 0.08
    eye_shares = [1.0 - light_eyes, 0.4 * light_eyes, 0.35 * light_eyes, 0.25 * light_eyes]
    margin = min(abs(float(rng.normal())) * 0.12, 0.35)
    return replace(
        neutral_scene(),
        ethnicity=_triple(ethnicity),
        gender=round(1.0 - margin if male else margin, 4),
        weight=round(float(np.clip(rng.normal(0.5, 0.15), 0.15, 0.95)), 4),
        muscle=round(float(rng.uniform(0.35, 0.65)), 4),
        shape=tuple(round(_truncated(rng, 0.72 * axis.sigma), 4) for axis in SHAPE_MODIFIERS),
        dark_skin=bool(ethnicity[0] > 0.5),
        skin_mix=round(float(rng.random()), 4),
        melanin=round(float(np.clip(melanin, 0.02, 1.0)), 4),
        redness=round(float(rng.random()), 4),
        eye=int(rng.choice(len(EYES), p=eye_shares)),
        brow=int(rng.integers(len(BROWS))),
        hair=hair,
        hair_color=color,
    )


def _age(rng: np.random.Generator) -> float:
    low, high = ((4.0, 12.99), (16.0, 40.0), (40.0, 80.0))[int(rng.choice(3, p=(0.30, 0.45, 0.25)))]
    return round(float(rng.uniform(low, high)), 2)


def _expression(rng: np.random.Generator) -> dict[str, float]:
    values = dict.fromkeys(("smile_closed", "smile_toothy", "brow_raise", "mouth_open", "sad", "angry"), 0.0)
    draw = rng.random()
    if draw < 0.55:
        amount = float(rng.uniform(0.5, 1.0) if draw < 0.5 else rng.uniform(0.05, 0.5))
        toothy = rng.random() < 0.6
        values["smile_toothy" if toothy else "smile_closed"] = amount
        if toothy and rng.random() < 0.3:
            values["mouth_open"] = float(rng.uniform(0.2, 0.5))
    elif draw < 0.65:
        values["sad" if rng.random() < 0.5 else "angry"] = float(rng.uniform(0.3, 0.8))
    elif draw < 0.72:
        values["mouth_open"] = float(rng.uniform(0.2, 0.7))
    if rng.random() < 0.15:
        values["brow_raise"] = float(rng.uniform(0.2, 1.0))
    return {name: round(value, 4) for name, value in values.items()}


def sample_view(rng: np.random.Generator, person: SceneParameters) -> SceneParameters:
    """Returns one view of a person: age, expression, light, clothes, background and pose."""
    backdrop = _BACKGROUNDS[rng.integers(len(_BACKGROUNDS))] * np.exp(0.25 * rng.normal())
    cloth = np.clip(rng.uniform(0.03, 0.55) * np.exp(0.45 * rng.normal(size=3)), 0.015, 0.7)
    return replace(
        person,
        age_years=_age(rng),
        key_azimuth=round(float(rng.uniform(-50.0, 50.0)), 3),
        key_elevation=round(float(rng.uniform(10.0, 50.0)), 3),
        warmth=round(float(rng.uniform(-1.0, 1.0)), 4),
        fill=round(float(rng.random()), 4),
        background=_triple(np.clip(backdrop, 0.03, 0.75)),
        cloth=_triple(cloth),
        yaw=round(_truncated(rng, 8.0), 3),
        pitch=round(_truncated(rng, 3.0), 3),
        style="photo",
    ).with_expression(_expression(rng))
