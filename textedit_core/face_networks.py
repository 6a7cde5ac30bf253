"""What an edit asks of the networks of a model, whatever runs them: a checkpoint in fp32, or the files of an exported bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from textedit_core.alignment import CropRule
    from textedit_core.pixels import PixelSpec


class EditPrompt(Protocol):
    """What an edit has to know of a prompt. A checkpoint's `Prompt` is one, and so is the entry of a bundle's manifest."""

    @property
    def id(self) -> str:
        """Its name in commands and files."""
        ...

    @property
    def text(self) -> str:
        """What the edited face should look like."""
        ...

    @property
    def strength_default(self) -> float:
        """The strength, unitless, that is used when nobody chose."""
        ...

    @property
    def strength_min(self) -> float:
        """The least strength."""
        ...

    @property
    def strength_max(self) -> float:
        """The largest strength."""
        ...


class FaceNetworks(Protocol):
    """The networks of one model behind four verbs; all tensors are float32, batches of any size."""

    @property
    def name(self) -> str:
        """Which networks these are, in a word or two: "fp32", "android int8"."""
        ...

    @property
    def checkpoint_id(self) -> str:
        """The checkpoint that they are, or were exported from."""
        ...

    @property
    def pixels(self) -> PixelSpec:
        """Side and range of the images that the encoder takes; the decoder's have the same range."""
        ...

    @property
    def crop(self) -> CropRule:
        """How a face is cut out of its photo."""
        ...

    @property
    def prompts(self) -> Mapping[str, EditPrompt]:
        """The prompts by id."""
        ...

    def prompt(self, prompt_id: str) -> EditPrompt:
        """Looks up one prompt.

        Raises:
            UsageError: no such prompt; the message names those that exist.
        """
        ...

    def encode(self, images: Tensor) -> Tensor:
        """Aligned faces [N,3,S,S] in the range of `pixels` to w_plus [N,L,D]."""
        ...

    def delta(self, prompt_id: str, w_plus: Tensor) -> Tensor:
        """The prompt's delta_w [N,L,D] for w_plus [N,L,D].

        Raises:
            UsageError: as `prompt`.
        """
        ...

    def decode(self, w_plus: Tensor) -> Tensor:
        """w_plus [N,L,D] to images [N,3,R,R], nominally in the range of `pixels`."""
        ...

    @property
    def has_compositor(self) -> bool:
        """Whether edits are drawn on the photo itself; otherwise the edited face is pasted into it."""
        ...

    @property
    def guide_side(self) -> int:
        """Side in pixels of what the compositor looks at; 0 without one."""
        ...

    def composite(self, guides: Tensor) -> Tensor:
        """What an edit does to aligned faces, [N,8,M,M], from guides [N,9,M,M]; see `compositor.Compositor` and `guides_of`."""
        ...
