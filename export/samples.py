"""The faces that calibrate and prove an export, and what each network is fed with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from export.graphs import COMPOSITOR, DECODER, EDITORS, ENCODER, TEXT_EDITOR
from textedit_core.errors import UserError
from textedit_core.latents import apply_edit

if TYPE_CHECKING:
    from torch import Tensor, nn

    from textedit_core.checkpoints.store import Checkpoint
    from textedit_core.pixels import PixelSpec

    # w_plus [1,L,D] -> delta_w [1,L,D], and the strength to apply it at.
    Edit = tuple[Callable[[Tensor], Tensor], float]


@dataclass(frozen=True)
class Samples:
    """Inputs per kind of network, each float32 of batch size 1.

    Attributes:
        paths: the face files.
        images: the faces, [1,3,S,S].
        latents: what the fp32 encoder makes of them, w_plus [1,L,D]; editors take these.
        edited: `latents` moved by each edit in turn; the decoder takes these and `latents`.
        with_text: `latents` with each text vector in turn, [1,L+R,D]; the text-conditioned editor takes these.
        guides: [1,9,M,M], each face with its decodes before and after its edit; the compositor takes these.
    """

    paths: tuple[Path, ...]
    images: tuple[Tensor, ...]
    latents: tuple[Tensor, ...]
    edited: tuple[Tensor, ...]
    with_text: tuple[Tensor, ...] = ()
    guides: tuple[Tensor, ...] = ()

    def inputs(self, part: str) -> tuple[Tensor, ...]:
        """The inputs of one part.

        Raises:
            ValueError: unknown part.
        """
        kind = part.split("/")[0]
        of_kind = {
            ENCODER: self.images,
            EDITORS: self.latents,
            TEXT_EDITOR: self.with_text,
            DECODER: (*self.latents, *self.edited),
            COMPOSITOR: self.guides,
        }
        if kind not in of_kind:
            raise ValueError(f"unknown part {part!r}")
        return of_kind[kind]


def collect(
    checkpoint: Checkpoint, split: str, count: int, encoder: nn.Module, edits: Sequence[Edit], texts: Sequence[Tensor] = ()
) -> Samples:
    """Loads `count` faces of a split, spread evenly over it, and encodes and edits them with the fp32 networks.

    Args:
        checkpoint: where the faces lie.
        split: "calibration" or "heldout".
        count: how many faces; fewer are taken when the checkpoint has fewer.
        encoder: fp32 network in eval mode.
        edits: fp32 editors with the strength to apply each at; face i is edited by edit i modulo their number.
        texts: packed text vectors [R,D]; paired with the faces in the same way, each at least once.

    Raises:
        UserError: the checkpoint has no faces of this split.
    """
    import torch

    paths = checkpoint.faces(split)
    if not paths:
        raise UserError(
            f"checkpoint {str(checkpoint.directory)!r} has no faces/{split}/*.jpg; export needs them to calibrate and to measure"
        )
    chosen = tuple(paths[i * len(paths) // min(count, len(paths))] for i in range(min(count, len(paths))))
    images = tuple(load_face(path, checkpoint.config.pixel) for path in chosen)
    with torch.no_grad():
        latents = tuple(encoder(image) for image in images)
        edited = tuple(_edited(w_plus, *edits[i % len(edits)]) for i, w_plus in enumerate(latents) if edits)
    return Samples(chosen, images, latents, edited, _paired(latents, texts))


def with_guides(samples: Samples, decoder: nn.Module, side: int) -> Samples:
    """The samples with what the compositor looks at, decoded by the fp32 decoder; `side` is that of the guides in pixels."""
    import torch

    from textedit_core.compositor import guides_of

    with torch.no_grad():
        edits = zip(samples.images, samples.latents, samples.edited, strict=True)
        guides = tuple(guides_of(image, decoder(before), decoder(after), side) for image, before, after in edits)
    return replace(samples, guides=guides)


def _edited(w_plus: Tensor, editor: Callable[[Tensor], Tensor], strength: float) -> Tensor:
    return apply_edit(w_plus, editor(w_plus), strength)


def _paired(latents: Sequence[Tensor], texts: Sequence[Tensor]) -> tuple[Tensor, ...]:
    from textedit_core.editor import with_text

    # As many pairs as faces; more only where there are more texts than faces.
    count = max(len(latents), len(texts)) if texts else 0
    return tuple(with_text(latents[i % len(latents)], texts[i % len(texts)]) for i in range(count))


def load_face(path: Path, pixels: PixelSpec) -> Tensor:
    """Reads an aligned face of any size as float32 [1,3,S,S] in the network's range.

    Raises:
        UserError: the file is not a readable image.
    """
    from PIL import Image

    from textedit_core.photos import open_photo

    photo = open_photo(path).image
    side = (pixels.size, pixels.size)
    face = photo if photo.size == side else photo.resize(side, Image.Resampling.LANCZOS)
    # Pillow's channels-last memory would end up in the traced graph as a layout that no phone feeds.
    return pixels.to_tensor(face).contiguous()
