"""Which results in a folder are finished, so that the same command goes on where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path

from textedit_core.errors import UserError
from textedit_core.hashing import sha256_of_file

JOURNAL_NAME = ".textedit-edits.jsonl"


class EditJournal:
    """One line of JSON per finished result; the last line of a name counts, and a line that a crash cut off counts nothing.

    Args:
        folder: where the results lie; must exist.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL_NAME
        self._entries: dict[str, tuple[str, str, str]] = {}
        for line in self._path.read_text("utf8", "replace").splitlines() if self._path.is_file() else []:
            try:
                entry = json.loads(line)
                self._entries[entry["name"]] = (entry["source"], entry["settings"], entry["result"])
            except (ValueError, TypeError, KeyError):
                continue

    def is_done(self, target: Path, source: str, settings: str) -> bool:
        """Whether `target` was made from this photo (its SHA-256) with these settings (a digest), and has not changed since."""
        entry = self._entries.get(target.name)
        return entry is not None and entry[:2] == (source, settings) and target.is_file() and sha256_of_file(target) == entry[2]

    def enter(self, target: Path, source: str, settings: str) -> None:
        """Notes a finished result.

        Raises:
            UserError: the journal cannot be written.
        """
        result = sha256_of_file(target)
        line = json.dumps({"name": target.name, "source": source, "settings": settings, "result": result})
        try:
            with self._path.open("a", encoding="utf8") as stream:
                # A line that a crash cut off must not swallow this one.
                stream.write(f"\n{line}\n" if stream.tell() else f"{line}\n")
        except OSError as error:
            raise UserError(f"cannot write {str(self._path)!r}: {error.strerror or error}") from None
        self._entries[target.name] = (source, settings, result)
