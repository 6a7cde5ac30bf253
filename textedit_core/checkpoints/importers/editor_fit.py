"""Fits an imported editor to the generator that it will move: its number of levels is the generator's to say."""

from __future__ import annotations

import dataclasses

from textedit_core.checkpoints.importers.contract import Imported
from textedit_core.errors import UserError


def fit_editor(imported: Imported, num_ws: int, w_dim: int, name: str) -> Imported:
    """The editor for w_plus [B,num_ws,w_dim]: a direction that is the same for all levels is repeated.

    Args:
        imported: what an importer of kind "editor" gave.
        num_ws, w_dim: the generator's.
        name: the prompt's id, for the message.

    Raises:
        UserError: the editor is of another width, or holds a direction for another number of levels.
    """
    config = imported.config
    if config.w_dim != w_dim:
        raise UserError(f"editor {name!r} moves latents of {config.w_dim} numbers; the generator's have {w_dim}: take one made for it")
    if config.num_ws == num_ws:
        return imported
    fitted = dataclasses.replace(config, num_ws=num_ws)
    if config.kind == "direction" and config.num_ws == 1:
        return dataclasses.replace(imported, config=fitted, tensors={"direction": imported.tensors["direction"].repeat(num_ws, 1)})
    # StyleCLIP normalises over the levels, so a mapper answers for another number of them in a way that it was not trained for.
    raise UserError(f"editor {name!r} was made for {config.num_ws} levels; the generator has {num_ws}: take one made for its size")
