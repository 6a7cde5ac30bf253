"""Turning pictures between how they are stored and how they are looked at (EXIF 2.32, tag 0x0112)."""

from __future__ import annotations

from PIL import Image

_Turn = Image.Transpose
_UPRIGHT = {
    2: _Turn.FLIP_LEFT_RIGHT,
    3: _Turn.ROTATE_180,
    4: _Turn.FLIP_TOP_BOTTOM,
    5: _Turn.TRANSPOSE,
    6: _Turn.ROTATE_270,
    7: _Turn.TRANSVERSE,
    8: _Turn.ROTATE_90,
}
_BACK = {**_UPRIGHT, 6: _Turn.ROTATE_90, 8: _Turn.ROTATE_270}


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Returns a stored picture as it is meant to be looked at."""
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def as_stored(image: Image.Image, orientation: int) -> Image.Image:
    """Returns an upright picture in its stored orientation; undoes `upright`."""
    return image.transpose(_BACK[orientation]) if orientation in _BACK else image
