"""A TIFF file of one picture with all its metadata: EXIF is TIFF, so the file is the photo's EXIF block with strips of pixels."""

from __future__ import annotations

import zlib
from typing import Any

from numpy.typing import NDArray

from textedit_core.photos import photoshop, tiff_block
from textedit_core.photos.tiff_block import ASCII, BYTE, RATIONAL, UNDEFINED, UTF8, Directory, Field, TiffBlock

_STRIP_BYTES = 1 << 20
_DEFLATE, _HORIZONTAL = 8, 2
# Cameras say in EXIF where chroma samples of a JPEG lie; a TIFF file without chroma must not.
_CHROMA_POSITION = 0x0213
_PHOTOMETRIC = {"L": 1, "LA": 1, "RGB": 2, "RGBA": 2, "CMYK": 5}
_UNASSOCIATED_ALPHA = 2
_MOST_BYTES = 2**32 - 1


def write(
    pixels: NDArray[Any],
    mode: str,
    block: TiffBlock | None,
    packet: bytes | None,
    resources: bytes | None,
    icc: bytes | None,
    dpi: tuple[float, float] | None,
) -> bytes:
    """Writes pixels of 8 or 16 bits, losslessly deflated.

    Args:
        pixels: [H,W] or [H,W,C], uint8 or uint16, see `Photo.stored`.
        mode: L, LA, RGB, RGBA or CMYK.
        block: EXIF without a picture's layout; left unchanged.
        packet: XMP.
        resources: Photoshop resources with IPTC.
        icc: ICC profile.
        dpi: pixels per inch, used where EXIF names none.

    Raises:
        ValueError: the file would exceed the 4 GiB of TIFF.
    """
    made = _with_metadata_of(block or TiffBlock())
    _lay_out(made, pixels, mode)
    _describe(made, packet, resources, icc, dpi)
    return tiff_block.serialise(made)


def _with_metadata_of(source: TiffBlock) -> TiffBlock:
    # UTF-8 is a field type of EXIF 3.0 that TIFF readers do not know; its bytes are read as ASCII by all of them.
    fields = {tag: Field(ASCII, value.data) if value.kind == UTF8 else value for tag, value in source.main.fields.items()}
    fields.pop(_CHROMA_POSITION, None)
    return TiffBlock(source.order, Directory(fields, dict(source.main.children)), None, source.maker_note_at)


def _lay_out(made: TiffBlock, pixels: NDArray[Any], mode: str) -> None:
    """Puts the pixels in, as strips, and the fields that say how they lie."""
    main = made.main
    height, width = pixels.shape[:2]
    samples = 1 if pixels.ndim == 2 else pixels.shape[2]
    rows = max(1, _STRIP_BYTES // (width * samples * pixels.itemsize))
    strips = [_deflated(pixels[y : y + rows], made.order) for y in range(0, height, rows)]
    if sum(map(len, strips)) > _MOST_BYTES - _STRIP_BYTES:
        raise ValueError("more than the 4 GiB of TIFF; end the name in .png")
    main.fields |= {
        0x0100: made.long(width),
        0x0101: made.long(height),
        0x0102: made.short(*[8 * pixels.itemsize] * samples),
        0x0103: made.short(_DEFLATE),
        0x0106: made.short(_PHOTOMETRIC[mode]),
        0x0115: made.short(samples),
        0x0116: made.long(rows),
        0x0117: made.long(*map(len, strips)),
        0x011C: made.short(1),
        0x013D: made.short(_HORIZONTAL),
    }
    main.blobs[0x0111] = strips
    if mode.endswith("A"):
        main.fields[0x0152] = made.short(_UNASSOCIATED_ALPHA)


def _describe(
    made: TiffBlock, packet: bytes | None, resources: bytes | None, icc: bytes | None, dpi: tuple[float, float] | None
) -> None:
    fields = made.main.fields
    iptc = photoshop.iptc_of(resources) if resources else None
    contents = {0x02BC: (BYTE, packet), 0x83BB: (UNDEFINED, iptc), 0x8649: (BYTE, resources), 0x8773: (UNDEFINED, icc)}
    fields |= {tag: Field(kind, content) for tag, (kind, content) in contents.items() if content}
    if dpi is not None and 0x011A not in fields:
        for tag, value in zip((0x011A, 0x011B), dpi, strict=True):
            fields[tag] = Field(RATIONAL, made.long(round(value * 1000), 1000).data)
        fields[0x0128] = made.short(2)


def _deflated(rows: NDArray[Any], order: str) -> bytes:
    """One strip: differences along each row (predictor 2), deflated."""
    deep = rows if rows.ndim == 3 else rows[..., None]
    differences = deep.copy()
    differences[:, 1:] = deep[:, 1:] - deep[:, :-1]
    return zlib.compress(differences.astype(differences.dtype.newbyteorder("<" if order == "<" else ">")).tobytes(), 6)

