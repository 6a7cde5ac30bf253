"""Where on the skin lips, freckles, stubble and scalp are, and the grain of freckles and stubble."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from textedit_core.synthetic.assets import Target
from textedit_core.synthetic.meshes import Points

Array = NDArray[np.float64]
_LIP_TARGETS = ("mouth/mouth-lowerlip-volume-incr", "mouth/mouth-upperlip-volume-incr")
GRAIN_SIDE = 512


def _ramp(value: Array, start: float, end: float) -> Array:
    t = np.clip((value - start) / (end - start), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def _lips(base: Array, targets: Mapping[str, Target]) -> Array:
    mask = np.zeros(len(base))
    for name in _LIP_TARGETS:
        target = targets[name]
        moved = np.linalg.norm(target.delta, axis=1)
        np.maximum.at(mask, target.index, _ramp(moved / moved.max(), 0.30, 0.55))
    return mask


def skin_zones(base: Array, targets: Mapping[str, Target]) -> Points:
    """Returns [V, 4] float32 weights, 0 to 1, of lips, freckles, stubble and scalp on the unmorphed base mesh [V, 3].

    The places are those of the base mesh's face: pupils at height 7.28, nose tip at 6.91, mouth at 6.63, chin at 6.2.
    """
    x, y, z = np.abs(base[:, 0]), base[:, 1], base[:, 2]
    lips = _lips(base, targets)
    cheeks = np.exp(-(((x - 0.30) / 0.26) ** 2 + ((y - 7.02) / 0.16) ** 2))
    nose = np.exp(-((x / 0.16) ** 2 + ((y - 7.08) / 0.20) ** 2))
    freckles = np.maximum(cheeks, nose) * _ramp(z, 0.8, 1.1)
    # The beard's upper border falls from the sideburns to the corner of the nose.
    border = np.interp(x, [0.0, 0.18, 0.30, 0.55, 0.70], [6.84, 6.84, 6.72, 6.88, 7.15])
    stubble = _ramp(border - y, -0.05, 0.07) * _ramp(y, 5.85, 6.10) * _ramp(z, 0.45, 0.70) * (1.0 - lips)
    stubble *= 1.0 - 0.6 * np.exp(-(((x - 0.16) / 0.10) ** 2 + ((y - 6.50) / 0.06) ** 2))
    hairline = np.interp(x, [0.0, 0.40, 0.62, 0.72, 0.8], [7.98, 7.90, 7.60, 7.35, 7.35])
    scalp = np.maximum(_ramp(y - hairline, -0.10, 0.10), _ramp(y, 6.5, 6.8) * _ramp(-z, -0.50, -0.25))
    return np.stack([lips, freckles, stubble, scalp], axis=1).astype(np.float32)


def grain() -> NDArray[np.uint8]:
    """Returns the grain texture [GRAIN_SIDE, GRAIN_SIDE, 4] uint8 that tiles: freckles in red, stubble in green."""
    rng = np.random.default_rng(0)
    spots = np.zeros((GRAIN_SIDE, GRAIN_SIDE))
    for sigma, share in ((1.3, 0.0075), (2.2, 0.0018)):
        seeds = (rng.random(spots.shape) < share) * rng.uniform(0.4, 1.0, spots.shape)
        spots = np.maximum(spots, ndimage.gaussian_filter(seeds, sigma, mode="wrap") * 2.0 * np.pi * sigma**2)
    hairs = ndimage.gaussian_filter(rng.random(spots.shape), 0.7, mode="wrap")
    hairs = (hairs - hairs.min()) / (hairs.max() - hairs.min())
    pixels = np.zeros((*spots.shape, 4), np.uint8)
    pixels[..., 0] = np.round(255.0 * np.clip(spots, 0.0, 1.0))
    pixels[..., 1] = np.round(255.0 * np.clip(1.6 * hairs - 0.3, 0.0, 1.0))
    pixels[..., 3] = 255
    return pixels
