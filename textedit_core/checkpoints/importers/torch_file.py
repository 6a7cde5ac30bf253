"""The containers of torch.save: the zip archive (also TorchScript's), the older stream of pickles, a bare pickle with tensors inside."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textedit_core.checkpoints.importers.contract import Container, name_unreadable
from textedit_core.checkpoints.importers.safe_unpickle import materialise, run
from textedit_core.checkpoints.importers.stored_tensor import STORAGE_DTYPES, StorageRef

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
LEGACY_START = b"\x80\x02\x8a\x0a" + LEGACY_MAGIC.to_bytes(10, "little") + b"."
_LOCAL_HEADER = struct.Struct("<4s22xHH")


def read_zip(path: Path) -> tuple[Container, Any]:
    """Reads what torch.save or torch.jit.save wrote.

    Raises:
        UserError: the archive is damaged, its entries claim more than the file holds, or its pickle names a forbidden global.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _checked_entries(archive, path)
            pickles = [name for name in entries if name.count("/") == 1 and name.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise name_unreadable(path, f"it is a zip archive without a torch pickle; it holds {', '.join(list(entries)[:3])}")
            root = pickles[0].partition("/")[0]
            if f"{root}/byteorder" in entries and archive.read(f"{root}/byteorder") != b"little":
                raise name_unreadable(path, "its numbers are big-endian; save it again on an ordinary machine")
            program = archive.read(pickles[0])
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError, struct.error) as error:
        raise name_unreadable(path, f"its zip archive is damaged or cut short ({error})") from None
    storages = _ZipStorages(path, {name.removeprefix(f"{root}/data/"): info for name, info in entries.items()})
    value = materialise(run(io.BytesIO(program), path, storages), path)
    return ("torchscript" if f"{root}/constants.pkl" in entries else "torch"), value


def _checked_entries(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    # The program of a scripted network may be compressed. It is left alone.
    infos = [info for info in archive.infolist() if "/code/" not in info.filename]
    total, size = sum(info.file_size for info in infos), path.stat().st_size
    if total > size:
        raise name_unreadable(path, f"its entries claim {total} bytes, but the file has {size}")
    for info in infos:
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise name_unreadable(path, f"its entry {info.filename!r} is compressed; torch.save does not compress")
    entries = {info.filename: info for info in infos}
    if len(entries) != len(infos):
        raise name_unreadable(path, "two of its entries have one name")
    return entries


class _ZipStorages:
    """Finds the storage that a persistent id names: ("storage", class, key, device, numel)."""

    def __init__(self, path: Path, entries: dict[str, zipfile.ZipInfo]) -> None:
        self._path, self._entries = path, entries
        self._file: NDArray[np.uint8] = np.memmap(path, np.uint8, "c")
        self._found: dict[str, StorageRef] = {}

    def __call__(self, pid: Any) -> StorageRef:
        dtype_name, key, numel = _storage_id(pid, self._path)
        if key not in self._found:
            if key not in self._entries:
                raise name_unreadable(self._path, f"its storage {key!r} is missing; the file is cut short or damaged")
            info = self._entries[key]
            self._found[key] = StorageRef(STORAGE_DTYPES[dtype_name], numel, self._bytes(info), info.CRC)
        return self._found[key]

    def _bytes(self, info: zipfile.ZipInfo) -> NDArray[np.uint8]:
        header = self._file[info.header_offset : info.header_offset + _LOCAL_HEADER.size].tobytes()
        if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            raise name_unreadable(self._path, f"its entry {info.filename!r} is not where the archive says")
        _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        start = info.header_offset + _LOCAL_HEADER.size + name_length + extra_length
        return self._file[start : start + info.file_size]


def _storage_id(pid: Any, path: Path) -> tuple[str, str, int]:
    if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or str(pid[1]) not in STORAGE_DTYPES:
        raise name_unreadable(path, f"it names an unknown storage {str(pid)[:100]}")
    if type(pid[4]) is not int or pid[4] < 0:
        raise name_unreadable(path, f"a storage claims {pid[4]!r} numbers")
    return str(pid[1]), str(pid[2]), pid[4]


def read_legacy(path: Path) -> Any:
    """Reads the stream of pickles that torch.save wrote before version 1.6.

    Raises:
        UserError: the stream is damaged or cut short, or names a forbidden global.
    """
    return materialise(_legacy_value(np.memmap(path, np.uint8, "c"), path), path)


def read_pickle(path: Path) -> Any:
    """Reads a bare pickle, such as NVIDIA's network files.

    Raises:
        UserError: the pickle is damaged or cut short, or names a forbidden global.
    """
    return materialise(run(io.BytesIO(path.read_bytes()), path, None, lambda data: _inner_storage(data, path)), path)


def _inner_storage(data: Any, path: Path) -> StorageRef:
    """A storage that lies inside a pickle as the bytes of a stream of its own."""
    if not isinstance(data, bytes) or not data.startswith(LEGACY_START):
        raise name_unreadable(path, "a tensor inside it is not of the form that torch pickles")
    value = _legacy_value(np.frombuffer(data, np.uint8), path)
    if not isinstance(value, StorageRef):
        raise name_unreadable(path, "a tensor inside it holds no storage")
    return value


def _legacy_value(data: NDArray[np.uint8], path: Path) -> Any:
    storages: dict[str, StorageRef] = {}

    def storage_of(pid: Any) -> StorageRef:
        dtype_name, key, numel = _storage_id(pid, path)
        if len(pid) > 5 and pid[5] is not None:
            raise name_unreadable(path, f"its storage {key!r} is a view of another; load it with an old PyTorch and save it again")
        return storages.setdefault(key, StorageRef(STORAGE_DTYPES[dtype_name], numel))

    stream = io.BytesIO(data.tobytes())
    # Magic number, protocol, system, the object itself, and the order of its storages.
    values = [run(stream, path, storage_of) for _ in range(5)]
    if values[0] != LEGACY_MAGIC or values[1] != LEGACY_PROTOCOL or not _is_little_endian(values[2]):
        raise name_unreadable(path, "its header is not that of a torch file, or of a big-endian machine")
    _place_storages(data, stream.tell(), values[4], storages, path)
    return values[3]


def _is_little_endian(system: Any) -> bool:
    return isinstance(system, dict) and system.get("little_endian") is True


def _place_storages(data: NDArray[np.uint8], position: int, keys: Any, storages: dict[str, StorageRef], path: Path) -> None:
    if not isinstance(keys, list) or {str(key) for key in keys} != set(storages):
        raise name_unreadable(path, "its list of storages differs from those that its tensors use")
    for key in map(str, keys):
        header = data[position : position + 8].tobytes()
        if len(header) < 8:
            raise name_unreadable(path, f"it ends before its storage {key!r}; it is cut short")
        numel = int.from_bytes(header, "little")
        storage = storages[key]
        size = numel * storage.dtype.itemsize
        if numel != storage.numel or size > len(data) - position - 8:
            raise name_unreadable(path, f"its storage {key!r} claims {size} bytes, but {len(data) - position - 8} are left")
        storage.data = data[position + 8 : position + 8 + size]
        position += 8 + size
