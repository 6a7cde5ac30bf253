"""Numpy's containers: one array (.npy), or an archive of named arrays (.npz); what they claim is held against what is there."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textedit_core.checkpoints.importers.contract import name_unreadable

NPY_START = b"\x93NUMPY"
# A compressed archive may claim any size. Latents of 10,000 faces, or the components of PCA, are below this.
MAX_UNPACKED = 1 << 30
_SUFFIX = ".npy"


def is_npz(path: Path) -> bool:
    """Whether a zip archive holds arrays and nothing else."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        return False
    return bool(names) and all(name.endswith(_SUFFIX) for name in names)


def read_npy(path: Path) -> NDArray[np.generic]:
    """Reads one array.

    Raises:
        UserError: it is damaged, cut short or holds Python objects.
    """
    try:
        with path.open("rb") as stream:
            return _array(stream, path.stat().st_size, path, "its array")
    except OSError as error:
        raise name_unreadable(path, f"its array is damaged ({error})") from None


def read_npz(path: Path) -> dict[str, Tensor | NDArray[np.generic]]:
    """Reads an archive of arrays; those of numbers become tensors.

    Raises:
        UserError: it is damaged, unpacks to more than MAX_UNPACKED bytes, or an array is damaged or holds Python objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            total = sum(info.file_size for info in infos)
            if total > MAX_UNPACKED:
                raise name_unreadable(path, f"its arrays claim {total} bytes, more than {MAX_UNPACKED}; save fewer")
            if len({info.filename for info in infos}) != len(infos):
                raise name_unreadable(path, "two of its arrays have one name")
            return {info.filename.removesuffix(_SUFFIX): _entry(archive, info, path) for info in infos}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise name_unreadable(path, f"its zip archive is damaged or cut short ({error})") from None


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Tensor | NDArray[np.generic]:
    # The archive gives no more bytes than the entry claims, whose sum was held against the limit.
    with archive.open(info) as stream:
        data = stream.read(info.file_size)
    array = _array(io.BytesIO(data), len(data), path, f"its array {info.filename!r}")
    return as_tensor(array) if array.dtype.kind in "fiub" else array


def as_tensor(array: NDArray[Any]) -> Tensor:
    """The numbers of an array as a tensor of its own, of torch's nearest dtype."""
    native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    return torch.from_numpy(native.astype(np.float32) if native.dtype.kind == "f" and native.dtype.itemsize > 8 else native.copy())


def _array(stream: BinaryIO, size: int, path: Path, what: str) -> NDArray[np.generic]:
    try:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(stream)
        left = size - stream.tell()
        if dtype.hasobject:
            raise name_unreadable(path, f"{what} holds Python objects, which are pickles; save numbers")
        claimed = int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize
        if claimed > left:
            raise name_unreadable(path, f"{what} claims {claimed} bytes, but {left} are there; the file is cut short or damaged")
        stream.seek(0)
        array: NDArray[np.generic] = np.load(stream, allow_pickle=False)
        return array
    except (ValueError, SyntaxError, EOFError) as error:
        raise name_unreadable(path, f"{what} is damaged ({(str(error).splitlines() or [''])[0]})") from None
