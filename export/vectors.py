"""Prompts as vectors: a text for the bundle's one text-conditioned editor, about a kilobyte where an editor of its own is a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from export.graphs import TEXT_EDITOR
from export.manifest import Manifest, PromptEntry
from export.raw_tensors import read_tensor, write_tensor
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from textedit_core.checkpoints.store import Checkpoint


def vector_path(prompt_id: str) -> str:
    """Where a prompt's packed text lies inside a bundle."""
    return f"vectors/{prompt_id}.f32"


def packed_texts(checkpoint: Checkpoint, prompts: tuple[str, ...]) -> dict[str, Tensor]:
    """The packed texts [R,D] of those prompts that the checkpoint's text-conditioned editor serves, by id.

    Raises:
        UserError: a number is not finite, or a prompt's text is unknown to the checkpoint's text-image model.
    """
    from textedit_core.editor import pack_text

    vectors = checkpoint.text_vectors(prompt for prompt in prompts if checkpoint.prompt(prompt).conditioned)
    packed = {prompt: pack_text(vector, checkpoint.config.decoder.w_dim) for prompt, vector in vectors.items()}
    for prompt, rows in packed.items():
        _require_finite(vector_path(prompt), rows)
    return packed


def write_vectors(root: Path, texts: dict[str, Tensor]) -> None:
    """Stores packed texts [R,D] by prompt id."""
    for prompt, rows in texts.items():
        write_tensor(root / vector_path(prompt), rows)


def read_vector(root: Path, manifest: Manifest, prompt: PromptEntry) -> Tensor:
    """The packed text of a prompt that has a vector, float32 [R,D].

    Raises:
        UserError: the file does not hold what the text-conditioned editor takes, or a number in it is not finite.
    """
    path = str(prompt.vector)
    rows = read_tensor(root / path, _shape(manifest))
    _require_finite(path, rows)
    return rows


def check_vectors(root: Path, manifest: Manifest) -> None:
    """Reads every vector of a bundle, so that none reaches a network unchecked.

    Raises:
        UserError: as `read_vector`.
    """
    for prompt in manifest.prompts:
        if prompt.vector is not None:
            read_vector(root, manifest, prompt)


def read_text(root: Path, manifest: Manifest, prompt: PromptEntry) -> Tensor | None:
    """The text [R,D] that a prompt's part takes below w_plus; None for a prompt with an editor of its own.

    Raises:
        UserError: as `read_vector`.
    """
    return None if prompt.vector is None else read_vector(root, manifest, prompt)


def editor_input(w_plus: Tensor, text: Tensor | None) -> Tensor:
    """What an editor's part takes for w_plus float32 [N,L,D]: that itself, or with a text [R,D] below it, [N,L+R,D]."""
    from textedit_core.editor import with_text

    return w_plus if text is None else with_text(w_plus, text)


def _shape(manifest: Manifest) -> tuple[int, int]:
    """[R,D]: what the input of the text-conditioned editor has more than its output."""
    entry = manifest.part(TEXT_EDITOR)
    taken, given = entry.input.shape, entry.output.shape
    if len(taken) != 3 or len(given) != 3 or taken[1] <= given[1] or taken[2] != given[2]:
        raise UserError(f"{TEXT_EDITOR} takes {list(taken)} and gives {list(given)}, which leaves no rows for a text")
    return taken[1] - given[1], taken[2]


def _require_finite(path: str, rows: Tensor) -> None:
    import torch

    if not torch.isfinite(rows).all():
        raise UserError(f"{path} holds a number that is not finite; a text vector is a direction times a calibration")
