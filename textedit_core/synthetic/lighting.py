"""Studio light for a scene: one key light, a fill and a rim, and an exposure that evens faces out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textedit_core.synthetic.scene import SceneParameters

Vector = NDArray[np.float64]
_WARM, _COOL = np.array([1.14, 1.0, 0.84]), np.array([0.90, 0.99, 1.13])


@dataclass(frozen=True)
class Lighting:
    """Light of one scene.

    Attributes:
        directions: [3, 3] unit vectors towards key, fill and rim light.
        window: [3] unit vector towards what lenses mirror.
        colors: [3, 3] linear RGB intensities.
        sky, ground: [3] ambient light from above and below.
        exposure: factor before the film curve.
    """

    directions: Vector
    window: Vector
    colors: Vector
    sky: Vector
    ground: Vector
    exposure: float


def _direction(azimuth: float, elevation: float) -> Vector:
    a, e = np.radians([azimuth, elevation])
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])


def lighting(scene: SceneParameters) -> Lighting:
    """Returns the lights of a scene."""
    key = _direction(scene.key_azimuth, scene.key_elevation)
    # The fill swings smoothly to the side away from the key.
    fill = _direction(-np.clip(scene.key_azimuth * 1.5, -65.0, 65.0), 10.0)
    rim = _direction(160.0, 35.0)
    share = 0.15 + 0.45 * scene.fill
    tint = 1.0 + abs(scene.warmth) * ((_WARM if scene.warmth > 0 else _COOL) - 1.0)
    ambient = 0.22 + 0.16 * scene.fill
    brightness = 0.18 + 0.42 * max(key[2], 0.3) + 0.35 * share + 0.8 * ambient
    exposure = 0.56 / brightness * (1.0 + 1.0 * scene.melanin)
    colors = np.stack([1.25 * tint, share * np.ones(3), 0.5 * np.ones(3)])
    window = _direction(1.3 * scene.key_azimuth, scene.key_elevation + 12.0)
    return Lighting(np.stack([key, fill, rim]), window, colors, ambient * np.ones(3), 0.55 * ambient * np.ones(3), exposure)
