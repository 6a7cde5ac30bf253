"""A bundle as one pipeline from photo to edited face, every network through its real runtime: what the evaluation of core calls.

Core finds `open_pipeline` by the entry point `textedit.pipelines: bundle`, since it does not import this package.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from export.bundle import Bundle, open_bundle
from export.graphs import DECODER, ENCODER
from export.vectors import editor_input
from export.verification import load_part

if TYPE_CHECKING:
    from torch import Tensor

    from export.backends.backend import Runner


class BundlePipeline:
    """Encoder, editors and decoder of an opened bundle; they take one face at a time, batches are for the caller's convenience.

    Attributes:
        name: target and precisions, e.g. "android int8".
        checkpoint_id: the checkpoint that the bundle was exported from.
        prompts: the ids of its prompts.
    """

    def __init__(self, opened: Bundle) -> None:
        manifest = opened.manifest
        self.name = f"{manifest.target} {'/'.join(dict.fromkeys(part.precision for part in manifest.parts))}"
        self.checkpoint_id = str(manifest.provenance["checkpoint_id"])
        self.prompts = tuple(prompt.id for prompt in manifest.prompts)
        self._opened = opened
        self._runners: dict[str, Runner] = {}

    def encode(self, images: Tensor) -> Tensor:
        """Aligned faces float32 [N,3,S,S] in [-1,1] to w_plus float32 [N,L,D]."""
        return self._run(ENCODER, images)

    def delta(self, prompt: str, w_plus: Tensor) -> Tensor:
        """The prompt's delta_w float32 [N,L,D].

        Raises:
            UsageError: the bundle has no such prompt.
        """
        entry = self._opened.manifest.prompt(prompt)
        return self._run(entry.part, editor_input(self._opened.root, self._opened.manifest, entry, w_plus))

    def decode(self, w_plus: Tensor) -> Tensor:
        """Images float32 [N,3,R,R], nominally in [-1,1]."""
        return self._run(DECODER, w_plus)

    def _run(self, part: str, values: Tensor) -> Tensor:
        import torch

        if part not in self._runners:
            self._runners[part] = load_part(self._opened, part)
        return torch.cat([self._runners[part](value.contiguous()) for value in values.split(1)])


@contextlib.contextmanager
def open_pipeline(path: Path) -> Iterator[BundlePipeline]:
    """Opens a bundle directory or stored zip.

    Raises:
        UserError: the bundle is missing or damaged.
    """
    with open_bundle(path) as opened:
        yield BundlePipeline(opened)
