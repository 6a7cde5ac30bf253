"""The way from sRGB into a colour space whose profile describes only the way out of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.interpolate import RegularGridInterpolator

# Nodes per side of the table over sRGB, and of the table that samples the profile.
_NODES = 17
_SAMPLES = {1: 256, 3: 17, 4: 11}
_STEPS = 30
_DIFFERENCE = 2.0 / 255.0
# Keeps ink low where several mixes give the colour, and the solution bounded where none does.
_DAMPING = 1e-3


class InverseProfile:
    """A table over sRGB of the channel values that come closest, found by damped Gauss-Newton steps from the nearest sampled values.

    Args:
        mode: the channels of the other space: L, RGB or CMYK.
        forward: converts an 8-bit picture of that mode to sRGB.
    """

    def __init__(self, mode: str, forward: Callable[[Image.Image], Image.Image | None]) -> None:
        self._mode = mode
        channels = len(Image.new(mode, (1, 1)).getbands())
        sampled = _sampled(mode, channels, forward)
        axis = np.linspace(0.0, 1.0, _NODES)
        wanted = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
        solved = _solve(sampled, wanted, channels)
        self._table = RegularGridInterpolator((axis,) * 3, solved.reshape(_NODES, _NODES, _NODES, channels))

    def apply(self, image: Image.Image) -> Image.Image:
        """Converts an 8-bit sRGB picture to the space."""
        pixels = np.asarray(image.convert("RGB"))
        # A crop holds far fewer colours than pixels.
        colours, where = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
        values = (self._table(colours / 255.0) * 255.0).round().clip(0, 255).astype(np.uint8)[where.reshape(-1)]
        return Image.frombytes(self._mode, image.size, values.tobytes())


def _sampled(mode: str, channels: int, forward: Callable[[Image.Image], Image.Image | None]) -> RegularGridInterpolator:
    count = _SAMPLES[channels]
    levels = np.linspace(0, 255, count).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(*[levels] * channels, indexing="ij"), -1).reshape(-1, channels)
    converted = forward(Image.frombytes(mode, (len(grid), 1), grid.tobytes()))
    assert converted is not None
    colours = np.asarray(converted, np.float64).reshape(*[count] * channels, 3) / 255.0
    return RegularGridInterpolator((levels / 255.0,) * channels, colours)


def _solve(sampled: RegularGridInterpolator, wanted: NDArray[np.float64], channels: int) -> NDArray[np.float64]:
    values = _start(sampled, wanted, channels)
    identity = np.eye(channels) * _DAMPING
    for _ in range(_STEPS):
        error = wanted - sampled(values)
        slopes = np.stack([_slope(sampled, values, k) for k in range(channels)], -1)
        transposed = slopes.transpose(0, 2, 1)
        step = np.linalg.solve(transposed @ slopes + identity, transposed @ error[..., None])[..., 0]
        moved = (values + step).clip(0.0, 1.0)
        better = np.square(wanted - sampled(moved)).sum(-1) < np.square(error).sum(-1)
        values[better] = moved[better]
    return values


def _start(sampled: RegularGridInterpolator, wanted: NDArray[np.float64], channels: int) -> NDArray[np.float64]:
    """The complement of the colour, black ink where all three inks meet; of one channel the luma."""
    if channels == 1:
        return wanted @ np.array([[0.299], [0.587], [0.114]])
    if channels == 3:
        return wanted.copy()
    inks = 1.0 - wanted
    # Half of the grey part in black ink, as a press's moderate grey component replacement does.
    black = 0.5 * inks.min(-1, keepdims=True)
    return np.concatenate([(inks - black) / np.maximum(1.0 - black, 1e-6), black], -1).clip(0.0, 1.0)


def _slope(sampled: RegularGridInterpolator, values: NDArray[np.float64], channel: int) -> NDArray[np.float64]:
    low, high = values.copy(), values.copy()
    low[:, channel] = np.maximum(0.0, values[:, channel] - _DIFFERENCE)
    high[:, channel] = np.minimum(1.0, values[:, channel] + _DIFFERENCE)
    return (sampled(high) - sampled(low)) / (high - low)[:, channel : channel + 1]
