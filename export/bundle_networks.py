"""The networks of an exported bundle behind the interface that core edits and evaluates with, each through its real runtime.

Core finds `open_networks` by the entry point `textedit.networks: bundle`, since it does not import this package.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from export.bundle import open_bundle
from export.graphs import COMPOSITOR, DECODER, ENCODER
from export.manifest import Manifest, PromptEntry
from export.vectors import editor_input, read_text
from export.verification import load_part
from textedit_core.alignment import CropRule
from textedit_core.pixels import PixelSpec

if TYPE_CHECKING:
    from torch import Tensor

    from export.backends.backend import Runner


class PartNetworks:
    """The verbs of `FaceNetworks` on loaded parts, which take one face at a time; batches are for the caller's convenience.

    Args:
        runner: gives a part's loaded network by the part's name.
        editors: by prompt id, the part that serves the prompt, and the text [R,D] that it takes below w_plus, None if it takes none.
    """

    def __init__(self, runner: Callable[[str], Runner], editors: Mapping[str, tuple[str, Tensor | None]]) -> None:
        self._runner, self._editors = runner, editors

    def encode(self, images: Tensor) -> Tensor:
        """Aligned faces float32 [N,3,S,S] to w_plus float32 [N,L,D]."""
        return _one_by_one(self._runner(ENCODER), images)

    def delta(self, prompt_id: str, w_plus: Tensor) -> Tensor:
        """The prompt's delta_w float32 [N,L,D]."""
        part, text = self._editors[prompt_id]
        return _one_by_one(self._runner(part), editor_input(w_plus, text))

    def decode(self, w_plus: Tensor) -> Tensor:
        """w_plus float32 [N,L,D] to images float32 [N,3,R,R]."""
        return _one_by_one(self._runner(DECODER), w_plus)

    def composite(self, guides: Tensor) -> Tensor:
        """Guides float32 [N,9,M,M] to fields float32 [N,8,M,M]."""
        return _one_by_one(self._runner(COMPOSITOR), guides)


class BundleNetworks:
    """`FaceNetworks` of a bundle.

    Args:
        root: the bundle's directory.
        manifest: its manifest; the list of files is not looked at.
        runner: gives a part's loaded network by the part's name.

    Attributes:
        name: target and precisions, e.g. "android int8".
        checkpoint_id: the checkpoint that the bundle was exported from.
        pixels: what the encoder takes.
        crop: how faces are cut out.
        prompts: the manifest's entries by id.
    """

    def __init__(self, root: Path, manifest: Manifest, runner: Callable[[str], Runner]) -> None:
        self.name = f"{manifest.target} {'/'.join(dict.fromkeys(part.precision for part in manifest.parts))}"
        self.checkpoint_id = str(manifest.provenance["checkpoint_id"])
        self.pixels = PixelSpec(**manifest.pixels)
        self.crop = CropRule(**manifest.alignment["crop_rule"])
        self.prompts = {prompt.id: prompt for prompt in manifest.prompts}
        self._manifest = manifest
        editors = {prompt.id: (prompt.part, read_text(root, manifest, prompt)) for prompt in manifest.prompts}
        self._parts = PartNetworks(runner, editors)

    def prompt(self, prompt_id: str) -> PromptEntry:
        """As in `FaceNetworks`."""
        return self._manifest.prompt(prompt_id)

    def encode(self, images: Tensor) -> Tensor:
        """As in `FaceNetworks`."""
        return self._parts.encode(images)

    def delta(self, prompt_id: str, w_plus: Tensor) -> Tensor:
        """As in `FaceNetworks`."""
        return self._parts.delta(self.prompt(prompt_id).id, w_plus)

    def decode(self, w_plus: Tensor) -> Tensor:
        """As in `FaceNetworks`."""
        return self._parts.decode(w_plus)

    @property
    def has_compositor(self) -> bool:
        """As in `FaceNetworks`."""
        return self.guide_side > 0

    @property
    def guide_side(self) -> int:
        """As in `FaceNetworks`."""
        return next((part.input.shape[-1] for part in self._manifest.parts if part.part == COMPOSITOR), 0)

    def composite(self, guides: Tensor) -> Tensor:
        """As in `FaceNetworks`."""
        return self._parts.composite(guides)


@contextlib.contextmanager
def open_networks(path: Path) -> Iterator[BundleNetworks]:
    """Opens a bundle directory or stored zip; each network is loaded when it is first used.

    Raises:
        UserError: the bundle is missing or damaged.
    """
    with open_bundle(path) as opened:
        yield BundleNetworks(opened.root, opened.manifest, functools.cache(lambda part: load_part(opened, part)))


def _one_by_one(run: Runner, values: Tensor) -> Tensor:
    import torch

    answers = [run(value.contiguous()) for value in values.split(1)]
    # One face is the rule, and needs no copy.
    return answers[0] if len(answers) == 1 else torch.cat(answers)
