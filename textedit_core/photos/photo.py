"""A photo as it was read: what the networks see, and everything that must come back with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from textedit_core.photos.tiff_block import TiffBlock


@dataclass(frozen=True)
class Metadata:
    """What a file says beside its pixels.

    Attributes:
        exif: the sound part of EXIF; None where there is none.
        xmp: an XMP packet, UTF-8.
        resources: Photoshop image resources ("8BIM"), which carry IPTC; without their previews.
        icc: the ICC profile, only if it fits the pixels.
        dpi: pixels per inch [x, y].
    """

    exif: TiffBlock | None = None
    xmp: bytes | None = None
    resources: bytes | None = None
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None


@dataclass(frozen=True)
class Photo:
    """One photo file, decoded.

    Attributes:
        image: RGB, 8 bits, sRGB, upright; transparency laid over white. This is what networks and people see.
        stored: the pixels in the photo's own colour space and orientation, uint8 or uint16 [H,W] or [H,W,C] with C in 2 (grey, alpha),
            3 (RGB) or 4 (RGB and alpha, or CMYK with 0 for no ink).
        mode: Pillow's word for the channels: L, LA, RGB, RGBA or CMYK.
        format: Pillow's word for the file format; "PNG" for a picture that came from no file.
        orientation: 1..8, how `stored` must be turned to be upright (EXIF 2.32, tag 0x0112).
        metadata: see `Metadata`.
        source: the bytes of the file.
        path: where it came from.
        notes: one line for each thing that reading has left behind.
    """

    image: Image.Image
    stored: NDArray[np.uint8] | NDArray[np.uint16]
    mode: str
    format: str
    orientation: int
    metadata: Metadata
    source: bytes
    path: Path
    notes: tuple[str, ...] = field(default=())

    @property
    def bit_depth(self) -> int:
        """Bits per channel of the stored pixels, 8 or 16."""
        return 8 * self.stored.dtype.itemsize
