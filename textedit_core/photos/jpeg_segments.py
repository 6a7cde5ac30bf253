"""The segments of a JPEG file: its metadata is exchanged without touching a coefficient."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from textedit_core.photos import exif, photoshop, xmp

EXIF, XMP, ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_MPF = b"MPF\0"
_ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"
_APPLE_GAIN_MAP = b"urn:com:apple:photo:2020:aux:hdrgainmap"
_APP0, _APP1, _APP2, _APP13, _APP14, _APP15, _COMMENT = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xEF, 0xFE
_START_OF_SCAN, _END = 0xDA, 0xD9
# A segment's length field counts itself and has 16 bits.
MOST_BYTES = 65_533
_ICC_CHUNK = MOST_BYTES - 14


@dataclass(frozen=True)
class Segment:
    """One marker segment before the first scan: the marker's second byte and the content without its length."""

    marker: int
    content: bytes

    def __bytes__(self) -> bytes:
        return struct.pack(">BBH", 0xFF, self.marker, len(self.content) + 2) + self.content

    @property
    def is_metadata(self) -> bool:
        """Whether it says something about the picture rather than how it is coded."""
        return _APP0 <= self.marker <= _APP15 or self.marker == _COMMENT


@dataclass(frozen=True)
class JpegFile:
    """A file in three parts: the segments of the header, everything from the first scan to the end mark, and what follows it."""

    header: list[Segment]
    scans: bytes
    trailer: bytes

    def __bytes__(self) -> bytes:
        return b"\xff\xd8" + b"".join(bytes(segment) for segment in self.header) + self.scans + self.trailer


def split(data: bytes) -> JpegFile:
    """Takes a file apart.

    Raises:
        ValueError: it is no JPEG file.
    """
    if data[:2] != b"\xff\xd8":
        raise ValueError("no start of image")
    header, position = [], 2
    while True:
        # Stray bytes between segments and fill bytes before a marker are skipped, as by every decoder.
        position = data.find(b"\xff", position)
        if position < 0 or position + 4 > len(data):
            raise ValueError("its header ends too early")
        if data[position + 1] in (0x00, 0xFF):
            position += 1
            continue
        marker = data[position + 1]
        if marker in (_START_OF_SCAN, _END):
            break
        (length,) = struct.unpack_from(">H", data, position + 2)
        header.append(Segment(marker, data[position + 4 : position + 2 + length]))
        position += 2 + length
    end = _end_of_image(data, position)
    return JpegFile(header, data[position:end], data[end:])


def _end_of_image(data: bytes, position: int) -> int:
    """The offset behind the end mark that belongs to the scans at `position`."""
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            return len(data)
        marker = data[position + 1]
        if marker == _END:
            return position + 2
        # Inside a scan 0xff is followed by 0, by a restart mark or by padding; other segments say how long they are.
        if marker in (0x00, 0xFF) or 0xD0 <= marker <= 0xD7:
            position += 1 if marker == 0xFF else 2
        elif position + 4 <= len(data):
            position += 2 + struct.unpack_from(">H", data, position + 2)[0]
        else:
            return len(data)


def has_gain_map(file: JpegFile) -> bool:
    """Whether a second picture behind the first holds an HDR gain map (Adobe and Android, ISO 21496-1, Apple)."""
    if any(segment.content.startswith(_ISO_GAIN_MAP) for segment in file.header if segment.marker == _APP2):
        return bool(file.trailer)
    named = any(xmp.names_gain_map(segment.content) for segment in file.header if segment.marker == _APP1)
    return bool(file.trailer) and (named or _APPLE_GAIN_MAP in file.trailer or xmp.names_gain_map(file.trailer))


def is_multi_picture(file: JpegFile) -> bool:
    """Whether pictures of equal standing follow the first (CIPA DC-007): other views, a large preview."""
    return bool(file.trailer) and index_start(file.header) > 0 and not has_gain_map(file)


def without_metadata(file: JpegFile) -> bytes:
    """The first picture alone, with what its decoding needs and its resolution and profile: readers of damaged metadata fail."""
    kept = kept_segments(file.header, strip=True, colour=True, gain_map=False)
    return bytes(JpegFile(kept + [segment for segment in file.header if not segment.is_metadata], file.scans, b""))


def content_of(file: JpegFile, prefix: bytes) -> bytes | None:
    """The content of the first APP1 segment with this prefix, without it."""
    found = (s.content for s in file.header if s.marker == _APP1 and s.content.startswith(prefix))
    content = next(found, None)
    return None if content is None else content[len(prefix) :]


