"""What stages take in the place of a face: the latent of a photo, or one that was stored without its photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from textedit_core.checkpoints.store import LATENTS, Checkpoint
from textedit_core.errors import UserError
from textedit_core.hashing import sha256_of
from textedit_core.perception.resize import resize_square
from textedit_core.training.image_source import ImageRows, ImageSource

# Of the latents, one of so many is kept for the sample grids.
_HELD_OUT_OF = 20


@dataclass(frozen=True)
class StoredLatents:
    """Latents w_plus float32 [N,L,D] of photos that are not at hand, in the place of these photos. `folder` is where they lie."""

    folder: Path
    w_plus: Tensor

    def __len__(self) -> int:
        return len(self.w_plus)

    @property
    def labels(self) -> list[dict[str, Any]]:
        """What is known of each: the sha256 of its numbers."""
        return [{"sha256": sha256_of(latent.numpy().tobytes())} for latent in self.w_plus]

    def of_every_style(self) -> StoredLatents:
        """The latents themselves: what style they have is not known."""
        return self


def open_latents(checkpoint: Checkpoint, split: str) -> StoredLatents:
    """The latents that were imported with a checkpoint: those to train on, or for every other split the few that are kept apart.

    Raises:
        UserError: it has none.
    """
    if f"{LATENTS}.safetensors" not in checkpoint.files:
        raise UserError(
            f"checkpoint {str(checkpoint.directory)!r} holds no latents to train on; give photographs with --data, or bring latents: "
            "python -m textedit_core import --latents FILE --base CHECKPOINT"
        )
    w_plus = checkpoint.load_latents()
    kept = torch.arange(len(w_plus)) % _HELD_OUT_OF == 0
    return StoredLatents(checkpoint.directory, w_plus[~kept if split == "train" else kept])


def encoded(encoder: nn.Module, images: Tensor) -> Tensor:
    """w_plus [B,L,D] of images [B,3,H,W] in [-1,1] of any size, which the encoder sees at its own: a decoder may draw larger ones."""
    return encoder(resize_square(images, encoder.img_resolution))


def latents_of(
    data: ImageRows | StoredLatents, encoder: nn.Module, device: torch.device
) -> Callable[[Tensor], tuple[Tensor, Tensor | None]]:
    """Maps rows int64 [B] of the data to w_plus float32 [B,L,D] and the photos [B,3,S,S], None where there are none."""
    if isinstance(data, StoredLatents):
        w_plus = data.w_plus.to(device)
        return lambda rows: (w_plus[rows.to(device)], None)
    source = ImageSource(data, device)

    def look(rows: Tensor) -> tuple[Tensor, Tensor]:
        photos = source(rows)
        return encoded(encoder, photos).float(), photos

    return look


@dataclass(frozen=True)
class SampleFaces:
    """The faces of a sample grid: w_plus [N,L,D], and their photos [N,3,S,S] if there are any."""

    w_plus: Tensor
    photos: Tensor | None

    def grid(self, decoder: nn.Module, edited: Sequence[Tensor]) -> Tensor:
        """Photos, reconstructions and what each of `edited` [N,L,D] looks like, float32 [M,3,S,S]; all as large as the photos."""
        rows = [decoder(w_plus).float() for w_plus in (self.w_plus, *edited)]
        if self.photos is not None:
            rows = [self.photos, *(resize_square(row, self.photos.shape[-1]) for row in rows)]
        return torch.cat(rows)


@torch.no_grad()
def sample_faces(data: ImageRows | StoredLatents, encoder: nn.Module, device: torch.device, count: int) -> SampleFaces:
    """The first `count` faces of the data, or all where there are fewer."""
    return SampleFaces(*latents_of(data, encoder, device)(torch.arange(min(count, len(data)))))
