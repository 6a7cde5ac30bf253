"""Photoshop's image resources ("8BIM" blocks), in which JPEG and TIFF carry IPTC."""

from __future__ import annotations

import struct

PREFIX = b"Photoshop 3.0\0"
_IPTC = 0x0404
# Previews of the picture as it was: Photoshop 4 (BGR) and Photoshop 5 (RGB).
_PREVIEWS = (0x0409, 0x040C)
_SIGNATURE = b"8BIM"


def resources(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Reads the blocks [number, Pascal name with padding, content] up to the first that is damaged; never raises."""
    found, position = [], 0
    while data[position : position + 4] == _SIGNATURE and position + 7 <= len(data):
        (number,) = struct.unpack_from(">H", data, position + 4)
        name_size = 1 + data[position + 6]
        name_size += name_size % 2
        start = position + 6 + name_size
        if start + 4 > len(data):
            break
        (size,) = struct.unpack_from(">I", data, start)
        if start + 4 + size > len(data):
            break
        found.append((number, data[position + 6 : start], data[start + 4 : start + 4 + size]))
        position = start + 4 + size + size % 2
    return found


def iptc_of(data: bytes) -> bytes | None:
    """The IPTC data sets inside the resources, or None."""
    return next((content for number, _, content in resources(data) if number == _IPTC), None)


def without_previews(data: bytes) -> bytes:
    """The resources without embedded previews, which show the face as it was."""
    return b"".join(_block(*resource) for resource in resources(data) if resource[0] not in _PREVIEWS)


def with_iptc(iptc: bytes) -> bytes:
    """Resources that hold IPTC and nothing else."""
    return _block(_IPTC, b"\0\0", iptc)


def _block(number: int, name: bytes, content: bytes) -> bytes:
    return _SIGNATURE + struct.pack(">H", number) + name + struct.pack(">I", len(content)) + content + b"\0" * (len(content) % 2)
