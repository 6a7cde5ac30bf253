"""Brings textures of different makers to common terms: brightness of skins and hair, colour of irises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textedit_core.synthetic.meshes import Points

Pixels = NDArray[np.uint8]
_LUMA = np.array([0.3, 0.6, 0.1], np.float32)
# Middles (from the left, from the bottom) and radius of both irises in an eye texture, in texture sides.
_IRISES = ((0.705, 0.705), (0.290, 0.290))
_IRIS_RADIUS = 0.13


@dataclass(frozen=True)
class Texture:
    """Pixels [H, W, 4] uint8, bottom row first, and the gain that brings hair to a common brightness."""

    pixels: Pixels
    gain: float = 1.0


def hair_texture(pixels: Pixels) -> Texture:
    """Returns a hair texture [H, W, 4] with the gain that makes its brighter strands as light as the hair colour."""
    solid = pixels[pixels[..., 3] > 150][:, :3].astype(float) / 255.0
    return Texture(pixels, 1.0 / max(float(np.percentile(solid @ [0.35, 0.5, 0.15], 70)), 0.05))


def skin_texture(pixels: Pixels, uv: Points, calm: float) -> Texture:
    """Divides a skin by its mean face colour, so that every skin has the same median, 0.5.

    Args:
        pixels: [S, S, 4] sRGB.
        uv: [N, 2] texture coordinates on the face.
        calm: 0 to 1, the share of the variation of colour, not of brightness, that is taken away.

    Returns:
        Square roots of linear light.
    """
    side = len(pixels)
    at = np.clip((uv * side).astype(int), 0, side - 1)
    light = (pixels[..., :3].astype(np.float32) / 255.0) ** 2.2
    relative = light / np.median(light[at[:, 1], at[:, 0]], axis=0) * 0.5
    relative += calm * (relative @ _LUMA[:, None] - relative)
    result = pixels.copy()
    result[..., :3] = np.round(np.sqrt(np.clip(relative, 0.0, 1.0)) * 255.0).astype(np.uint8)
    return Texture(result)


def eye_texture(pixels: Pixels, gain: float, calm: float) -> Texture:
    """Darkens (`gain` below 1) and desaturates (`calm` 0 to 1) the irises of an eye texture [S, S, 4]; the white stays."""
    side = len(pixels)
    y, x = (np.mgrid[:side, :side].astype(np.float32) + 0.5) / side
    mask = np.zeros((side, side), np.float32)
    for across, up in _IRISES:
        mask = np.maximum(mask, np.clip((_IRIS_RADIUS - np.hypot(x - across, y - up)) / 0.012, 0.0, 1.0))
    color = pixels[..., :3].astype(np.float32)
    plain = gain * (color + calm * (color @ _LUMA[:, None] - color))
    result = pixels.copy()
    result[..., :3] = np.round(np.clip(color + mask[..., None] * (plain - color), 0.0, 255.0)).astype(np.uint8)
    return Texture(result)