def photoshop_resources(file: JpegFile) -> bytes | None:
    """The Photoshop resources of a file, without their previews; None where there are none."""
    parts = [s.content[len(photoshop.PREFIX) :] for s in file.header if _is_resources(s)]
    return photoshop.without_previews(b"".join(parts)) or None


def kept_segments(header: list[Segment], *, strip: bool, colour: bool, gain_map: bool) -> list[Segment]:
    """The source's metadata segments that go into the result as they are: those that no function here writes anew.

    Args:
        header: the source's.
        strip: keep only what the picture needs to be decoded and shown rightly: JFIF, Adobe's colour mark and the ICC profile.
        colour: keep the ICC profile.
        gain_map: keep the index of the pictures behind the first.
    """
    kept = []
    for segment in header:
        content, marker = segment.content, segment.marker
        is_profile = marker == _APP2 and content.startswith(ICC)
        is_index = marker == _APP2 and content.startswith((_MPF, _ISO_GAIN_MAP))
        is_rewritten = (marker == _APP1 and content.startswith((EXIF, XMP))) or _is_resources(segment)
        is_needed = (marker == _APP0 and content.startswith(b"JFIF")) or marker == _APP14
        if is_needed or (is_profile and colour) or (is_index and gain_map):
            kept.append(segment)
        elif segment.is_metadata and not (strip or is_profile or is_index or is_rewritten):
            kept.append(segment)
    # An extension of the packet means nothing without it.
    has_packet = any(s.marker == _APP1 and s.content.startswith(XMP) for s in header)
    return [s for s in kept if has_packet or not s.content.startswith(_EXTENDED_XMP)]


def _is_resources(segment: Segment) -> bool:
    return segment.marker == _APP13 and segment.content.startswith(photoshop.PREFIX)


def with_metadata(
    kept: list[Segment], exif_block: bytes | None, packet: bytes | None, resources: bytes | None
) -> tuple[list[Segment], list[str]]:
    """Puts EXIF, XMP and IPTC where readers expect them: behind JFIF, before the rest.

    Returns:
        The segments, and the name of each part that is too long for one.
    """
    parts = {
        "EXIF": (_APP1, exif.PREFIX, exif_block),
        "XMP": (_APP1, XMP, packet),
        "IPTC": (_APP13, photoshop.PREFIX, resources),
    }
    made, too_long = [], []
    for name, (marker, prefix, content) in parts.items():
        if content and len(prefix) + len(content) <= MOST_BYTES:
            made.append(Segment(marker, prefix + content))
        elif content:
            too_long.append(name)
    first = [segment for segment in kept if segment.marker == _APP0]
    return first + made + [segment for segment in kept if segment.marker != _APP0], too_long


def moved_index(segments: list[Segment], old_size: int, new_size: int, old_start: int, new_start: int) -> list[Segment]:
    """Corrects the multi-picture index (CIPA DC-007) after the first picture has changed its length.

    Args:
        segments: the result's.
        old_size, new_size: bytes of the first picture up to its end mark.
        old_start, new_start: offset in the file of the byte order mark inside the index.
    """
    shift = (new_size - new_start) - (old_size - old_start)
    return [
        Segment(s.marker, _MPF + _moved(s.content[len(_MPF) :], new_size, shift)) if s.marker == _APP2 and s.content.startswith(_MPF) else s
        for s in segments
    ]


def index_start(segments: list[Segment]) -> int:
    """Offset in the file of the byte order mark of the multi-picture index; 0 where there is none."""
    position = 2
    for segment in segments:
        if segment.marker == _APP2 and segment.content.startswith(_MPF):
            return position + 4 + len(_MPF)
        position += 4 + len(segment.content)
    return 0


def _moved(index: bytes, size: int, shift: int) -> bytes:
    order = "<" if index[:2] == b"II" else ">"
    result = bytearray(index)
    (first,) = struct.unpack_from(f"{order}I", index, 4)
    (count,) = struct.unpack_from(f"{order}H", index, first)
    for k in range(count):
        tag, _, length, offset = struct.unpack_from(f"{order}HHII", index, first + 2 + 12 * k)
        for entry in range(offset, offset + length, 16) if tag == 0xB002 else ():
            if entry == offset:
                struct.pack_into(f"{order}I", result, entry + 4, size)
            else:
                (start,) = struct.unpack_from(f"{order}I", index, entry + 8)
                struct.pack_into(f"{order}I", result, entry + 8, start + shift)
    return bytes(result)
