"""Directions that edit every face alike: a .npy array or a .pt tensor, [D] or [1,D] for all levels, [L,D] or [1,L,D] for each."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyReport, Source
from textedit_core.config import EditorConfig
from textedit_core.errors import UserError

FORMAT = "direction"
# A generator of 8192 px would have 24 levels; longer arrays are lists of something else.
MAX_LEVELS = 24
MIN_W_DIM = 8


def _recognises(source: Source) -> bool:
    array = source.content
    if isinstance(array, np.ndarray):
        is_float, shape = array.dtype.kind == "f", array.shape
    elif isinstance(array, Tensor):
        is_float, shape = array.is_floating_point(), tuple(array.shape)
    else:
        return False
    return is_float and 1 <= len(shape) <= 3 and shape[-1] >= MIN_W_DIM and (len(shape) < 3 or shape[0] == 1)


def _read(source: Source, name: str) -> Imported:
    array = source.content
    direction = torch.from_numpy(np.ascontiguousarray(array, np.float32)) if isinstance(array, np.ndarray) else array.detach().float()
    direction = direction.reshape(-1, direction.shape[-1]).contiguous()
    levels, w_dim = direction.shape
    if levels > MAX_LEVELS:
        raise UserError(
            f"{str(source.path)!r} holds {levels} rows, not a direction of at most {MAX_LEVELS} levels; a table of StyleSpace channels "
            "(StyleCLIP's fs3.npy) moves styles, which no exported decoder takes; train an editor for the text instead (train editor)"
        )
    if not torch.isfinite(direction).all():
        raise UserError(f"{str(source.path)!r} holds numbers that are not finite")
    config = EditorConfig(num_ws=levels, w_dim=w_dim, hidden_dim=w_dim, num_blocks=0, kind="direction")
    note = f"one direction for {'every level' if levels == 1 else f'each of {levels} levels'}, of length {float(direction.norm()):.3g}"
    return Imported("editor", FORMAT, config, {"direction": direction}, KeyReport(("array",)), notes=(note,))


IMPORTER = Importer(FORMAT, "editor", _recognises, _read)
