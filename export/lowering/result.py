"""What every backend returns, and how operations are counted by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Lowered:
    """A lowered network's operations by name, and those among them that no accelerated backend takes.

    `undelegated` is None where the device's runtime decides that when it loads the file (Core ML, ONNX Runtime).
    """

    operations: dict[str, int]
    undelegated: dict[str, int] | None = None


def count(names: Iterable[str]) -> dict[str, int]:
    """Counts names, sorted by name."""
    return dict(sorted(Counter(names).items()))
