"""The structure of TIFF 6.0, which EXIF 2.32 shares: directories of typed fields. A tree in memory, read tolerantly and written strictly.

Why not a library: Pillow reads the values and writes them again, which moves a maker note away from the place that its own offsets
count on, and one malformed value fails the whole block. Here a field is its bytes, and what cannot be read is left out singly.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

# Bytes of one value by field type, TIFF 6.0 section 2; 129 is the UTF-8 of EXIF 3.0.
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, UTF8 = 1, 2, 3, 4, 5, 7, 129
EXIF_POINTER, GPS_POINTER, INTEROP_POINTER = 0x8769, 0x8825, 0xA005
MAKER_NOTE = 0x927C
THUMBNAIL_OFFSET, THUMBNAIL_LENGTH = 0x0201, 0x0202
_CHILDREN = (EXIF_POINTER, GPS_POINTER, INTEROP_POINTER)
_HEADERS = {b"II*\0": "<", b"MM\0*": ">"}
_ENTRY = 12


@dataclass(frozen=True)
class Field:
    """One tag's value: TIFF type code and the raw bytes in the block's byte order."""

    kind: int
    data: bytes

    @property
    def count(self) -> int:
        """How many values of the type the bytes hold."""
        return len(self.data) // SIZES[self.kind]


@dataclass
class Directory:
    """One image file directory: fields by tag, and the directories that its pointer tags lead to."""

    fields: dict[int, Field] = field(default_factory=dict)
    children: dict[int, Directory] = field(default_factory=dict)
    # Data that a field of offsets points to, by the field's tag: strips of pixels, a thumbnail.
    blobs: dict[int, list[bytes]] = field(default_factory=dict)


@dataclass
class TiffBlock:
    """A TIFF file or an EXIF block without its ``Exif\\0\\0`` prefix."""

    order: str = "<"
    main: Directory = field(default_factory=Directory)
    thumbnail: Directory | None = None
    maker_note_at: int | None = None

    def numbers(self, value: Field) -> tuple[int, ...]:
        """The values of a field of BYTE, SHORT or LONG; empty for every other type."""
        code = {BYTE: "B", SHORT: "H", LONG: "I"}.get(value.kind)
        return struct.unpack(f"{self.order}{value.count}{code}", value.data) if code else ()

    def short(self, *values: int) -> Field:
        """A field of SHORTs."""
        return Field(SHORT, struct.pack(f"{self.order}{len(values)}H", *values))

    def long(self, *values: int) -> Field:
        """A field of LONGs."""
        return Field(LONG, struct.pack(f"{self.order}{len(values)}I", *values))


def parse(data: bytes) -> tuple[TiffBlock | None, list[str]]:
    """Reads a block; never raises.

    Returns:
        The block, or None where not even the header can be read; and a name for each field that was left out.
    """
    order = _HEADERS.get(data[:4])
    if order is None or len(data) < 8:
        return None, ["header"]
    reader = _Reader(data, order)
    block = TiffBlock(order)
    first = reader.directory(reader.long_at(4))
    if first is None:
        return None, [*reader.dropped, "first directory"]
    block.main = first
    if reader.next_offset:
        block.thumbnail = reader.directory(reader.next_offset)
    block.maker_note_at = reader.maker_note_at
    return block, reader.dropped


class _Reader:
    def __init__(self, data: bytes, order: str) -> None:
        self.data, self.order = data, order
        self.dropped: list[str] = []
        self.maker_note_at: int | None = None
        self.next_offset = 0
        self._seen: set[int] = set()

    def long_at(self, position: int) -> int:
        return struct.unpack_from(f"{self.order}I", self.data, position)[0]

    def directory(self, offset: int) -> Directory | None:
        """The directory at an offset; None where none can be. A loop of pointers ends at the second visit."""
        if offset in self._seen or not 8 <= offset <= len(self.data) - 2:
            return None
        self._seen.add(offset)
        (count,) = struct.unpack_from(f"{self.order}H", self.data, offset)
        found = Directory()
        inside = min(count, (len(self.data) - offset - 2) // _ENTRY)
        if inside < count:
            self.dropped.append(f"{count - inside} of {count} tags")
        for k in range(inside):
            self._entry(found, offset + 2 + _ENTRY * k)
        after = offset + 2 + _ENTRY * count
        self.next_offset = self.long_at(after) if after + 4 <= len(self.data) else 0
        self._thumbnail(found)
        return found

    def _entry(self, found: Directory, position: int) -> None:
        tag, kind, count = struct.unpack_from(f"{self.order}HHI", self.data, position)
        size = SIZES.get(kind, 0) * count
        start = position + 8 if size <= 4 else self.long_at(position + 8)
        if size == 0 or start + size > len(self.data) or tag in found.fields:
            self.dropped.append(f"tag 0x{tag:04x}")
            return
        value = Field(kind, self.data[start : start + size])
        if tag in _CHILDREN:
            self._child(found, tag, value)
            return
        if tag == MAKER_NOTE and size > 4:
            self.maker_note_at = start
        found.fields[tag] = value

    def _child(self, found: Directory, tag: int, value: Field) -> None:
        following = self.next_offset
        child = self.directory(self.long_at_of(value)) if value.kind in (LONG, 13) and value.count == 1 else None
        self.next_offset = following
        if child is None:
            self.dropped.append(f"tag 0x{tag:04x}")
        else:
            found.children[tag] = child

    def long_at_of(self, value: Field) -> int:
        return struct.unpack(f"{self.order}I", value.data)[0]

    def _thumbnail(self, found: Directory) -> None:
        offset, length = found.fields.pop(THUMBNAIL_OFFSET, None), found.fields.pop(THUMBNAIL_LENGTH, None)
        if offset is None or length is None or {offset.kind, length.kind} != {LONG} or offset.count != 1 or length.count != 1:
            return
        start, size = self.long_at_of(offset), self.long_at_of(length)
        if 0 < size <= len(self.data) - start:
            found.blobs[THUMBNAIL_OFFSET] = [self.data[start : start + size]]


def serialise(block: TiffBlock) -> bytes:
    """Writes a block; a maker note comes to lie where it lay, because its own offsets often count from the block's start."""
    space = _Space(block.order)
    note = _maker_note(block)
    if note is not None and block.maker_note_at is not None and block.maker_note_at >= 8:
        space.reserve(block.maker_note_at, note.data)
    directories = [block.main] if block.thumbnail is None else [block.main, block.thumbnail]
    link: Callable[[int], None] = space.header
    for directory in directories:
        link = _write(space, directory, link, None if note is None else block.maker_note_at)
    return bytes(space.data)


