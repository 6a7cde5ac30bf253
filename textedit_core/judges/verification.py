"""Does the identity judge tell people apart: verification of pairs of pictures, as benchmarks of face recognition report it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from textedit_core.judges.intervals import figure, ratio

ACROSS_YEARS = 15.0
FALSE_ACCEPTS = 0.01
_Bool = NDArray[np.bool_]
_Array = NDArray[np.float64]


def verification(embeddings: NDArray[np.float32], people: NDArray[np.int64], labels: list[dict[str, Any]]) -> dict[str, Any]:
    """Verification figures by condition.

    Pairs of one person and pairs of two people meet the condition alike: same_style (both photos, both sketches, ...), across_style,
    across_age (more than 15 years apart), same_sex.

    Args:
        embeddings: unit norm, float32 [N,E].
        people: int [N], numbered from 0.
        labels: the N pictures' attributes.

    Returns:
        Per condition: threshold (the cosine where both kinds of error are equally frequent), equal_error_rate (mean of both rates
        there), accuracy (its complement), tar_at_far_1e-2 (share of a person's pairs accepted where 1% of the pairs of two people are),
        each but the threshold with a 95% bootstrap interval over people and n, the number of a person's pairs; people_pairs, the number
        of pairs of two people. None for a condition that lacks one kind of pairs.
    """
    cosine = embeddings @ embeddings.T
    upper = np.triu(np.ones(cosine.shape, dtype=np.bool_), 1)
    return {name: _figures(cosine, upper & pairs, people) for name, pairs in _conditions(labels).items()}


def equal_error_threshold(genuine: NDArray[np.float32], impostor: NDArray[np.float32]) -> float:
    """The cosine below which as large a share of the genuine lies as of the impostors above it."""
    candidates = np.sort(np.concatenate([genuine, impostor]))
    refused = np.searchsorted(np.sort(genuine), candidates) / len(genuine)
    accepted = 1.0 - np.searchsorted(np.sort(impostor), candidates) / len(impostor)
    return float(candidates[np.argmin(np.abs(refused - accepted))])


def _conditions(labels: list[dict[str, Any]]) -> dict[str, _Bool]:
    style = np.array([label["style"] for label in labels])
    age = np.array([label["age_years"] for label in labels], dtype=float)
    male = np.array([label["male"] for label in labels], dtype=float)
    same_style = style[:, None] == style[None, :]
    return {
        "all": np.ones_like(same_style),
        "same_style": same_style,
        "across_style": ~same_style,
        "across_age": np.abs(age[:, None] - age[None, :]) > ACROSS_YEARS,
        "same_sex": male[:, None] == male[None, :],
    }


def _figures(cosine: NDArray[np.float32], pairs: _Bool, people: NDArray[np.int64]) -> dict[str, Any] | None:
    same = people[:, None] == people[None, :]
    genuine, impostor = pairs & same, pairs & ~same
    if not genuine.any() or not impostor.any():
        return None
    threshold = equal_error_threshold(cosine[genuine], cosine[impostor])
    strict = float(np.quantile(cosine[impostor], 1.0 - FALSE_ACCEPTS))
    accepted = _PairShare(genuine, cosine >= threshold, people)
    refused = _PairShare(impostor, cosine < threshold, people)
    strictly = _PairShare(genuine, cosine >= strict, people)
    count, n = int(people.max()) + 1, int(genuine.sum())
    return {
        "threshold": round(threshold, 4),
        "equal_error_rate": figure(lambda weights: 1.0 - 0.5 * (accepted(weights) + refused(weights)), count, n),
        "accuracy": figure(lambda weights: 0.5 * (accepted(weights) + refused(weights)), count, n),
        "tar_at_far_1e-2": figure(strictly, count, n),
        "people_pairs": int(impostor.sum()),
    }


class _PairShare:
    """The share of pairs for which something holds, as a function of how often each person was drawn.

    A pair of two people counts as often as both were drawn together; a pair of one person as often as the person was.
    """

    def __init__(self, pairs: _Bool, holds: _Bool, people: NDArray[np.int64]) -> None:
        count = int(people.max()) + 1
        first, second = np.nonzero(pairs)
        cells = people[first] * count + people[second]
        self.of_one = bool((people[first] == people[second]).all())
        self.pairs = _table(cells, np.ones(len(cells)), count)
        self.holds = _table(cells, holds[first, second].astype(np.float64), count)

    def __call__(self, weights: _Array) -> _Array:
        return ratio(self._total(weights, self.holds), self._total(weights, self.pairs))

    def _total(self, weights: _Array, cells: _Array) -> _Array:
        return weights @ cells.diagonal() if self.of_one else ((weights @ cells) * weights).sum(axis=1)


def _table(cells: NDArray[np.int64], values: _Array, count: int) -> _Array:
    return np.bincount(cells, weights=values, minlength=count * count).astype(np.float64).reshape(count, count)
