"""Editors: w_plus [B,L,D] -> delta_w [B,L,D], behind one call."""

from __future__ import annotations

from collections.abc import Callable

from textedit_core.editor.config import EditorConfig
from textedit_core.editor.mapper import DirectionEditor, LevelsMapper, SingleMapper
from textedit_core.editor.networks import (
    LatentEditor,
    PackedTextEditor,
    PromptEditor,
    TextConditionedEditor,
    pack_text,
    text_rows,
    with_text,
)
from textedit_core.errors import unknown_name

EDITORS: dict[str, Callable[[EditorConfig], LatentEditor]] = {
    "residual": PromptEditor,
    "levels_mapper": LevelsMapper,
    "single_mapper": SingleMapper,
    "direction": DirectionEditor,
}


def build_editor(config: EditorConfig) -> LatentEditor:
    """Builds the editor that `config.kind` names.

    Raises:
        UsageError: the kind is unknown.
    """
    if config.kind not in EDITORS:
        raise unknown_name("editor", config.kind, list(EDITORS), "the editors are")
    return EDITORS[config.kind](config)


__all__ = [
    "EDITORS",
    "DirectionEditor",
    "EditorConfig",
    "LatentEditor",
    "LevelsMapper",
    "PackedTextEditor",
    "PromptEditor",
    "SingleMapper",
    "TextConditionedEditor",
    "build_editor",
    "pack_text",
    "text_rows",
    "with_text",
]