def _maker_note(block: TiffBlock) -> Field | None:
    for directory in _walk(block.main):
        if MAKER_NOTE in directory.fields and len(directory.fields[MAKER_NOTE].data) > 4:
            return directory.fields[MAKER_NOTE]
    return None


def _walk(directory: Directory) -> Iterator[Directory]:
    yield directory
    for child in directory.children.values():
        yield from _walk(child)


class _Space:
    """The growing block: places are given out in order, around the one that is reserved."""

    def __init__(self, order: str) -> None:
        self.order = order
        self.data = bytearray({"<": b"II*\0", ">": b"MM\0*"}[order] + bytes(4))
        self._cursor = 8
        self._reserved = (0, 0)

    def header(self, offset: int) -> None:
        self.patch(4, offset)

    def patch(self, position: int, value: int) -> None:
        struct.pack_into(f"{self.order}I", self.data, position, value)

    def reserve(self, start: int, content: bytes) -> None:
        self._reserved = (start, start + len(content))
        self._grow(self._reserved[1])
        self.data[start : start + len(content)] = content

    def place(self, content: bytes) -> int:
        # Values begin on even offsets, TIFF 6.0 section 2.
        start = self._cursor + self._cursor % 2
        if start < self._reserved[1] and start + len(content) > self._reserved[0]:
            start = self._reserved[1] + self._reserved[1] % 2
        self._grow(start + len(content))
        self.data[start : start + len(content)] = content
        self._cursor = start + len(content)
        return start

    def _grow(self, size: int) -> None:
        self.data.extend(bytes(max(0, size - len(self.data))))


def _write(space: _Space, directory: Directory, link: Callable[[int], None], note_at: int | None) -> Callable[[int], None]:
    """Writes one directory, hands its offset to `link`, and returns what takes the offset of the next directory."""
    # Positions of values that are offsets are known only when the entries have a place.
    entries = {**directory.fields}
    offsets: dict[int, list[int]] = {tag: [0] for tag in directory.children} | {tag: [0] * len(b) for tag, b in directory.blobs.items()}
    if THUMBNAIL_OFFSET in directory.blobs:
        length = len(directory.blobs[THUMBNAIL_OFFSET][0])
        entries[THUMBNAIL_LENGTH] = Field(LONG, struct.pack(f"{space.order}I", length))
    tags = sorted([*entries, *offsets])
    start = space.place(struct.pack(f"{space.order}H", len(tags)) + bytes(_ENTRY * len(tags) + 4))
    link(start)
    for tag, blobs in directory.blobs.items():
        offsets[tag] = [space.place(blob) for blob in blobs]
    for k, tag in enumerate(tags):
        position = start + 2 + _ENTRY * k
        value = entries.get(tag) or Field(LONG, struct.pack(f"{space.order}{len(offsets[tag])}I", *offsets[tag]))
        struct.pack_into(f"{space.order}HHI", space.data, position, tag, value.kind, value.count)
        if len(value.data) <= 4:
            space.data[position + 8 : position + 8 + len(value.data)] = value.data
        else:
            space.patch(position + 8, note_at if tag == MAKER_NOTE and note_at is not None else space.place(value.data))
    for tag, child in directory.children.items():
        place = start + 2 + _ENTRY * tags.index(tag) + 8
        _write(space, child, lambda offset, place=place: space.patch(place, offset), note_at)  # type: ignore[misc]
    end = start + 2 + _ENTRY * len(tags)
    return lambda offset: space.patch(end, offset)
