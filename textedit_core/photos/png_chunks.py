"""The chunks of a PNG file: everything that it says beside the pixels is kept as it is."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP_KEYWORD = b"XML:com.adobe.xmp"
# Tied to the old pixels, to other pictures of an animation, or written anew.
_NOT_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"hIST", b"bKGD", b"sBIT", b"acTL", b"fcTL", b"fdAT", b"eXIf"}
# What says how the numbers are to be shown; metadata is everything else.
_COLOUR = {b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"mDCV", b"cLLI", b"pHYs"}
_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
_CARRIED = (_XMP_KEYWORD, b"Raw profile type exif", b"Raw profile type APP1", b"Raw profile type xmp")

Chunk = tuple[bytes, bytes]


def split(data: bytes) -> list[Chunk]:
    """The chunks [type, content] of a file, up to the first that is damaged."""
    found, position = [], len(SIGNATURE)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind, end = data[position + 4 : position + 8], position + 8 + length
        if end + 4 > len(data):
            break
        found.append((kind, data[position + 8 : end]))
        position = end + 4
    return found


def join(chunks: list[Chunk]) -> bytes:
    """A file of these chunks."""
    return SIGNATURE + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content)) for kind, content in chunks
    )


def kept(source: list[Chunk], *, strip: bool, colour: bool) -> list[Chunk]:
    """The source's chunks that go into the result as they are.

    Args:
        source: all of its chunks.
        strip: leave out what is no colour.
        colour: keep the profile and what else describes the colours.
    """
    return [
        (kind, content)
        for kind, content in source
        if kind not in _NOT_KEPT and not _is_carried(kind, content) and (colour if kind in _COLOUR else not strip)
    ]


def _is_carried(kind: bytes, content: bytes) -> bool:
    """Text chunks that hold what is written anew: XMP, and EXIF in ImageMagick's form."""
    return kind in _TEXTS and content.startswith(_CARRIED)


def assemble(pixels: bytes, others: list[Chunk], exif_block: bytes | None, packet: bytes | None) -> bytes:
    """Puts chunks and metadata into an encoded file.

    Args:
        pixels: a PNG file; its header and pixel chunks are taken.
        others: chunks to keep, from `kept` or made here.
        exif_block: without ``Exif\\0\\0``.
        packet: XMP, UTF-8.
    """
    own = split(pixels)
    said = list(others)
    if packet:
        said.append((b"iTXt", _XMP_KEYWORD + b"\0\0\0\0\0" + packet))
    if exif_block:
        said.append((b"eXIf", exif_block))
    header = [chunk for chunk in own if chunk[0] == b"IHDR"]
    data = [chunk for chunk in own if chunk[0] == b"IDAT"]
    # Colour has to stand before the pixels; what else is said is found sooner there.
    return join([*header, *said, *data, (b"IEND", b"")])


def profile_chunk(icc: bytes) -> Chunk:
    """The ICC profile as a chunk."""
    return b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)


def resolution_chunk(dpi: tuple[float, float]) -> Chunk:
    """The resolution as a chunk: pixels per metre."""
    across, down = (round(value / 0.0254) for value in dpi)
    return b"pHYs", struct.pack(">IIB", across, down, 1)


def iptc_chunk(resources: bytes) -> Chunk:
    """Photoshop resources in the text form that ImageMagick and ExifTool read; PNG has no place of its own for IPTC."""
    lines = [resources[k : k + 36].hex() for k in range(0, len(resources), 36)]
    text = f"\niptc\n{len(resources):8d}\n" + "\n".join(lines) + "\n"
    return b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(text.encode())
