"""Turns a rendered photo and its depth into a pencil drawing, the same pattern of paper every time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_PAPER = np.array([250.0, 247.0, 240.0])
_GRAPHITE = np.array([44.0, 43.0, 46.0])


def _smoothstep(low: float, high: float, value: NDArray[np.float32]) -> NDArray[np.float32]:
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _blur(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return ndimage.gaussian_filter(image, sigma, mode="nearest", truncate=2.5)


def _contours(depth: NDArray[np.float32], figure: NDArray[np.float32]) -> NDArray[np.float32]:
    far = float(depth[np.isfinite(depth)].max()) if np.isfinite(depth).any() else 1.0
    relief = np.where(np.isfinite(depth), depth, far + 0.3).astype(np.float32)
    relief = _blur(relief, 0.8)
    slope = np.hypot(ndimage.sobel(relief, 0), ndimage.sobel(relief, 1)) / 8.0
    # Contours are steps that stand out from the slope around them.
    return _smoothstep(0.03, 0.16, slope - 0.7 * _blur(slope, 4.0))


def _strokes(tone: NDArray[np.float32], figure: NDArray[np.float32]) -> NDArray[np.float32]:
    # Extended difference of Gaussians (Winnemoeller et al., 2012) of log tone, so dark skin draws as well as light.
    log = np.log(tone + 0.06)
    difference = _blur(log, 0.7) - _blur(log, 2.2)
    return _smoothstep(0.035, 0.26, -difference) * figure


def _hatching(side: int) -> NDArray[np.float32]:
    y, x = np.mgrid[:side, :side].astype(np.float32) * (256.0 / side)
    bend = 1.5 * np.sin(x / 37.0) + 1.5 * np.sin(y / 29.0)
    return 0.5 + 0.5 * np.sin((x + y + bend) * (2.0 * np.pi / 7.0))


def pencil_sketch(photo: NDArray[np.uint8], depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draws a photo as a pencil sketch on off-white paper.

    Args:
        photo: [S, S, 3] uint8 sRGB.
        depth: [S, S] float32 camera distance, infinite in the background.

    Returns:
        [S, S, 3] uint8 sRGB.
    """
    gray = (photo.astype(np.float32) @ np.array([0.3, 0.59, 0.11], np.float32)) / 255.0
    figure = _blur(np.isfinite(depth).astype(np.float32), 0.6)
    side = len(gray)
    face = gray[int(side * 0.35) : int(side * 0.8), int(side * 0.3) : int(side * 0.7)]
    # Skin becomes paper-bright whatever its colour; hair keeps its own darkness.
    tone = np.clip(gray / max(float(np.percentile(face, 85)), 0.08), 0.0, 1.15)
    tone = figure * tone + (1.0 - figure) * 1.1
    lines = np.maximum(_strokes(tone, figure), 0.9 * _contours(depth, figure))
    shade = 0.62 * _smoothstep(0.0, 0.92, 0.98 - _blur(tone, 1.2)) * figure
    shade = shade * (0.84 + 0.16 * _hatching(side))
    graphite = np.clip(1.0 - (1.0 - 0.92 * lines) * (1.0 - shade), 0.0, 1.0)[..., None]
    return np.round(_PAPER + graphite * (_GRAPHITE - _PAPER)).astype(np.uint8)
