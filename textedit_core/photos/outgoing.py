"""What goes into a written file: the pixels in a form that its format takes, and the metadata brought up to date."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from textedit_core.photos import exif, xmp
from textedit_core.photos.compositing import Composite
from textedit_core.photos.orientation import as_stored, upright
from textedit_core.photos.photo import Photo
from textedit_core.photos.reading import in_eight_bits
from textedit_core.photos.tiff_block import TiffBlock


@dataclass
class Outgoing:
    """One photo on its way into a file.

    Attributes:
        photo: as it was read.
        edited: RGB, sRGB, upright.
        change: the edit in the photo's own pixels.
        strip: drop all metadata but what colours and orientation need.
        mark: write the digital source type of an edited picture.
        notes: one line for each thing that gets lost on the way; encoders append.
    """

    photo: Photo
    edited: Image.Image
    change: Composite
    strip: bool
    mark: bool
    notes: list[str] = field(default_factory=list)

    def exif_block(self, orientation: int) -> TiffBlock | None:
        """EXIF with this orientation, its thumbnail drawn anew."""
        if self.strip or self.photo.metadata.exif is None:
            return exif.with_orientation(None, orientation)
        block = exif.with_orientation(copy.deepcopy(self.photo.metadata.exif), orientation)
        assert block is not None
        shown = as_stored(self.edited, orientation)
        exif.renew_thumbnail(block, shown)
        exif.with_size(block, shown.size)
        return block

    def packet(self, orientation: int) -> bytes | None:
        """XMP with this orientation, without previews, with the mark if the picture was changed."""
        found = None if self.strip else self.photo.metadata.xmp
        if found is not None:
            found = xmp.without_thumbnails(xmp.with_orientation(found, orientation))
        return xmp.marked(found) if self.mark and self.change.box is not None else found

    @property
    def resources(self) -> bytes | None:
        """Photoshop resources, which hold IPTC."""
        return None if self.strip else self.photo.metadata.resources

    def pixels_for(self, name: str, modes: tuple[str, ...], depth: int, turned: bool) -> Pixels:
        """The picture in the richest form that a format takes; what does not fit is said.

        Args:
            name: of the format, for the notes.
            modes: what the format takes, of L, LA, RGB, RGBA and CMYK.
            depth: the most bits per channel, 8 or 16.
            turned: upright rather than as stored.
        """
        photo, pixels, mode, icc = self.photo, self.change.pixels, self.photo.mode, self.photo.metadata.icc
        if mode not in modes:
            return self._as_srgb(name, turned)
        if photo.bit_depth > depth:
            self.notes.append(f"{name} holds {depth} bits a channel; the photo's {photo.bit_depth} are rounded")
            pixels = in_eight_bits(pixels)
        return Pixels(_turned(pixels, photo.orientation) if turned else pixels, mode, icc)

    def _as_srgb(self, name: str, turned: bool) -> Pixels:
        """RGB in sRGB, as the edit was seen."""
        photo = self.photo
        if photo.mode == "CMYK":
            self.notes.append(f"{name} has no CMYK; the photo is converted to sRGB")
        if photo.bit_depth > 8:
            self.notes.append(f"the photo's {photo.bit_depth} bits a channel are rounded to 8")
        image = self.edited
        if photo.mode.endswith("A"):
            self.notes.append(f"{name} has no such transparency; it is laid over white")
        if not turned:
            image = as_stored(image, photo.orientation)
        return Pixels(np.asarray(image), "RGB", None)


@dataclass(frozen=True)
class Pixels:
    """Pixels [H,W] or [H,W,C], uint8 or uint16, with their mode and the profile that fits them."""

    array: NDArray[Any]
    mode: str
    icc: bytes | None

    def image(self) -> Image.Image:
        """The 8-bit pixels as a Pillow image."""
        return Image.fromarray(self.array, self.mode)


def _turned(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Stored pixels of any depth as they are looked at."""
    if orientation == 1:
        return pixels
    # Pillow turns no 16-bit colours, but it can turn the places.
    places = np.arange(pixels.shape[0] * pixels.shape[1], dtype=np.int32).reshape(pixels.shape[:2])
    order = np.asarray(upright(Image.fromarray(places), orientation))
    flat = pixels.reshape(len(places.reshape(-1)), -1)[order.reshape(-1)]
    return flat.reshape(*order.shape, *pixels.shape[2:])
