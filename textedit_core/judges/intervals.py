"""Bootstrap intervals of figures that were measured on several pictures of each person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
_Array = NDArray[np.float64]


def mean_figure(values: _Array, people: NDArray[np.int64]) -> dict[str, Any]:
    """The mean of values [N] with its 95% percentile interval over resampled people (Efron 1979), since one's pictures are alike.

    Returns:
        value, low, high and n, the number of values; None for the numbers when there are no values.
    """
    if not len(values):
        return {"value": None, "low": None, "high": None, "n": 0}
    sums = np.bincount(people, weights=values)
    counts = np.bincount(people).astype(float)
    return figure(lambda weights: ratio(weights @ sums, weights @ counts), len(sums), len(values))


def figure(statistic: Callable[[_Array], _Array], people: int, n: int) -> dict[str, Any]:
    """A statistic and its 95% percentile bootstrap interval.

    Args:
        statistic: takes how often each person counts, float [R,people], and returns [R]; NaN where it is not defined.
        people: their number.
        n: how many measurements stand behind it, for the record.
    """
    rng = np.random.default_rng(0)
    resampled = rng.multinomial(people, np.full(people, 1.0 / people), size=RESAMPLES).astype(float)
    low, high = np.nanpercentile(statistic(resampled), [2.5, 97.5])
    value = float(statistic(np.ones((1, people)))[0])
    return {"value": round(value, 5), "low": round(float(low), 5), "high": round(float(high), 5), "n": n}


def ratio(part: _Array, whole: _Array) -> _Array:
    """part / whole, NaN where nothing was counted: a resample may miss everyone who has such pictures."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
