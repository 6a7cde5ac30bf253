"""Tensors as a file describes them, and their making once every claim was held against the bytes that are there."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textedit_core.checkpoints.importers.contract import name_unreadable

STORAGE_DTYPES: dict[str, torch.dtype] = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
MAX_DIMENSIONS = 8


@dataclass
class StorageRef:
    """`numel` numbers of a file: `data` uint8 [bytes] is where they lie, None until the file said so, `crc` their CRC-32 if it is known."""

    dtype: torch.dtype
    numel: int
    data: NDArray[np.uint8] | None = None
    crc: int | None = None
    numbers: Tensor | None = None

    def open(self, path: Path) -> Tensor:
        """The numbers, [numel]; the file's own bytes where they can be used in place.

        Raises:
            UserError: there are fewer bytes than numbers claimed, or the bytes were changed.
        """
        if self.numbers is None:
            wanted = self.numel * self.dtype.itemsize
            if self.data is None or wanted > len(self.data):
                found = 0 if self.data is None else len(self.data)
                raise name_unreadable(path, f"a storage claims {wanted} bytes, but there are {found}; the file is cut short or damaged")
            if self.crc is not None and zlib.crc32(self.data.data) != self.crc:
                raise name_unreadable(path, "the checksum of a storage differs; the file is damaged")
            part = self.data[:wanted]
            aligned = part.flags.writeable and part.ctypes.data % self.dtype.itemsize == 0
            self.numbers = torch.from_numpy(part if aligned else part.copy()).view(self.dtype)
        return self.numbers


@dataclass(frozen=True)
class TensorRef:
    """A view of a storage, as the file describes it; nothing is checked yet."""

    storage: StorageRef
    offset: Any
    size: tuple[Any, ...]
    stride: tuple[Any, ...]

    def tensor(self, path: Path) -> Tensor:
        """The tensor, sharing its storage's memory.

        Raises:
            UserError: the description is malformed, or reaches or repeats beyond what the storage holds.
        """
        plain = (self.offset, *self.size, *self.stride)
        if not all(type(number) is int and number >= 0 for number in plain) or len(self.size) != len(self.stride):
            raise name_unreadable(path, f"a tensor has the size {self.size} and the strides {self.stride}")
        last = self.offset + sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        count = math.prod(self.size)
        if count and (last >= self.storage.numel or count > self.storage.numel or len(self.size) > MAX_DIMENSIONS):
            raise name_unreadable(path, f"a tensor of size {list(self.size)} reaches beyond its {self.storage.numel} numbers")
        return self.storage.open(path).as_strided(self.size, self.stride, self.offset if count else 0)
