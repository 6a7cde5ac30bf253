"""Forms take turns, and a slow one is run once."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from benchmarks import timing
from benchmarks.timing import interleaved_times, stopwatch


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "PAUSE_SECONDS", 0.0)


def form(order: list[str], name: str, milliseconds: float) -> Callable[[], float]:
    """Something that always says that it took so long."""

    def once() -> float:
        order.append(name)
        return milliseconds

    return once


def test_each_round_begins_with_another_form() -> None:
    order: list[str] = []
    times = interleaved_times({name: form(order, name, float(number)) for number, name in enumerate("abc")}, 3, 1)
    assert "".join(order) == "abc" + "abc" + "bca" + "cab"
    assert times == {"a": [0.0] * 3, "b": [1.0] * 3, "c": [2.0] * 3}


def test_a_slow_form_is_run_once() -> None:
    order: list[str] = []
    forms = {"quick": form(order, "q", 1.0), "slow": form(order, "s", 70_000.0)}
    times = interleaved_times(forms, 2, 2, slow_ms=5000.0)
    # Once while warming up, when it was found to be slow.
    assert order.count("s") == 1 and order.count("q") == 4
    assert times == {"quick": [1.0, 1.0], "slow": [70_000.0]}


def test_without_warm_up_nothing_is_slow() -> None:
    assert interleaved_times({"slow": form([], "s", 1e9)}, 2, 0, slow_ms=math.inf) == {"slow": [1e9, 1e9]}


def test_a_stopwatch_runs_once_with_its_value() -> None:
    seen: list[int] = []
    assert stopwatch(seen.append, 7)() >= 0.0
    assert seen == [7]
