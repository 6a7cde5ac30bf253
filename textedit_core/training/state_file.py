"""The file that a stage resumes from: written as a whole or not at all, and refused when the settings have changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from textedit_core.atomic import replacing_file
from textedit_core.errors import UserError


def save_state(state: dict[str, Any], path: Path) -> None:
    """Writes a state atomically.

    Raises:
        UserError: the disk is full or the folder cannot be written; the previous file is untouched.
    """
    try:
        with replacing_file(path) as draft:
            _save(state, draft, path)
    except UserError as error:
        raise UserError(f"{error}; the state saved before is intact") from None


def _save(state: dict[str, Any], draft: Path, path: Path) -> None:
    try:
        torch.save(state, draft)
    except RuntimeError as error:
        # So torch reports a disk that is full.
        raise UserError(f"cannot write {str(path)!r}: {str(error).splitlines()[0]}") from None


def load_state(path: Path, settings: Mapping[str, Any], device: torch.device) -> dict[str, Any] | None:
    """Reads a state, or returns None where there is no file.

    Raises:
        UserError: the file is damaged, or was made with other settings; the message names the first that differs.
    """
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        before = state.get("settings", {})
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"cannot resume from {str(path)!r} ({reason}); delete it to start this stage anew") from None
    # What only an older version recorded is a constant now.
    for name in sorted(settings):
        if before.get(name) != settings.get(name):
            raise UserError(
                f"{str(path)!r} was made with {name} {before.get(name)!r}, now it is {settings.get(name)!r}; "
                "give the same value to resume, or delete the file to start this stage anew"
            )
    return state
