"""What has been tried: one line of JSON per case, written as soon as it is known, so that a run can be broken off at any time."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from textedit_core.errors import UserError

_NAME = "journal.jsonl"
FAILED = "FAILED"


@dataclass(frozen=True)
class Entry:
    """One case: the fault's name, its number, the word for how it ended or `FAILED`, why it failed, and numbers in bytes."""

    fault: str
    number: int
    word: str
    reason: str = ""
    sizes: dict[str, float] = field(default_factory=dict)


class Journal:
    """The cases of one seed in a folder; those of other seeds have journals of their own.

    Args:
        folder: where it lies; made if need be.
        seed: of the run.

    Raises:
        UserError: the folder cannot be written, or the journal is damaged.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._path = folder / f"seed-{seed}-{_NAME}"
        self._entries: dict[tuple[str, int], Entry] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            text = self._path.read_text("utf8") if self._path.exists() else ""
            # A run that was killed while it wrote leaves half a line, whose case is tried again.
            whole = text[: text.rfind("\n") + 1]
            self._path.write_text(whole, "utf8")
            for line in whole.splitlines():
                self._take(Entry(**json.loads(line)))
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{str(self._path)!r} cannot be continued ({error}); delete it to begin anew") from None

    def _take(self, entry: Entry) -> None:
        self._entries[entry.fault, entry.number] = entry

    def has(self, fault: str, number: int) -> bool:
        """Whether this case has been tried."""
        return (fault, number) in self._entries

    def add(self, entry: Entry) -> None:
        """Writes down how a case ended."""
        with self._path.open("a", encoding="utf8") as stream:
            stream.write(json.dumps(asdict(entry)) + "\n")
        self._take(entry)

    def of(self, fault: str, count: int) -> list[Entry]:
        """The first `count` cases of a fault, as far as they were tried."""
        return [self._entries[fault, number] for number in range(count) if self.has(fault, number)]
