"""Between a photo's own colour space and sRGB, which the networks see."""

from __future__ import annotations

import functools
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from textedit_core.photos.inverse_profile import InverseProfile

_SPACES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "LAB": "LAB"}
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
# A transform that moves no colour of a lattice by more than this many of 255 levels is that of sRGB: profiles round differently.
_SAME = 1


class ColourSpace:
    """The colour space of a photo's pixels without alpha: grey, RGB or CMYK, described by a profile or by nothing.

    Args:
        mode: L, RGB, CMYK or LAB.
        icc: an ICC profile for this mode, or None: then grey and RGB are sRGB, and CMYK is the plain complement of RGB.
    """

    def __init__(self, mode: str, icc: bytes | None) -> None:
        self.mode = mode
        self._icc = icc
        self.is_srgb = mode in ("L", "RGB") and (icc is None or _moves_nothing(mode, icc))

    def to_srgb(self, image: Image.Image) -> Image.Image:
        """Converts 8-bit pixels of this space to sRGB."""
        if self.is_srgb or self._icc is None:
            return image.convert("RGB")
        converted = ImageCms.applyTransform(image, _to_srgb(self.mode, self._icc))
        assert converted is not None
        return converted

    def from_srgb(self, image: Image.Image) -> Image.Image:
        """Converts 8-bit sRGB pixels to this space."""
        if self.is_srgb or self._icc is None:
            return image.convert(self.mode)
        backwards = _from_srgb(self.mode, self._icc)
        if isinstance(backwards, InverseProfile):
            return backwards.apply(image)
        converted = ImageCms.applyTransform(image, backwards)
        assert converted is not None
        return converted


def profile_mode(icc: bytes) -> str | None:
    """The mode of pixels that a profile describes; None for a damaged one and for spaces of more or other channels."""
    try:
        space = ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile.xcolor_space.strip().upper()
    except (OSError, ImageCms.PyCMSError, TypeError, ValueError):
        return None
    mode = _SPACES.get(space)
    return mode if mode is not None and _can_be_read(mode, icc) else None


def _can_be_read(mode: str, icc: bytes) -> bool:
    try:
        _to_srgb(mode, icc)
    except (OSError, ImageCms.PyCMSError):
        return False
    return True


@functools.lru_cache(maxsize=8)
def _to_srgb(mode: str, icc: bytes) -> ImageCms.ImageCmsTransform:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB", _INTENT)


@functools.lru_cache(maxsize=8)
def _from_srgb(mode: str, icc: bytes) -> ImageCms.ImageCmsTransform | InverseProfile:
    """The way back; a profile that describes one direction only, as a scanner's or a press proof's, is inverted numerically."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    try:
        return ImageCms.buildTransform(ImageCms.createProfile("sRGB"), profile, "RGB", mode, _INTENT)
    except ImageCms.PyCMSError:
        transform = _to_srgb(mode, icc)
        return InverseProfile(mode, lambda image: ImageCms.applyTransform(image, transform))


@functools.lru_cache(maxsize=8)
def _moves_nothing(mode: str, icc: bytes) -> bool:
    lattice = _lattice(mode)
    moved = np.asarray(ImageCms.applyTransform(lattice, _to_srgb(mode, icc)), np.int16)
    return bool(np.abs(moved - np.asarray(lattice.convert("RGB"), np.int16)).max() <= _SAME)


def _lattice(mode: str) -> Image.Image:
    levels = np.linspace(0, 255, 256 if mode == "L" else 17).round().astype(np.uint8)
    if mode == "L":
        return Image.fromarray(levels[None])
    grid: NDArray[np.uint8] = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(17, -1, 3)
    return Image.fromarray(grid)
