"""Progress on stderr: one line per finished stage, with a spinner on the running one when stderr is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

# Called with target, stage and part whenever one begins.
Progress = Callable[[str, str, str], None]

class StageProgress:
    """Shows stages as they run: call it with target, stage and part whenever one begins; use it as a context manager."""

    def __init__(self) -> None:
        from rich.console import Console

        # The stream is taken now, since backends redirect sys.stderr while their SDK talks.
        self._console = Console(file=sys.stderr, highlight=False)
        self._status: Any = None
        self._current: tuple[str, float] | None = None

    def __enter__(self) -> StageProgress:
        self._status = self._console.status("")
        self._status.start()
        return self

    def __call__(self, target: str, stage: str, part: str) -> None:
        self._finish()
        label = f"{target:<11} {stage:<9} {part}"
        self._current = (label, time.monotonic())
        self._status.update(label)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self._finish()
        self._status.stop()

    def _finish(self) -> None:
        if self._current is not None:
            label, start = self._current
            self._console.print(f"[green]done[/green] {label} [dim]{time.monotonic() - start:.1f} s[/dim]")
            self._current = None
