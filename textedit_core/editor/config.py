"""What an editor is built from, and how the editors of one model differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from textedit_core.errors import unknown_name
from textedit_core.latents import LatentSpec


@dataclass(frozen=True)
class EditorConfig:
    """delta_w predictor: `num_blocks` residual layers of width `hidden_dim` per group; a switched-off group leaves its levels alone.

    Imported editors are of another `kind`: StyleCLIP's "levels_mapper" has `num_blocks` layers of width `w_dim` per group, its
    "single_mapper" one such network for all levels; a "direction" is the same for every face.
    """

    num_ws: int = 12
    w_dim: int = 256
    hidden_dim: int = 48
    num_blocks: int = 2
    coarse: bool = True
    medium: bool = True
    fine: bool = True
    kind: Literal["residual", "levels_mapper", "single_mapper", "direction"] = "residual"

    @property
    def latent(self) -> LatentSpec:
        """The latents that the editor reads and moves."""
        return LatentSpec(self.num_ws, self.w_dim)


def text_editor_config(editor: EditorConfig) -> EditorConfig:
    """The text-conditioned editor that goes with a model's editors: four times as wide, since it holds many edits, and all groups on."""
    return dataclasses.replace(editor, hidden_dim=4 * editor.hidden_dim, coarse=True, medium=True, fine=True)


def prompt_editor_config(editor: EditorConfig, groups: Collection[str]) -> EditorConfig:
    """A model's editor with networks for these level groups alone: what does not move is not stored, nor shipped.

    Raises:
        UsageError: a name is no level group.
    """
    switches = ("coarse", "medium", "fine")
    for name in groups:
        if name not in switches:
            raise unknown_name("level group", name, list(switches), "the groups are")
    coarse, medium, fine = (getattr(editor, name) and name in groups for name in switches)
    return dataclasses.replace(editor, coarse=coarse, medium=medium, fine=fine)
