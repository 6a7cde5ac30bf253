"""Memory of a process of its own: what is taken is seen, also when it was given back, and a death is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.memory import in_fresh_process, peak_bytes, require_counters, reset_peak, resident_bytes
from textedit_core.errors import UserError

TAKEN = 64 * 1024**2

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").is_file(), reason="memory is counted by Linux alone")


def take_and_give_back() -> tuple[int, int]:
    """What a block of memory adds to the peak, and to what is resident after it is gone."""
    require_counters()
    bytes(bytearray(2 * TAKEN))
    reset_peak()
    baseline = resident_bytes()
    del (bytearray(b"x") * TAKEN)[:]
    return peak_bytes() - baseline, resident_bytes() - baseline


def die() -> None:
    """Ends without a word, as when the system is out of memory."""
    os._exit(3)


def refuse() -> None:
    """Fails in words."""
    raise UserError("not like this")


def test_the_peak_counts_from_the_baseline() -> None:
    peak, left = in_fresh_process(take_and_give_back)
    # Twice as much was resident before the baseline, which must not count. Linux counts in batches of pages, a few hundred kB off at most.
    assert TAKEN * 0.98 <= peak < TAKEN * 1.25
    assert left < TAKEN / 4


def test_what_goes_wrong_in_the_process_is_told() -> None:
    with pytest.raises(UserError, match="a measuring process died"):
        in_fresh_process(die)
    with pytest.raises(UserError, match="not like this"):
        in_fresh_process(refuse)
