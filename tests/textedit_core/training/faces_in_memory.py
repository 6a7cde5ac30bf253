"""A dataset of noise faces that never touches a disk, for tests of stages that read images and hashes alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from textedit_core.pixels import PixelSpec


class FacesInMemory:
    """`count` noise faces of `size` px with the attributes of a FaceDataset that editors use."""

    def __init__(self, count: int, size: int = 32, seed: int = 0) -> None:
        self.folder, self.pixel = Path("memory"), PixelSpec(size=size)
        self._array = np.random.default_rng(seed).integers(0, 256, (count, 3, size, size), dtype=np.uint8)
        self.labels = [{"sha256": hashlib.sha256(face.tobytes()).hexdigest()} for face in self._array]
        self.reads = 0

    def __len__(self) -> int:
        return len(self._array)

    def of_every_style(self) -> FacesInMemory:
        return self

    def images(self, indices: Tensor | list[int]) -> Tensor:
        """float32 [B,3,S,S] in [-1,1]."""
        self.reads += 1
        return self.pixel.from_uint8(torch.from_numpy(self._array[np.asarray(indices)]))
