"""The fp32 networks of an export, the faces that calibrate and measure them, and their folded copies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from export.graphs import COMPOSITOR, DECODER, ENCODER, TEXT_EDITOR, editor_part, example_input, graph_spec
from export.progress import Progress
from export.vectors import packed_texts

if TYPE_CHECKING:
    from torch import Tensor, fx, nn

    from export.edit_success import EditTrial
    from export.samples import Samples
    from textedit_core.checkpoints.store import Checkpoint


@dataclass(frozen=True)
class Networks:
    """The fp32 networks by part, the prompts they serve, and the faces to calibrate and measure with.

    `vectors` are the packed texts [R,D] of the prompts that the text-conditioned editor serves.
    """

    checkpoint: Checkpoint
    prompts: tuple[str, ...]
    modules: dict[str, nn.Module]
    calibration: Samples
    heldout: Samples
    vectors: dict[str, Tensor] = field(default_factory=dict)

    def editor(self, prompt: str) -> Callable[[Tensor], Tensor]:
        """A prompt's fp32 editor, w_plus [1,L,D] -> delta_w [1,L,D], whichever network serves it."""
        return _editor(self.modules, self.vectors, prompt)

    def outputs(self, part: str, inputs: tuple[Tensor, ...]) -> list[Tensor]:
        """What a part's fp32 network gives for each input."""
        import torch

        with torch.no_grad():
            return [self.modules[part](value) for value in inputs]


def load(
    checkpoint: Checkpoint, prompts: tuple[str, ...], calibration_faces: int, parity_faces: int, compositor: bool = False
) -> Networks:
    """Loads the networks and feeds the sample faces through them in fp32; the decoder's styles are brought to a size that fp16 can hold.

    Args:
        checkpoint: where they lie.
        prompts: the ids to serve.
        calibration_faces: faces that set the ranges of int8.
        parity_faces: held-out faces to measure on.
        compositor: whether the compositor is among the networks.

    Raises:
        UserError: a network or the faces are missing or damaged.
    """
    from export.samples import collect, with_guides
    from textedit_core.decoder.layers import settle_styles
    from textedit_core.editor import PackedTextEditor

    vectors = packed_texts(checkpoint, prompts)
    encoder = checkpoint.load_encoder()
    modules: dict[str, nn.Module] = {ENCODER: encoder, DECODER: checkpoint.load_decoder()}
    modules |= {editor_part(prompt): checkpoint.load_editor(prompt) for prompt in prompts if prompt not in vectors}
    if vectors:
        modules[TEXT_EDITOR] = PackedTextEditor(checkpoint.load_text_editor())
    editors = [(_editor(modules, vectors, prompt), checkpoint.prompts[prompt]) for prompt in prompts]
    texts = list(vectors.values())
    # The ranges of int8 must reach as far as the slider does; what is measured is the edit as an app first shows it.
    strongest = [(editor, prompt.strength_max) for editor, prompt in editors]
    usual = [(editor, prompt.strength_default) for editor, prompt in editors]
    calibration = collect(checkpoint, "calibration", calibration_faces, encoder, strongest, texts)
    heldout = collect(checkpoint, "heldout", parity_faces, encoder, usual, texts)
    # One unedited face, always the same, so that the decoder's bytes depend on no prompt.
    settle_styles(modules[DECODER], calibration.latents[0])
    if compositor:
        modules[COMPOSITOR] = checkpoint.load_compositor()
        side = checkpoint.config.compositor.guide
        calibration, heldout = (with_guides(samples, modules[DECODER], side) for samples in (calibration, heldout))
    return Networks(checkpoint, prompts, modules, calibration, heldout, vectors)


def _editor(modules: dict[str, nn.Module], vectors: dict[str, Tensor], prompt: str) -> Callable[[Tensor], Tensor]:
    from textedit_core.editor import with_text

    if prompt not in vectors:
        return modules[editor_part(prompt)]
    shared, rows = modules[TEXT_EDITOR], vectors[prompt]
    return lambda w_plus: shared(with_text(w_plus, rows))


def fold_all(networks: Networks, progress: Progress) -> dict[str, fx.GraphModule]:
    """Folded inference copies by part; the networks stay as they are."""
    from export.fold import fold

    folded = {}
    for part, module in networks.modules.items():
        progress("all targets", "fold", part)
        folded[part] = fold(module, example_input(graph_spec(part, networks.checkpoint.config)))
    return folded


def trial_of(networks: Networks) -> EditTrial:
    """The trial of edit success of the networks' prompts, by the shipped judge, on the held-out faces and then the calibration faces.

    Raises:
        UserError: the judges are there and damaged.
    """
    from export.edit_success import edit_trial, shipped_judge

    checkpoint = networks.checkpoint
    edits = {prompt: (networks.editor(prompt), checkpoint.prompt(prompt).strength_default) for prompt in networks.prompts}
    # Few faces say little about edits. The calibration faces have set the ranges of int8 and flatter them a little, so they come last.
    faces = (*networks.heldout.latents, *networks.calibration.latents)
    return edit_trial(checkpoint.config, edits, faces, networks.modules[DECODER], shipped_judge(checkpoint.config))
