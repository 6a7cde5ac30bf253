"""The exported graphs: which there are, what each takes and gives, and how a module becomes a traced graph.

This is the only home of the names that Kotlin and Swift use to feed and read a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.export import ExportedProgram

    from textedit_core.config import ModelConfig

IMAGE = "image"
W_PLUS = "w_plus"
W_PLUS_TEXT = "w_plus_text"
DELTA_W = "delta_w"
GUIDES = "guides"
FIELDS = "fields"

ENCODER = "encoder"
DECODER = "decoder"
EDITORS = "editors"
TEXT_EDITOR = "text_editor"
COMPOSITOR = "compositor"


@dataclass(frozen=True)
class TensorSpec:
    """Name, static shape and dtype of a graph's input or output; `minimum` and `maximum` bound images, None elsewhere."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class GraphSpec:
    """One exported network: `part` is `encoder`, `decoder`, `text_editor`, `compositor` or `editors/ID`; batch size 1, static shapes."""

    part: str
    input: TensorSpec
    output: TensorSpec

    def path(self, suffix: str) -> str:
        """Where the lowered network lies inside a bundle."""
        return f"models/{self.part}{suffix}"


def editor_part(prompt_id: str) -> str:
    """The part name of a prompt's own editor."""
    return f"{EDITORS}/{prompt_id}"


def graph_spec(part: str, config: ModelConfig) -> GraphSpec:
    """Describes one part of a model.

    Raises:
        ValueError: `part` is none of those that `GraphSpec` names.
    """
    from textedit_core.compositor.network import PLANES

    pixel, decoder = config.pixel, config.decoder
    latent = (1, decoder.num_ws, decoder.w_dim)
    low, high = pixel.minimum, pixel.maximum
    if part == ENCODER:
        photo = TensorSpec(IMAGE, (1, 3, pixel.size, pixel.size), minimum=low, maximum=high)
        return GraphSpec(part, photo, TensorSpec(W_PLUS, latent))
    if part == DECODER:
        side = decoder.img_resolution
        return GraphSpec(part, TensorSpec(W_PLUS, latent), TensorSpec(IMAGE, (1, 3, side, side), minimum=low, maximum=high))
    if part == COMPOSITOR:
        guide = config.compositor.guide
        guides = TensorSpec(GUIDES, (1, 9, guide, guide), minimum=low, maximum=high)
        return GraphSpec(part, guides, TensorSpec(FIELDS, (1, PLANES, guide, guide)))
    if part == TEXT_EDITOR:
        return GraphSpec(part, TensorSpec(W_PLUS_TEXT, _packed_shape(config)), TensorSpec(DELTA_W, latent))
    if part.startswith(f"{EDITORS}/"):
        return GraphSpec(part, TensorSpec(W_PLUS, latent), TensorSpec(DELTA_W, latent))
    raise ValueError(f"unknown part {part!r}; valid: {ENCODER}, {DECODER}, {TEXT_EDITOR}, {COMPOSITOR}, {EDITORS}/ID")


def _packed_shape(config: ModelConfig) -> tuple[int, int, int]:
    """The levels of w_plus and below them the rows that hold a text vector."""
    from textedit_core.editor import text_rows

    decoder = config.decoder
    return (1, decoder.num_ws + text_rows(config.clip.embed_dim, decoder.w_dim), decoder.w_dim)


def trace(module: nn.Module, example: Tensor) -> ExportedProgram:
    """Traces a one-input module to an ATen graph with static shapes; the module is left as it is."""
    import torch

    with torch.no_grad():
        return torch.export.export(module, (example,), strict=False)


def trace_batches(module: nn.Module, example: Tensor, most: int) -> ExportedProgram:
    """Traces a one-input module for batch sizes from 1 to `most`; everything else is static, as in `trace`."""
    import torch

    # Two, because tracing takes a one for a constant.
    batch = torch.cat([example, example])
    with torch.no_grad():
        return torch.export.export(module, (batch,), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=most)},), strict=False)


def example_input(spec: GraphSpec) -> Tensor:
    """A fixed float32 input of the graph's shape, used only to trace: zeros hide no data-dependent branch, there is none."""
    import torch

    return torch.zeros(spec.input.shape)
