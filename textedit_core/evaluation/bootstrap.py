"""Means with bootstrap intervals: the groups are drawn again, with replacement, as often as it takes to see how far the mean wanders."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000
CONFIDENCE = 0.95

Estimate = dict[str, float | int]


def estimate(values: ArrayLike, seed: int = 0) -> Estimate | None:
    """Returns the mean of one number per group with its percentile bootstrap interval (Efron and Tibshirani 1993, section 13.3).

    Args:
        values: [N], any unit; booleans count as 0 and 1. What is not finite does not apply to its group and is left out.
        seed: of the resampling; equal seeds and lengths draw the same groups.

    Returns:
        value, low and high in the unit of `values`, and n, how many groups counted; None when none did.
    """
    numbers = np.asarray(values, np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return None
    low, high = np.quantile(resampled_means(numbers, seed), _tails(), axis=0)
    return {"value": float(numbers.mean()), "low": float(low), "high": float(high), "n": len(numbers)}


def estimate_ratio(parts: ArrayLike, wholes: ArrayLike, seed: int = 0) -> Estimate | None:
    """Returns the sum of `parts` over that of `wholes`, with its interval: a mean of ratios [N] that counts each group by its whole.

    Groups with a small whole, whose own ratios wander far, weigh little in it. Arguments and answer as in `estimate`; wholes are positive.
    """
    pairs = np.stack([np.asarray(parts, np.float64), np.asarray(wholes, np.float64)], -1)
    pairs = pairs[np.isfinite(pairs).all(-1)]
    if not len(pairs):
        return None
    means = resampled_means(pairs, seed)
    low, high = np.quantile(means[:, 0] / means[:, 1], _tails())
    part, whole = pairs.sum(0)
    return {"value": float(part / whole), "low": float(low), "high": float(high), "n": len(pairs)}


def estimate_curve(values: ArrayLike, seed: int = 0) -> list[Estimate]:
    """Returns the estimate of every column of finite values [N,S], all from the same resamples."""
    numbers = np.asarray(values, np.float64)
    low, high = np.quantile(resampled_means(numbers, seed), _tails(), axis=0)
    columns = zip(numbers.mean(0), low, high, strict=True)
    return [{"value": float(value), "low": float(a), "high": float(b), "n": len(numbers)} for value, a, b in columns]


def resampled_means(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Means [RESAMPLES, ...] of values [N, ...] over groups drawn with replacement.

    A mean of a resample is a weighted mean with the counts of a multinomial draw, so that one matrix product gives them all.
    """
    return np.tensordot(_counts(len(values), seed), values, axes=(1, 0)) / len(values)


@lru_cache(maxsize=16)
def _counts(count: int, seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1.0 / count), RESAMPLES).astype(np.float64)


def _tails() -> tuple[float, float]:
    return (1.0 - CONFIDENCE) / 2.0, (1.0 + CONFIDENCE) / 2.0
