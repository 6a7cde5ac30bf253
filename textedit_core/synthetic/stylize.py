"""Turns a rendered photo and its depth into a pencil drawing or a cartoon, exactly paired with the photo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from textedit_core.synthetic.scene import STYLES

_PAPER = np.array([250.0, 247.0, 240.0])
_GRAPHITE = np.array([44.0, 43.0, 46.0])
_INK = np.array([0.07, 0.05, 0.07], np.float32)
_LUMA = np.array([0.3, 0.59, 0.11], np.float32)
_TONES = 5


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
    gray = (photo.astype(np.float32) @ _LUMA) / 255.0
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


def _smooth_inside_edges(image: NDArray[np.float32], guide: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """Guided filter (He et al., 2013) of an image [S, S, C] by a guide [S, S]: flattens texture, keeps outlines."""
    size = 2 * radius + 1
    mean_guide = ndimage.uniform_filter(guide, size)
    variance = ndimage.uniform_filter(guide * guide, size) - mean_guide * mean_guide
    mean_image = ndimage.uniform_filter(image, (size, size, 1))
    covariance = ndimage.uniform_filter(image * guide[..., None], (size, size, 1)) - mean_image * mean_guide[..., None]
    slope = covariance / (variance + 0.004)[..., None]
    offset = mean_image - slope * mean_guide[..., None]
    slope, offset = (ndimage.uniform_filter(part, (size, size, 1)) for part in (slope, offset))
    return np.asarray(slope * guide[..., None] + offset, np.float32)


def _even_chroma(
    flat: NDArray[np.float32], light: NDArray[np.float32], figure: NDArray[np.float32]
) -> NDArray[np.float32]:
    """One colour per surface, as [S, S, 3] multiples of its lightness.

    Highlights are paler than the skin around them, and a flat tone would turn them into grey patches: every pixel takes the colour of the
    most saturated ones nearby of about its lightness and hue, so that hair and clothes keep their own (a bilateral filter, Tomasi and
    Manduchi, 1998, at 64 px, weighted by saturation).
    """
    step = max(len(flat) // 64, 1)
    tone = np.log(light[::step, ::step])
    chroma = flat[::step, ::step] / light[::step, ::step, None]
    trust = figure[::step, ::step] ** 4 * (np.ptp(chroma, axis=-1) + 0.02) + 1e-9
    total, weights = np.zeros_like(chroma), np.zeros_like(tone)
    for dy in range(-14, 15, 7):
        for dx in range(-14, 15, 7):
            near = float(np.exp(-(dy * dy + dx * dx) / 128.0))
            other = np.roll(chroma, (dy, dx), (0, 1))
            unlike = np.square((tone - np.roll(tone, (dy, dx), (0, 1))) / 0.7) + np.square((chroma - other) / 0.13).sum(axis=-1)
            weight = near * np.exp(-unlike) * np.roll(trust, (dy, dx), (0, 1))
            total += weight[..., None] * other
            weights += weight
    zoom = (len(flat) / len(tone), len(flat) / len(tone), 1)
    return np.asarray(ndimage.zoom(total / weights[..., None], zoom, order=1, grid_mode=True, mode="nearest"), np.float32)


def _posterised(tone: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rounds tones in 0 to 1 to a few steps whose borders stay anti-aliased."""
    scaled = tone * _TONES
    below = np.floor(scaled)
    return np.asarray((below + _smoothstep(0.42, 0.58, scaled - below)) / _TONES, np.float32)


def cartoon(photo: NDArray[np.uint8], depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draws a photo as a cartoon: flat, few and vivid colours inside dark outlines, before a plain backdrop.

    Args:
        photo: [S, S, 3] uint8 sRGB.
        depth: [S, S] float32 camera distance, infinite in the background.

    Returns:
        [S, S, 3] uint8 sRGB.
    """
    colors = photo.astype(np.float32) / 255.0
    behind = ~np.isfinite(depth)
    figure = _blur((~behind).astype(np.float32), 0.6)
    gray = np.asarray(colors @ _LUMA, np.float32)
    flat = _smooth_inside_edges(colors, gray, max(round(len(photo) / 64), 1))
    light = np.clip(flat @ _LUMA, 0.01, 1.0)
    # Square roots spread the steps evenly over dark skins as well.
    target = np.square(_posterised(np.sqrt(light)) * 0.94 + 0.05)[..., None]
    chroma = 0.2 * flat / light[..., None] + 0.8 * _even_chroma(flat, light, figure)
    drawn = np.maximum((1.0 + 1.3 * (chroma - 1.0)) * target * 1.06, 0.0)
    # Too bright a colour is dimmed as a whole: clipping its channels would turn bright skin yellow.
    drawn /= np.maximum(drawn.max(axis=2, keepdims=True), 1.0)
    if behind.any():
        backdrop = np.median(flat[behind], axis=0)
        drawn[behind] = np.clip(1.05 * (1.35 * backdrop - 0.35 * float(backdrop @ _LUMA)), 0.0, 1.0)
    lines = np.maximum(_strokes(gray, figure), _contours(depth, figure))[..., None]
    return np.round(255.0 * (drawn + np.minimum(1.1 * lines, 1.0) * (_INK - drawn))).astype(np.uint8)


def stylised(photo: NDArray[np.uint8], depth: NDArray[np.float32], style: str) -> NDArray[np.uint8]:
    """Returns the picture of a drawn photo in one of `STYLES`; a photo is returned as it is.

    Raises:
        ValueError: the style is unknown.
    """
    if style == "photo":
        return photo
    if style == "sketch":
        return pencil_sketch(photo, depth)
    if style == "cartoon":
        return cartoon(photo, depth)
    raise ValueError(f"unknown style {style!r}; there are: {', '.join(STYLES)}")
