"""open_photo: a file becomes a Photo, whatever its mode, depth, profile, orientation and the state of its metadata."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from textedit_core.errors import UserError
from textedit_core.photos import exif, xmp
from textedit_core.photos.colour import ColourSpace, profile_mode
from textedit_core.photos.decoding import Decoded, decode
from textedit_core.photos.orientation import upright
from textedit_core.photos.photo import Metadata, Photo

# What decoders raise on damaged files, beside their own errors.
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, RuntimeError)
_NAMED_TAGS = 4


def open_photo(path: str | Path) -> Photo:
    """Opens a photo: JPEG, PNG, TIFF, WebP, AVIF, HEIC (with pillow-heif) and whatever else Pillow reads.

    Damaged metadata never stands in the way: each damaged tag is left out, and `Photo.notes` says so.

    Raises:
        UserError: the file is missing, is not an image, is truncated or has more than `limits.MAX_PHOTO_PIXELS`.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
        decoded = decode(data, path)
    except FileNotFoundError:
        raise UserError(f"photo {str(path)!r} does not exist") from None
    except IsADirectoryError:
        raise UserError(f"photo {str(path)!r} is a folder; give a file") from None
    except UnidentifiedImageError:
        raise UserError(f"{str(path)!r} is not an image that Pillow can read; give a JPEG, PNG, WebP, HEIC, BMP or TIFF") from None
    except MemoryError:
        raise UserError(f"photo {str(path)!r} does not fit into memory; make it smaller first") from None
    except (*_DAMAGE, struct.error, zlib.error) as error:
        raise UserError(f"photo {str(path)!r} cannot be decoded ({error}); is the file complete?") from None
    return _photo(decoded, data, path)


def _photo(decoded: Decoded, data: bytes, path: Path) -> Photo:
    notes = list(decoded.notes)
    if decoded.damaged:
        named = ", ".join(decoded.damaged[:_NAMED_TAGS]) + (" and others" if len(decoded.damaged) > _NAMED_TAGS else "")
        notes.append(f"damaged EXIF is left out: {named}")
    packet = decoded.xmp
    if packet is not None and not xmp.is_sound(packet):
        notes.append("its XMP is damaged and left out")
        packet = None
    icc = _fitting(decoded, notes)
    turn = 1 if decoded.is_upright else exif.orientation(decoded.exif_block)
    if turn == 1 and not decoded.is_upright and (decoded.exif_block is None or exif.ORIENTATION not in decoded.exif_block.main.fields):
        turn = xmp.orientation(packet)
    metadata = Metadata(decoded.exif_block, packet, decoded.resources, icc, decoded.dpi)
    image = upright(working_image(decoded.stored, decoded.mode, icc), turn)
    return Photo(image, decoded.stored, decoded.mode, decoded.format, turn, metadata, data, path, tuple(notes))


def _fitting(decoded: Decoded, notes: list[str]) -> bytes | None:
    """The profile, if it describes pixels like these; another one would show wrong colours or none."""
    if decoded.icc is None:
        return None
    described = profile_mode(decoded.icc)
    if described == decoded.mode.removesuffix("A"):
        return decoded.icc
    notes.append(f"its ICC profile is for {described or 'no known'} pixels, the picture is {decoded.mode}; the profile is left out")
    return None


def working_image(stored: NDArray[np.uint8] | NDArray[np.uint16], mode: str, icc: bytes | None) -> Image.Image:
    """Converts stored pixels to RGB, 8 bits, sRGB; transparency is laid over white. The orientation stays."""
    colours, alpha = split_alpha(in_eight_bits(stored), mode)
    plain = mode.removesuffix("A")
    image = ColourSpace(plain, icc).to_srgb(Image.fromarray(colours, plain))
    if alpha is None:
        return image
    return Image.composite(image, Image.new("RGB", image.size, "white"), Image.fromarray(alpha))


def in_eight_bits(stored: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Rounds 16-bit values to 8 bits: 65535 becomes 255."""
    if stored.dtype == np.uint8:
        return np.asarray(stored, np.uint8)
    return ((stored.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def split_alpha(
    stored: NDArray[np.uint8], mode: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Separates [H,W,C] into colours ([H,W] for grey) and alpha [H,W], or None without one."""
    if mode not in ("LA", "RGBA"):
        return np.ascontiguousarray(stored), None
    colours = stored[..., 0] if mode == "LA" else stored[..., :3]
    return np.ascontiguousarray(colours), np.ascontiguousarray(stored[..., -1])
