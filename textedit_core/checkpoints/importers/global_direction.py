"""Directions that edit every face alike: an array or a tensor, [D] or [1,D] for all levels, [L,D] or [1,L,D] for each."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyReport, Source
from textedit_core.checkpoints.importers.latents_file import MAX_LEVELS
from textedit_core.checkpoints.importers.numpy_file import as_tensor
from textedit_core.config import EditorConfig
from textedit_core.errors import UserError

FORMAT = "direction"
MIN_W_DIM = 8
# Keys of a file that wraps one direction.
_NAMES = ("direction", "boundary", "delta", "delta_w", "arr_0")


def array_of(source: Source) -> Tensor | None:
    """The one array or tensor of numbers that a file holds, None for any other file."""
    content = source.content
    if isinstance(content, dict) and len(content) == 1:
        name, content = next(iter(content.items()))
        content = content if name in _NAMES else None
    if isinstance(content, np.ndarray) and content.dtype.kind == "f":
        return as_tensor(content)
    return content.detach() if isinstance(content, Tensor) and content.is_floating_point() else None


def _recognises(source: Source) -> bool:
    array = array_of(source)
    if array is None:
        return False
    return 1 <= array.ndim <= 3 and array.numel() > 0 and array.shape[-1] >= MIN_W_DIM and (array.ndim < 3 or array.shape[0] == 1)


def _read(source: Source, choice: str) -> Imported:
    array = array_of(source)
    assert array is not None
    direction = array.float().reshape(-1, array.shape[-1]).contiguous()
    levels = len(direction)
    if levels > MAX_LEVELS:
        raise UserError(
            f"{str(source.path)!r} holds {levels} rows, not a direction of at most {MAX_LEVELS} levels; a table of StyleSpace channels "
            "(StyleCLIP's fs3.npy) moves styles, which no exported decoder takes; train an editor for the text instead (train editor)"
        )
    note = f"one direction for {'every level' if levels == 1 else f'each of {levels} levels'}, of length {float(direction.norm()):.3g}"
    return direction_editor(FORMAT, direction, source, note, KeyReport(("array",)))


def direction_editor(format_name: str, direction: Tensor, source: Source, note: str, report: KeyReport) -> Imported:
    """The editor of one direction float32 [L,D], L is 1 for all levels.

    Raises:
        UserError: a number is not finite.
    """
    if not torch.isfinite(direction).all():
        raise UserError(f"{str(source.path)!r} holds numbers that are not finite")
    levels, w_dim = direction.shape
    config = EditorConfig(num_ws=levels, w_dim=w_dim, hidden_dim=w_dim, num_blocks=0, kind="direction")
    return Imported("editor", format_name, config, {"direction": direction}, report, notes=(note,))


IMPORTER = Importer(FORMAT, "editor", _recognises, _read)
