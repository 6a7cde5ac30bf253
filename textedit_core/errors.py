"""The errors a user can cause, each printed as one line and mapped to an exit status."""

from __future__ import annotations


class TexteditError(Exception):
    """Base of every error that this project raises on purpose; `exit_code` is the process status."""

    exit_code = 1


class UserError(TexteditError):
    """Bad input or environment: a damaged file, a missing folder, a full disk (exit status 1)."""


class UsageError(TexteditError):
    """A name that does not exist: unknown target, prompt, precision, preset (exit status 2)."""

    exit_code = 2


def unknown_name(kind: str, name: str, valid: list[str], owner: str) -> UsageError:
    """Builds the error for a misspelt name: `unknown prompt 'smlie'; this checkpoint has: child, smile`."""
    return UsageError(f"unknown {kind} {name!r}; {owner}: {', '.join(sorted(valid)) or 'none'}")
