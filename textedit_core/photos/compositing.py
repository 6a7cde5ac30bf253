"""An edit returns into the photo's own pixels: only what it changed, in the photo's colour space, depth and orientation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from textedit_core.photos.colour import ColourSpace
from textedit_core.photos.orientation import as_stored
from textedit_core.photos.photo import Photo
from textedit_core.photos.reading import in_eight_bits, split_alpha

# A change of this many of 255 levels replaces a pixel; a smaller one keeps part of what sRGB in 8 bits could not hold.
_FULL_CHANGE = 32.0


@dataclass(frozen=True)
class Composite:
    """A photo's pixels after an edit.

    Attributes:
        pixels: like `Photo.stored`; equal to it wherever `changed` is False.
        changed: bool [H,W] inside `box`: which pixels the edit has touched.
        box: left, top, right, bottom in stored pixels; None where nothing was touched.
    """

    pixels: NDArray[Any]
    changed: NDArray[np.bool_]
    box: tuple[int, int, int, int] | None


def composite(photo: Photo, edited: Image.Image) -> Composite:
    """Carries an edited picture into the photo's own pixels.

    A pixel that the edit left alone keeps its stored value. Where it changed a little, the part of the stored value that 8-bit sRGB
    could not hold (colours outside its gamut, low bits, the share of black ink) is kept in proportion; where it changed a lot, the
    new colour stands alone.

    Args:
        photo: as `open_photo` gave it.
        edited: RGB, of the size of `photo.image`.

    Raises:
        ValueError: `edited` has another mode or size.
    """
    if edited.mode != "RGB" or edited.size != photo.image.size:
        raise ValueError(f"expected an RGB picture of {photo.image.size}, got {edited.mode} {edited.size}")
    before, after = as_stored(photo.image, photo.orientation), as_stored(edited, photo.orientation)
    box = ImageChops.difference(before, after).getbbox()
    if box is None:
        return Composite(photo.stored, np.zeros((0, 0), np.bool_), None)
    left, top, right, bottom = box
    stored = photo.stored[top:bottom, left:right]
    old, new = np.asarray(before.crop(box), np.int16), np.asarray(after.crop(box), np.int16)
    change = np.abs(new - old).max(-1)
    pixels = photo.stored.copy()
    pixels[top:bottom, left:right] = _carried(photo, stored, new, change)
    return Composite(pixels, change > 0, box)


def _carried(photo: Photo, stored: NDArray[Any], new: NDArray[np.int16], change: NDArray[np.int16]) -> NDArray[Any]:
    """The crop's new stored values [H,W] or [H,W,C]; unchanged where `change` is 0."""
    colours, alpha = split_alpha(in_eight_bits(stored), photo.mode)
    plain = photo.mode.removesuffix("A")
    space = ColourSpace(plain, photo.metadata.icc)
    shown = space.to_srgb(Image.fromarray(colours, plain))
    wanted = Image.fromarray((new if alpha is None else _lifted(new, alpha)).astype(np.uint8))
    scale = 257.0 if stored.dtype == np.uint16 else 1.0
    target = np.asarray(space.from_srgb(wanted), np.float32) * scale
    reached = np.asarray(space.from_srgb(shown), np.float32) * scale
    kept = np.clip(1.0 - change.astype(np.float32) / _FULL_CHANGE, 0.0, 1.0)
    touched = change > 0
    result = stored.copy()
    channels = result if alpha is None else result[..., 0] if photo.mode == "LA" else result[..., :3]
    if channels.ndim == 3:
        kept, touched = kept[..., None], touched[..., None]
    values = target + kept * (channels.astype(np.float32) - reached)
    np.copyto(channels, values.round().clip(0, 255 * scale).astype(stored.dtype), where=touched)
    return result


def _lifted(new: NDArray[np.int16], alpha: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The colours that, laid over white with this alpha, look like `new`; white where nothing shows."""
    share = alpha[..., None].astype(np.float32) / 255.0
    return np.where(share > 0, 255.0 + (new - 255.0) / np.maximum(share, 1.0 / 255.0), 255.0).round().clip(0, 255).astype(np.float32)
