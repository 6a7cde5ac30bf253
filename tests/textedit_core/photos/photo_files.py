"""Small photos of every kind, made here: profiles, EXIF, XMP, and an edit that changes a known box."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageDraw

SIZE = (72, 56)
# What the edit changes, in upright pixels: left, top, right, bottom.
BOX = (19, 17, 45, 41)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="of the test"/></rdf:RDF></x:xmpmeta>'
)
# IIM record 2, data set 80 (by-line): tag marker, record, data set, length, value.
IPTC = b"\x1c\x02\x50\x00\x06Author"
# Display P3, as in SMPTE EG 432-1: primaries adapted to D50, columns red, green, blue.
_P3_D50 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))


def scene(size: tuple[int, int] = SIZE) -> Image.Image:
    """A smooth, colourful RGB picture with some hard edges."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    image = Image.fromarray((np.stack([40 + 180 * x, 60 + 120 * y, 200 - 150 * x * y], -1)).astype(np.uint8))
    ImageDraw.Draw(image).rectangle((3, 3, 14, 12), fill=(230, 30, 30))
    return image


def edited(image: Image.Image, box: tuple[int, int, int, int] = BOX) -> Image.Image:
    """The picture with something else in the box and nothing else changed."""
    result = image.copy()
    ImageDraw.Draw(result).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=(150, 110, 90))
    return result


def outside(shape: tuple[int, ...], box: tuple[int, int, int, int] = BOX) -> NDArray[np.bool_]:
    """True outside the box."""
    mask = np.ones(shape[:2], np.bool_)
    mask[box[1] : box[3], box[0] : box[2]] = False
    return mask


def display_p3() -> bytes:
    """A matrix profile with the primaries of Display P3 and a gamma of 2.2."""
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256))
    tags = {name: _xyz(column) for name, column in zip(names, _P3_D50, strict=True)}
    tags |= {b"wtpt": _xyz((0.9642, 1.0, 0.8249)), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    return _profile(b"mntrRGB XYZ ", tags)


def grey_gamma(gamma: float) -> bytes:
    """A grey profile of one gamma."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    return _profile(b"mntrGRAYXYZ ", {b"wtpt": _xyz((0.9642, 1.0, 0.8249)), b"kTRC": curve})


def press_cmyk() -> bytes:
    """A press that prints darker than its numbers say, described in one direction only (from ink to Lab)."""
    levels = np.linspace(0.0, 1.0, 5) ** 0.7
    c, m, y, k = np.meshgrid(levels, levels, levels, levels, indexing="ij")
    light = (1 - 0.95 * k) * np.stack([1 - c, 1 - m, 1 - y], -1).prod(-1) ** (1 / 3)
    lab = np.stack([255 * light, 128 + 60 * (m - c) * (1 - k), 128 + 60 * (y - (c + m) / 2) * (1 - k)], -1)
    ramp = bytes(range(256))
    identity = b"".join(struct.pack(">i", 65536 * (k % 4 == 0)) for k in range(9))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 5, 0]) + identity + ramp * 4 + lab.round().clip(0, 255).astype(np.uint8).tobytes() + ramp * 3
    return _profile(b"prtrCMYKLab ", {b"wtpt": _xyz((0.9642, 1.0, 0.8249)), b"A2B0": table})


def srgb() -> bytes:
    """Little CMS's own sRGB profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int = 1, thumbnail: Image.Image | None = None) -> bytes:
    """A block as a camera writes it, without prefix: maker, date, resolution, exposure, maker note, place, thumbnail."""
    made = Image.Exif()
    made[0x0112], made[0x010F], made[0x0132] = orientation, "Maker", "2024:01:02 03:04:05"
    made[0x011A] = made[0x011B] = 300.0
    inner = made.get_ifd(0x8769)
    inner[0x9003], inner[0x829A], inner[0x927C] = "2024:01:02 03:04:05", 0.01, bytes(range(40))
    made.get_ifd(0x8825)[1] = "N"
    block = made.tobytes().removeprefix(b"Exif\0\0")
    return block if thumbnail is None else _with_thumbnail(block, thumbnail)


def save(path: Path, image: Image.Image, **options: object) -> Path:
    """Saves with Pillow and returns the path."""
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def photoshop_segment() -> bytes:
    """A JPEG APP13 segment with IPTC and a preview (resource 0x040c)."""
    resources = b""
    for number, content in ((0x0404, IPTC), (0x040C, b"old face")):
        resources += b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + b"\0" * (len(content) % 2)
    content = b"Photoshop 3.0\0" + resources
    return b"\xff\xed" + struct.pack(">H", len(content) + 2) + content


def _with_thumbnail(block: bytes, thumbnail: Image.Image) -> bytes:
    """Adds a second directory whose tags 0x0201 and 0x0202 point to a JPEG."""
    stream = io.BytesIO()
    thumbnail.save(stream, "JPEG")
    order = "<" if block[:2] == b"II" else ">"
    (first,) = struct.unpack_from(f"{order}I", block, 4)
    (count,) = struct.unpack_from(f"{order}H", block, first)
    at = len(block) + len(block) % 2
    padded = bytearray(block.ljust(at, b"\0"))
    struct.pack_into(f"{order}I", padded, first + 2 + 12 * count, at)
    data = stream.getvalue()
    entries = [(0x0103, 3, 6), (0x0201, 4, at + 2 + 36 + 4), (0x0202, 4, len(data))]
    directory = struct.pack(f"{order}H", 3)
    for tag, kind, value in entries:
        directory += struct.pack(f"{order}HHIHH" if kind == 3 else f"{order}HHII", tag, kind, 1, *((value, 0) if kind == 3 else (value,)))
    return bytes(padded) + directory + bytes(4) + data


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _profile(kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    """ICC.1:2001: header, tag table, tags."""
    tags = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78), b"cprt": b"text\0\0\0\0none\0", **tags}
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    white = b"".join(struct.pack(">i", round(value * 65536)) for value in (0.9642, 1.0, 0.8249))
    head = struct.pack(">I4sI", at + len(body), b"test", 0x02400000) + kind + struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    return (head + white).ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
