"""EXIF of one photo: damaged tags leave singly, the orientation can be told and reset, the thumbnail is drawn anew."""

from __future__ import annotations

import io
import struct

from PIL import Image, TiffTags

from textedit_core.photos import tiff_block
from textedit_core.photos.tiff_block import ASCII, BYTE, LONG, RATIONAL, SHORT, UNDEFINED, UTF8, Directory, Field, TiffBlock

PREFIX = b"Exif\0\0"
ORIENTATION = 0x0112
# Text in bytes and fractions as floating-point numbers are not the standard's, but every reader takes them.
_TEXT, _NUMBERS, _FRACTIONS = {ASCII, UTF8, BYTE, UNDEFINED}, {BYTE, SHORT, LONG}, {RATIONAL, 11, 12}
# The text and the numbers of the Exif directory that Pillow's table of TIFF tags does not know, EXIF 2.32 section 4.6.5.
_EXIF_TEXT = {0x8824, 0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292, 0xA004, 0xA420, 0xA430, 0xA431}
_EXIF_TEXT |= {0xA433, 0xA434, 0xA435}
_EXIF_NUMBERS = {0x8822, 0x8827, 0x8830, 0x9207, 0x9208, 0x9209, 0xA001, 0xA002, 0xA003, 0xA210, 0xA217, 0xA401, 0xA402}
_EXIF_NUMBERS |= {0xA403, 0xA405, 0xA406}
_RATIONALS = {0x829A, 0x829D, 0x9202, 0x9205, 0x9206, 0x920A, 0xA20E, 0xA20F, 0xA404}
# A zero below the line is no number; 0/0 (unknown) and 0xffffffff (infinite) are the standard's own words in these only.
_MAY_BE_UNDEFINED = {0x9206, 0xA404, 0xA432}
_THUMBNAIL_SIDE = 160
_THUMBNAIL_QUALITY = 85
# What describes how a TIFF file's pixels lie in it, other pictures of the file, and what is read as a part of its own: XMP, IPTC, ICC.
_LAYOUT = {0x00FE, 0x00FF, 0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x010A, 0x0111, 0x0115, 0x0116, 0x0117, 0x0118, 0x0119, 0x011C, 0x0120}
_LAYOUT |= {0x0121, 0x0124, 0x0125, 0x012D, 0x013D, 0x0140, 0x0142, 0x0143, 0x0144, 0x0145, 0x014A, 0x0150, 0x0152, 0x0153, 0x0154, 0x0155}
_LAYOUT |= {0x015B, 0x0200, 0x0207, 0x0208, 0x0209, 0x0211, 0x0212, 0x0214, 0x935C}
_PARTS = {0x02BC, 0x83BB, 0x8649, 0x8773}


def read(data: bytes | None) -> tuple[TiffBlock | None, list[str]]:
    """Reads an EXIF block of any quality; never raises.

    Args:
        data: the block with or without ``Exif\\0\\0``; None or empty where the photo has none.

    Returns:
        The sound part, or None where there is none; and a name for each tag that was damaged.
    """
    if not data:
        return None, []
    block, dropped = tiff_block.parse(data.removeprefix(PREFIX))
    if block is not None:
        for directory in (block.main, block.thumbnail, *block.main.children.values()):
            if directory is not None:
                dropped += _drop_damaged(directory)
        dropped += _drop_refused(block)
        # A preview of the whole picture that would show the face as it was.
        block.main.blobs.clear()
        if block.thumbnail is not None and tiff_block.THUMBNAIL_OFFSET not in block.thumbnail.blobs:
            block.thumbnail = None
    return block, dropped


def _drop_damaged(directory: Directory) -> list[str]:
    damaged = [tag for tag, value in directory.fields.items() if not _is_sound(tag, value)]
    for tag in damaged:
        del directory.fields[tag]
    return [_name(tag) for tag in damaged]


def _drop_refused(block: TiffBlock) -> list[str]:
    """Drops what Pillow, in which most of a photo's later readers and this project's own fail, cannot read and write again."""
    if not _refuses(block):
        return []
    dropped = []
    for pointer, directory in ((None, block.main), *block.main.children.items()):
        for tag, value in list(directory.fields.items()):
            alone = Directory({tag: value})
            if _refuses(TiffBlock(block.order, alone if pointer is None else Directory(children={pointer: alone}))):
                del directory.fields[tag]
                dropped.append(_name(tag))
    return dropped


