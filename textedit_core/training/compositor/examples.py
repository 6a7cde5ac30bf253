"""Examples of edits: what the compositor sees, and what it should make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.checkpoints.store import Checkpoint
from textedit_core.latents import apply_edit
from textedit_core.perception.resize import resize_square
from textedit_core.training.encoded_faces import encoded

_CHUNK = 16


@dataclass(frozen=True)
class Examples:
    """A batch of N edits; pictures float32 [N,3,S,S] in [-1,1].

    Attributes:
        photo: what is edited.
        target: the right answer.
        before, after: the decodes that guide the edit.
        flow: float32 [N,2,S,S], x right and y down in fractions of the side: the target at p shows the photo at p + flow.
        seen: float32 [N,1,S,S], 0 to 1, where that motion is known.
        styled: float32 [N,1,1,1], 1 where the whole picture changes, as in a drawing.
        real: float32 [N,1,1,1], 1 for photographs.
    """

    photo: Tensor
    target: Tensor
    before: Tensor
    after: Tensor
    flow: Tensor
    seen: Tensor
    styled: Tensor
    real: Tensor

    @staticmethod
    def joined(parts: Sequence[Examples]) -> Examples:
        """One batch of several."""
        return Examples(*(torch.cat([getattr(part, each.name) for part in parts]) for each in fields(Examples)))

    def to(self, device: torch.device) -> Examples:
        """The same on a device."""
        return Examples(*(getattr(self, each.name).to(device, non_blocking=True) for each in fields(Examples)))


class ExampleSource(Protocol):
    """Where examples come from."""

    def __call__(self, count: int, generator: torch.Generator, cell: int) -> Examples:
        """`count` random examples, of which every `cell` x `cell` pixels are averaged into one."""
        ...


def as_floats(pictures: NDArray[np.uint8], cell: int = 1) -> Tensor:
    """uint8 [N,S,S,3] to float32 [N,3,S,S] in [-1,1]; every `cell` x `cell` pixels are averaged into one."""
    levels = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float()
    return F.avg_pool2d(levels, cell) / 127.5 - 1.0 if cell > 1 else levels / 127.5 - 1.0


def as_bytes(pictures: Tensor) -> NDArray[np.uint8]:
    """float [N,3,S,S] in [-1,1], clamped, to uint8 [N,S,S,3]."""
    levels = (pictures.float().clamp(-1.0, 1.0) + 1.0) * 127.5
    return levels.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


class Guides:
    """Latents and decodes of pictures by a model's frozen encoder, editors and decoder.

    Args:
        checkpoint: holds them.
        device: where they run.

    Attributes:
        size: side S in pixels of the photos and, whatever the decoder's own, of the decodes.
        editors: by prompt.
    """

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        self.size = checkpoint.config.pixel.size
        self._device = device
        self._encoder = checkpoint.load_encoder().to(device, memory_format=torch.channels_last)
        self._decoder = checkpoint.load_decoder().to(device, memory_format=torch.channels_last)
        self.editors: dict[str, nn.Module] = {prompt: checkpoint.load_editor(prompt).to(device) for prompt in checkpoint.prompts}

    @torch.inference_mode()
    def latents(self, pictures: NDArray[np.uint8]) -> Tensor:
        """w_plus float32 [N,L,D] of uint8 [N,S,S,3]."""
        parts = (pictures[start : start + _CHUNK] for start in range(0, len(pictures), _CHUNK))
        return torch.cat([encoded(self._encoder, as_floats(part).to(self._device)).float() for part in parts])

    @torch.inference_mode()
    def decodes(self, w_plus: Tensor) -> NDArray[np.uint8]:
        """uint8 [N,S,S,3] of w_plus [N,L,D]."""
        return np.concatenate([as_bytes(resize_square(self._decoder(part), self.size)) for part in w_plus.split(_CHUNK)])

    @torch.inference_mode()
    def edited(self, w_plus: Tensor, prompt: str, strength: float) -> Tensor:
        """w_plus moved by a prompt's editor."""
        return apply_edit(w_plus, self.editors[prompt](w_plus), strength)
