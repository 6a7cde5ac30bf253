"""What every backend returns, and how operations are counted by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Lowered:
    """A lowered network's operations, and those among them that no accelerated backend takes.

    Attributes:
        operations: all operations by name.
        undelegated: those left to an interpreter; None where the device's runtime decides that when it loads the file (Core ML, ONNX
            Runtime).
        delegates: calls into an accelerated backend; None likewise.
        planned_bytes: the arena that the runtime's memory plan asks for, delegates' own memory excluded; None where no plan is made.
    """

    operations: dict[str, int]
    undelegated: dict[str, int] | None = None
    delegates: int | None = None
    planned_bytes: int | None = None


def count(names: Iterable[str]) -> dict[str, int]:
    """Counts names, sorted by name."""
    return dict(sorted(Counter(names).items()))
