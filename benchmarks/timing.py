"""The one way in which times are taken: forms in turn, round after round, so that a change of the machine's speed meets all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

# Before each timed run: thread pools spin for a while after their work, at the expense of whatever runs next.
PAUSE_SECONDS = 0.02

Value = TypeVar("Value")
# Runs once and returns the milliseconds that it took.
Timed = Callable[[], float]


def stopwatch(run: Callable[[Value], object], value: Value) -> Timed:
    """`run(value)` as something that reports its own milliseconds."""

    def once() -> float:
        started = time.perf_counter()
        run(value)
        return 1000.0 * (time.perf_counter() - started)

    return once


def interleaved_times(forms: Mapping[str, Timed], rounds: int, warmup: int, slow_ms: float = math.inf) -> dict[str, list[float]]:
    """Times forms in turn; each round begins with another one.

    Args:
        forms: what to time, by name.
        rounds: timed rounds.
        warmup: untimed rounds before those, at least one where `slow_ms` is finite.
        slow_ms: a form whose first warm-up takes longer is not run again; that run is its only sample.

    Returns:
        Milliseconds of each round, by name; sample i of all forms comes from round i.
    """
    slow: dict[str, list[float]] = {}
    for _ in range(warmup):
        for name, timed in forms.items():
            if name not in slow and (first := _after_pause(timed)) > slow_ms:
                slow[name] = [first]
    names = [name for name in forms if name not in slow]
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        start = turn % max(len(names), 1)
        for name in (*names[start:], *names[:start]):
            times[name].append(_after_pause(forms[name]))
    return {**times, **slow}


def _after_pause(timed: Timed) -> float:
    time.sleep(PAUSE_SECONDS)
    return timed()