def _refuses(block: TiffBlock) -> bool:
    reader = Image.Exif()
    try:
        reader.load(PREFIX + tiff_block.serialise(TiffBlock(block.order, block.main, None, block.maker_note_at)))
        for pointer in block.main.children:
            dict(reader.get_ifd(pointer))
        reader.tobytes()
    except (OSError, ValueError, SyntaxError, TypeError, LookupError, AttributeError, ArithmeticError, struct.error):
        return True
    return False


def _name(tag: int) -> str:
    return TiffTags.TAGS_V2[tag].name if tag in TiffTags.TAGS_V2 else f"tag 0x{tag:04x}"


def _is_sound(tag: int, value: Field) -> bool:
    if value.kind not in _allowed(tag):
        return False
    if tag == ORIENTATION and value.count != 1:
        return False
    if value.kind in (RATIONAL, 10) and tag not in _MAY_BE_UNDEFINED:
        # Byte order does not matter to zero.
        return all(any(value.data[k + 4 : k + 8]) for k in range(0, len(value.data), 8))
    return True


def _allowed(tag: int) -> set[int]:
    """The field types that the standards give a tag; every type for tags of one maker's own."""
    known = TiffTags.TAGS_V2[tag].type if tag in TiffTags.TAGS_V2 else None
    if known == ASCII or tag in _EXIF_TEXT:
        return _TEXT
    if known == RATIONAL or tag in _RATIONALS:
        return _FRACTIONS
    if known in (SHORT, LONG) or tag in _EXIF_NUMBERS:
        return _NUMBERS
    return set(tiff_block.SIZES)


def orientation(block: TiffBlock | None) -> int:
    """The orientation 1..8 (EXIF 2.32, tag 0x0112); 1 where none or no valid one is given."""
    value = None if block is None else block.main.fields.get(ORIENTATION)
    if block is None or value is None:
        return 1
    (number,) = block.numbers(value)
    return number if 1 <= number <= 8 else 1


def with_orientation(block: TiffBlock | None, value: int) -> TiffBlock | None:
    """Sets the orientation of a block in place; a block is made only where there is something to say."""
    if block is None:
        if value == 1:
            return None
        block = TiffBlock()
    if value != 1 or ORIENTATION in block.main.fields:
        block.main.fields[ORIENTATION] = block.short(value)
    return block


def with_size(block: TiffBlock, size: tuple[int, int]) -> None:
    """Corrects the pixel size [width, height] that the Exif directory names, where it names one."""
    directory = block.main.children.get(tiff_block.EXIF_POINTER)
    for tag, side in zip((0xA002, 0xA003), size, strict=True):
        if directory is not None and tag in directory.fields:
            directory.fields[tag] = block.long(side)


def renew_thumbnail(block: TiffBlock, image: Image.Image) -> None:
    """Draws the embedded thumbnail, where there is one, from the written picture in its stored orientation."""
    if block.thumbnail is None:
        return
    small = image.resize(_within(image.size), Image.Resampling.BOX)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=_THUMBNAIL_QUALITY)
    block.thumbnail.blobs[tiff_block.THUMBNAIL_OFFSET] = [stream.getvalue()]
    if ORIENTATION in block.thumbnail.fields and ORIENTATION in block.main.fields:
        block.thumbnail.fields[ORIENTATION] = block.main.fields[ORIENTATION]


def _within(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, _THUMBNAIL_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def without_image_layout(block: TiffBlock) -> None:
    """Removes what describes the pixels of a TIFF file, which is written anew or said elsewhere."""
    for tag in (_LAYOUT | _PARTS) & set(block.main.fields):
        del block.main.fields[tag]


def serialise(block: TiffBlock | None) -> bytes | None:
    """The block's bytes without ``Exif\\0\\0``; None for none and for one that says nothing."""
    if block is None or not (block.main.fields or block.main.children):
        return None
    return tiff_block.serialise(block)


def resolution(block: TiffBlock | None) -> tuple[float, float] | None:
    """Pixels per inch [x, y], or None where the block names none."""
    found = [] if block is None else [block.main.fields.get(tag) for tag in (0x011A, 0x011B)]
    if block is None or any(value is None or value.kind != RATIONAL for value in found):
        return None
    pairs = [struct.unpack(f"{block.order}2I", value.data[:8]) for value in found if value is not None]
    unit = block.main.fields.get(0x0128)
    factor = 2.54 if unit is not None and block.numbers(unit)[:1] == (3,) else 1.0
    return pairs[0][0] / pairs[0][1] * factor, pairs[1][0] / pairs[1][1] * factor
