"""Fits an imported editor to the generator that it will move: its number of levels is the generator's to say."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from textedit_core.checkpoints.importers.contract import Imported
from textedit_core.editor import build_editor
from textedit_core.errors import UserError


def fit_editor(imported: Imported, num_ws: int, w_dim: int, name: str) -> Imported:
    """The editor for w_plus [B,num_ws,w_dim].

    A direction that is the same for all levels is repeated, one of more levels than the generator's loses the last; a mapper whose file
    does not say for how many levels it was made takes the generator's. What is lost or taken so is a note of the result.

    Args:
        imported: what an importer of kind "editor" gave.
        num_ws, w_dim: the generator's.
        name: the prompt's id, for the message.

    Raises:
        UserError: the editor is of another width, or made for another number of levels.
    """
    config = imported.config
    if config.w_dim != w_dim:
        raise UserError(f"editor {name!r} moves latents of {config.w_dim} numbers; the generator's have {w_dim}: take one made for it")
    if config.num_ws == num_ws and not imported.open_levels:
        return imported
    fitted = dataclasses.replace(imported, config=dataclasses.replace(config, num_ws=num_ws), open_levels=False)
    if config.kind == "direction" and config.num_ws == 1:
        return dataclasses.replace(fitted, tensors={"direction": imported.tensors["direction"].repeat(num_ws, 1)})
    if config.kind == "direction" and config.num_ws > num_ws:
        return _shortened(fitted, imported.tensors["direction"], num_ws, name)
    if imported.open_levels:
        return _of_open_levels(fitted, num_ws)
    # StyleCLIP normalises over the levels, so a mapper answers for another number of them in a way that it was not trained for.
    raise UserError(f"editor {name!r} was made for {config.num_ws} levels; the generator has {num_ws}: take one made for its size")


def _shortened(fitted: Imported, direction: Tensor, num_ws: int, name: str) -> Imported:
    kept, lost = direction[:num_ws].contiguous(), direction[num_ws:]
    if not kept.any():
        raise UserError(f"editor {name!r} moves levels from {num_ws} on alone, which this generator does not have; name others")
    notes = fitted.notes
    if lost.any():
        notes = (*notes, f"it has {len(direction)} levels and the generator {num_ws}: its first {num_ws} are taken, the others left out")
    return dataclasses.replace(fitted, tensors={"direction": kept}, notes=notes)


def _of_open_levels(fitted: Imported, num_ws: int) -> Imported:
    """A mapper for the generator's levels; the network of a group that the generator does not have is left out."""
    with torch.device("meta"):
        wanted = build_editor(fitted.config).state_dict()
    tensors = {key: value for key, value in fitted.tensors.items() if key in wanted}
    note = f"its file does not say for how many levels it was made: the generator's {num_ws} are taken"
    return dataclasses.replace(fitted, tensors=tensors, notes=(*fitted.notes, note))
