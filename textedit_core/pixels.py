"""Pixels: what an image tensor means, and the only conversions between photos and tensors in Python."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from textedit_core.atomic import replacing_file
from textedit_core.errors import UserError

# A gallery photo of 200 megapixels is real; anything above is treated as a decompression bomb.
MAX_PHOTO_PIXELS = 200_000_000


@dataclass(frozen=True)
class PixelSpec:
    """The pixel contract of a network: NCHW float32 in [minimum, maximum], RGB, sRGB-encoded, square of side `size`."""

    size: int = 256
    minimum: float = -1.0
    maximum: float = 1.0
    channel_order: str = "RGB"
    color_space: str = "sRGB"
    layout: str = "NCHW"

    def from_uint8(self, images: Tensor) -> Tensor:
        """Maps uint8 [B,3,H,W] in 0..255 to float32 of the same shape in [minimum, maximum]."""
        return images.float() * ((self.maximum - self.minimum) / 255.0) + self.minimum

    def to_uint8(self, images: Tensor) -> Tensor:
        """Maps float [B,3,H,W] to uint8 of the same shape; values outside the range are clamped, the rest rounded."""
        unit = (images.detach().float() - self.minimum) / (self.maximum - self.minimum)
        return (unit.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)

    def to_tensor(self, image: Image.Image) -> Tensor:
        """Converts an RGB image of exactly size x size to float32 [1,3,S,S].

        Raises:
            ValueError: the image is not RGB or not of this size (alignment.crop_face makes one).
        """
        if image.mode != "RGB" or image.size != (self.size, self.size):
            raise ValueError(f"expected an RGB image of {self.size}x{self.size}, got {image.mode} {image.size}")
        array = torch.from_numpy(np.array(image, dtype=np.uint8))
        return self.from_uint8(array.permute(2, 0, 1).unsqueeze(0))

    def to_image(self, image: Tensor) -> Image.Image:
        """Converts one float image [1,3,R,R] or [3,R,R] to an RGB Pillow image of any side R."""
        single = image.reshape(1, *image.shape[-3:])
        return Image.fromarray(self.to_uint8(single)[0].permute(1, 2, 0).cpu().numpy(), "RGB")


def open_photo(path: str | Path) -> Image.Image:
    """Opens any Pillow-readable photo as upright RGB: EXIF rotation applied, alpha laid over white, CMYK and palettes converted.

    Raises:
        UserError: the file is missing, is not an image, is truncated or is larger than MAX_PHOTO_PIXELS.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as photo:
                _refuse_huge(photo, path)
                photo.load()
                return flatten_to_rgb(ImageOps.exif_transpose(photo))
    except FileNotFoundError:
        raise UserError(f"photo {str(path)!r} does not exist") from None
    except UnidentifiedImageError:
        raise UserError(f"{str(path)!r} is not an image that Pillow can read; give a JPEG, PNG, WebP, BMP or TIFF") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise UserError(f"photo {str(path)!r} cannot be decoded ({error}); is the file complete?") from None


def _refuse_huge(photo: Image.Image, path: str | Path) -> None:
    width, height = photo.size
    if width * height > MAX_PHOTO_PIXELS:
        raise UserError(f"photo {str(path)!r} has {width}x{height} pixels; the limit is {MAX_PHOTO_PIXELS}")


def flatten_to_rgb(photo: Image.Image) -> Image.Image:
    """Returns an RGB copy of an image of any mode; transparency is composited over white, 16-bit grey is scaled to 8."""
    if photo.mode in ("I;16", "I;16B", "I;16L", "I"):
        scaled = np.clip(np.asarray(photo, dtype=np.float64) / 257.0, 0, 255)
        photo = Image.fromarray(np.round(scaled).astype(np.uint8), "L")
    if photo.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in photo.info:
        rgba = photo.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return photo.convert("RGB")


def save_image(image: Image.Image, path: str | Path) -> None:
    """Writes an image atomically; the suffix of `path` selects the format.

    Raises:
        UserError: the suffix names no image format, or the folder cannot be written (missing, read-only, full disk).
    """
    path = Path(path)
    formats = {suffix: name for suffix, name in Image.registered_extensions().items() if name in Image.SAVE}
    if path.suffix.lower() not in formats:
        raise UserError(f"cannot tell the image format of {str(path)!r}; end the name in .png, .jpg or .webp")
    if not path.parent.is_dir():
        raise UserError(f"cannot write {str(path)!r}: there is no folder {str(path.parent)!r}")
    with replacing_file(path) as draft:
        image.save(draft, format=formats[path.suffix.lower()])
