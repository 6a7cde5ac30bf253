"""Images by row, on the device that trains: all of them as uint8 in its memory where they fit, copied batch by batch otherwise."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from textedit_core.pixels import PixelSpec

# The rest is for networks, activations and whoever shares the device.
MEMORY_SHARE = 0.4
CHUNK = 256


class ImageRows(Protocol):
    """What a dataset offers: its pixels' meaning, its length, and float32 [B,3,S,S] on the host for given rows."""

    pixel: PixelSpec

    def __len__(self) -> int: ...

    def images(self, indices: Tensor | list[int]) -> Tensor: ...


class ImageSource:
    """Rows of a dataset as float32 [B,3,S,S] in [-1,1], channels last, on `device`.

    On CUDA the set is kept as uint8 in the device's memory if that takes at most MEMORY_SHARE of what is free: a batch is then one
    gather, and the host has nothing to do. A larger set is copied batch by batch from pinned memory, beside the computation.
    """

    def __init__(self, data: ImageRows, device: torch.device) -> None:
        self.data, self.device = data, device
        self.resident = self._copied() if device.type == "cuda" and self._fits() else None

    def __call__(self, rows: Tensor) -> Tensor:
        """The images of int64 rows [B] (on the host)."""
        if self.resident is not None:
            images = self.data.pixel.from_uint8(self.resident[rows.to(self.device, non_blocking=True)])
        elif self.device.type == "cpu":
            images = self.data.images(rows)
        else:
            pixels = self.data.pixel.to_uint8(self.data.images(rows)).pin_memory()
            images = self.data.pixel.from_uint8(pixels.to(self.device, non_blocking=True))
        return images.contiguous(memory_format=torch.channels_last)

    def first(self, count: int) -> Tensor:
        """The first `count` images, or all where there are fewer."""
        return self(torch.arange(min(count, len(self.data))))

    def _fits(self) -> bool:
        free, _ = torch.cuda.mem_get_info(self.device)
        return len(self.data) * 3 * self.data.pixel.size**2 <= MEMORY_SHARE * free

    def _copied(self) -> Tensor:
        # Back to uint8 is exact: these floats came from uint8.
        chunks = torch.arange(len(self.data)).split(CHUNK)
        return torch.cat([self.data.pixel.to_uint8(self.data.images(rows)).to(self.device) for rows in chunks])
