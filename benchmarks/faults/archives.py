"""Zips of a bundle with one thing wrong. Unlike a folder, a zip has bytes that mean nothing, so that some damage does no harm."""

from __future__ import annotations

import io
import random
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults.mutants import Files
from export.bundle_files import MAX_FILES

Members = list[tuple[zipfile.ZipInfo, bytes]]
_HOSTILE_NAMES = ("../{0}", "/{0}", "a/../../{0}", "C:\\{0}", "a\\..\\{0}", "./{0}", "{0}:stream", "..")
_BOMB_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Archive:
    """A zip: what is wrong with it, its bytes, and whether the damage may be where nobody looks."""

    name: str
    raw: bytes
    may_be_harmless: bool = False

    def write(self, path: Path) -> Path:
        """Writes the file and returns its path."""
        path.write_bytes(self.raw)
        return path


def damaged(files: Files, rng: random.Random) -> Archive:
    """A zip of these files with one thing wrong, each kind as likely."""
    kind = rng.choice(sorted(DAMAGES))
    return Archive(kind, DAMAGES[kind](_members(files), rng), kind in _MAY_BE_HARMLESS)


def _members(files: Files) -> Members:
    members = []
    for path in sorted(files):
        info = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
        info.external_attr = (stat.S_IFREG | 0o644) << 16
        members.append((info, files[path]))
    return members


def _zipped(members: Members) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive, warnings.catch_warnings():
        # A member twice is what some of these are about.
        warnings.simplefilter("ignore", UserWarning)
        for info, raw in members:
            archive.writestr(info, raw)
    return stream.getvalue()


def _flips(members: Members, rng: random.Random) -> bytes:
    raw = bytearray(_zipped(members))
    for position in rng.sample(range(len(raw)), rng.choice((1, 1, 2, 16))):
        raw[position] ^= 1 << rng.randrange(8)
    return bytes(raw)


def _flipped_directory(members: Members, rng: random.Random) -> bytes:
    """Where a reader believes what it reads: names, sizes, places and kinds of the members."""
    raw = bytearray(_zipped(members))
    start = raw.index(b"PK\x01\x02")
    for position in rng.sample(range(start, len(raw)), rng.choice((1, 2, 4))):
        raw[position] = rng.randrange(256)
    return bytes(raw)


def _cut(members: Members, rng: random.Random) -> bytes:
    raw = _zipped(members)
    return raw[: rng.randrange(len(raw))]


def _hostile_name(members: Members, rng: random.Random) -> bytes:
    info, raw = rng.choice(members)
    evil = zipfile.ZipInfo(rng.choice(_HOSTILE_NAMES).format(info.filename))
    # ZipInfo cuts names at a zero byte and turns separators round; a hostile writer does not.
    evil.external_attr = info.external_attr
    return _zipped([*members, (evil, raw)])


def _link(members: Members, rng: random.Random) -> bytes:
    info, _ = rng.choice(members)
    info.external_attr = (rng.choice((stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK)) | 0o777) << 16
    return _zipped([(each, b"/etc/passwd" if each is info else raw) for each, raw in members])


def _compressed(members: Members, rng: random.Random) -> bytes:
    info, _ = rng.choice(members)
    info.compress_type = rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    return _zipped(members)


def _bomb(members: Members, rng: random.Random) -> bytes:
    evil = zipfile.ZipInfo("models/bomb.bin")
    evil.compress_type = zipfile.ZIP_DEFLATED
    return _zipped([*members, (evil, bytes(_BOMB_BYTES))])


def _claimed(members: Members, rng: random.Random) -> bytes:
    """A member that says it is larger than the whole archive."""
    raw = bytearray(_zipped(members))
    entry = raw.index(b"PK\x01\x02")
    # Compressed and uncompressed size in a directory entry.
    size = rng.choice((2**31, 2**32 - 2, len(raw) + 1))
    raw[entry + 20 : entry + 28] = struct.pack("<II", size, size)
    return bytes(raw)


def _overlapping(members: Members, rng: random.Random) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for info, raw in members:
            archive.writestr(info, raw)
        largest = max(archive.filelist, key=lambda each: each.file_size)
        for number in range(len(members) * 4):
            clone = zipfile.ZipInfo(f"models/twin{number}")
            clone.file_size = clone.compress_size = largest.file_size
            clone.header_offset, clone.CRC = largest.header_offset, largest.CRC
            archive.filelist.append(clone)
    return stream.getvalue()


def _twice(members: Members, rng: random.Random) -> bytes:
    info, raw = rng.choice(members)
    twin = zipfile.ZipInfo(rng.choice((info.filename, info.filename.swapcase())))
    twin.external_attr = info.external_attr
    return _zipped([*members, (twin, raw)])


def _encrypted(members: Members, rng: random.Random) -> bytes:
    raw = bytearray(_zipped(members))
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    return bytes(raw)


def _crowded(members: Members, rng: random.Random) -> bytes:
    return _zipped([*members, *((zipfile.ZipInfo(f"models/{number}"), b"") for number in range(MAX_FILES))])


def _no_zip(members: Members, rng: random.Random) -> bytes:
    return rng.choice((b"", b"PK\x05\x06" + bytes(18), b"PK\x03\x04", rng.randbytes(rng.randrange(4096))))


DAMAGES: dict[str, Callable[[Members, random.Random], bytes]] = {
    "flipped bits": _flips,
    "changed bytes of the directory": _flipped_directory,
    "a cut": _cut,
    "an unsafe name": _hostile_name,
    "a link or special file": _link,
    "a compressed member": _compressed,
    "a compression bomb": _bomb,
    "a claimed size": _claimed,
    "overlapping members": _overlapping,
    "a member twice": _twice,
    "an encrypted member": _encrypted,
    "too many members": _crowded,
    "no zip": _no_zip,
}
_MAY_BE_HARMLESS = frozenset({"flipped bits", "changed bytes of the directory"})
