"""The rows of an evaluation: ways from a photo to an edited face. The checkpoint's networks, the mean direction, exported bundles."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from textedit_core.checkpoints.store import Checkpoint
from textedit_core.errors import UserError

# Names of rows that are no pipeline of their own.
GROUND_TRUTH = "ground truth"
ORACLE = "oracle"
NO_EDIT = "no edit"
MEAN_DIRECTION = "mean direction"
FP32 = "fp32"

ENTRY_GROUP, ENTRY_NAME = "textedit.pipelines", "bundle"
# Modulated convolutions are grouped by face; small batches keep their weights in the processor's cache.
BATCH = 4


class Pipeline(Protocol):
    """Encoder, editors and decoder behind one interface; all tensors float32, batches of any size."""

    name: str
    checkpoint_id: str
    prompts: tuple[str, ...]

    def encode(self, images: Tensor) -> Tensor:
        """Images [N,3,S,S] in [-1,1] to w_plus [N,L,D]."""
        ...

    def delta(self, prompt: str, w_plus: Tensor) -> Tensor:
        """The prompt's delta_w [N,L,D]."""
        ...

    def decode(self, w_plus: Tensor) -> Tensor:
        """Images [N,3,R,R], nominally in [-1,1]."""
        ...


class CheckpointPipeline:
    """The networks of a checkpoint as they are, in fp32."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.name = FP32
        self.checkpoint_id = checkpoint.checkpoint_id
        self.prompts = tuple(checkpoint.prompts)
        self._checkpoint = checkpoint
        self._encoder = checkpoint.load_encoder().to(memory_format=torch.channels_last)
        self._decoder = checkpoint.load_decoder().to(memory_format=torch.channels_last)
        self._editors: dict[str, nn.Module] = {}

    @torch.inference_mode()
    def encode(self, images: Tensor) -> Tensor:
        """As in `Pipeline`."""
        return _batched(self._encoder, images)

    @torch.inference_mode()
    def delta(self, prompt: str, w_plus: Tensor) -> Tensor:
        """As in `Pipeline`."""
        if prompt not in self._editors:
            self._editors[prompt] = self._checkpoint.load_editor(prompt)
        return self._editors[prompt](w_plus)

    @torch.inference_mode()
    def decode(self, w_plus: Tensor) -> Tensor:
        """As in `Pipeline`."""
        return _batched(self._decoder, w_plus)


def _batched(network: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    return torch.cat([network(part) for part in values.split(BATCH)])


def mean_directions(source: Tensor, partner: Tensor, identities: NDArray[np.int64]) -> Tensor:
    """The classic baseline: the mean of w_plus(partner) - w_plus(source), for every group over the other half of the people.

    Cross-fitting in two folds keeps a group, and every other picture of its person, out of the direction that edits it.

    Args:
        source: w_plus of the sources, [N,L,D].
        partner: w_plus of the partners, [N,L,D].
        identities: the person of each group, [N].

    Returns:
        delta_w [N,L,D].

    Raises:
        UserError: all groups are of one person.
    """
    people = np.unique(identities)
    if len(people) < 2:
        raise UserError(f"all {len(identities)} counterfactual groups show person {people[0]}; the mean direction needs two people or more")
    fold = torch.from_numpy(np.searchsorted(people, identities) % 2)
    difference = partner - source
    means = torch.stack([difference[fold == side].mean(0) for side in (0, 1)])
    return means[1 - fold]


@contextlib.contextmanager
def opened_bundle(path: Path, checkpoint_id: str) -> Iterator[Pipeline]:
    """Opens a bundle through the entry point that the export package registers, since core does not know it.

    Raises:
        UserError: no such package is installed, the bundle is damaged, or it was exported from another checkpoint.
    """
    found = entry_points(group=ENTRY_GROUP, name=ENTRY_NAME)
    if not found:
        raise UserError(f"no installed package runs bundles (entry point {ENTRY_GROUP}: {ENTRY_NAME}); install this project with pip")
    with next(iter(found)).load()(path) as pipeline:
        if pipeline.checkpoint_id != checkpoint_id:
            origin = f"bundle {str(path)!r} was exported from {pipeline.checkpoint_id}"
            raise UserError(f"{origin}, not from {checkpoint_id}; name its --checkpoint")
        yield pipeline
