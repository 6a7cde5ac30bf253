"""Tensors as the bundle stores them: raw little-endian float32 in C order, so that every language reads them without a library."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from textedit_core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

BYTES_PER_NUMBER = 4


def write_tensor(path: Path, value: Tensor) -> None:
    """Writes a float32 tensor of any shape; folders are made as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(value.detach().numpy().astype("<f4").tobytes())


def read_tensor(path: Path, shape: tuple[int, ...]) -> Tensor:
    """Reads float32 numbers into a shape.

    Raises:
        UserError: the file does not hold exactly this shape.
    """
    import numpy as np
    import torch

    raw = path.read_bytes()
    if len(raw) != BYTES_PER_NUMBER * math.prod(shape):
        raise UserError(f"{path.name} has {len(raw)} bytes; shape {list(shape)} takes {BYTES_PER_NUMBER * math.prod(shape)}")
    return torch.from_numpy(np.frombuffer(raw, dtype="<f4").astype(np.float32).reshape(shape))
