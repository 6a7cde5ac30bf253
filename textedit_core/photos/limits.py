"""What a photo may be and what a file can hold, asked before any work."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from textedit_core.errors import UserError

# A gallery photo of 200 megapixels is real; anything above is treated as a decompression bomb.
MAX_PHOTO_PIXELS = 200_000_000
# The longest side in pixels: libjpeg (JPEG_MAX_DIMENSION), the WebP container (14 bits), and the 16-bit fields of the others.
_MAX_SIDE = {"JPEG": 65_500, "WEBP": 16_383, "AVIF": 65_535, "HEIF": 65_535, "GIF": 65_535, "JPEG2000": 2**31 - 1, "ICO": 256}
_SUGGESTED = ".png, .jpg, .webp, .tif or .heic"
_HEIF_SUFFIXES = {".heic": "HEIF", ".heif": "HEIF", ".hif": "HEIF"}
# Pillow's own limit is one number for the whole process.
_BOMB_LIMIT = threading.Lock()


@contextlib.contextmanager
def own_pixel_limit() -> Iterator[None]:
    """Within the block this project's limit holds and Pillow's, which lies between 179 and 358 megapixels, does not."""
    with _BOMB_LIMIT, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def check_pixels(size: tuple[int, int], path: Path) -> None:
    """Refuses a photo with more pixels than MAX_PHOTO_PIXELS.

    Raises:
        UserError: it has more.
    """
    width, height = size
    if width * height > MAX_PHOTO_PIXELS:
        raise UserError(f"photo {str(path)!r} has {width}x{height} pixels; the limit is {MAX_PHOTO_PIXELS}; make it smaller first")


def format_of(path: Path) -> str:
    """The name (Pillow's) of the format that a file name asks for.

    Raises:
        UserError: the suffix names no format that can be written.
    """
    suffix = path.suffix.lower()
    if suffix in _HEIF_SUFFIXES:
        return _HEIF_SUFFIXES[suffix]
    name = Image.registered_extensions().get(suffix)
    if name is None or name not in Image.SAVE:
        raise UserError(f"cannot tell the image format of {str(path)!r}; end the name in {_SUGGESTED}")
    return name


def check_output(path: str | Path, size: tuple[int, int] | None = None) -> str:
    """Asks whether a picture can be written, before the work that makes it.

    Args:
        path: the file to be written.
        size: [width, height] of the picture in pixels; None where it is not known yet.

    Returns:
        The name (Pillow's) of the format.

    Raises:
        UserError: the suffix names no format, the folder is missing or cannot be written, or the format holds no picture this large.
    """
    path = Path(path)
    name = format_of(path)
    folder = path.resolve().parent
    if not folder.is_dir():
        raise UserError(f"cannot write {str(path)!r}: the folder {str(path.parent)!r} does not exist; make it first")
    if not os.access(folder, os.W_OK | os.X_OK) or path.is_dir():
        raise UserError(f"cannot write {str(path)!r}: no file can be made there; choose another folder or name")
    if size is not None and max(size) > _MAX_SIDE.get(name, 2**31 - 1):
        limit = _MAX_SIDE[name]
        raise UserError(f"{name} holds at most {limit} pixels a side, the photo has {size[0]}x{size[1]}; end {str(path)!r} in .png or .tif")
    return name
