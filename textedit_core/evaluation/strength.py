"""How an edit behaves as its strength grows: the judge's score over strength, and whether it only ever moves the wanted way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from textedit_core.evaluation.bootstrap import estimate, estimate_curve
from textedit_core.evaluation.panel import Shown
from textedit_core.evaluation.verdicts import Verdict
from textedit_core.latents import apply_edit

STRENGTHS: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)


def sweep(draw: Callable[[Tensor], Shown], w_plus: Tensor, delta_w: Tensor, known: Mapping[float, Shown]) -> list[Shown]:
    """Draws w_plus + strength * delta_w, both [N,L,D], at each of STRENGTHS; what is `known` at a strength is not drawn again."""
    return [known[strength] if strength in known else draw(apply_edit(w_plus, delta_w, strength)) for strength in STRENGTHS]


def behaviour(verdict: Verdict, shown: list[Shown], seed: int) -> dict[str, Any]:
    """Sums up a sweep.

    Returns:
        strengths; score (an estimate per strength); monotone (share of faces whose score never steps back by more than the verdict's
        tolerance); spearman (rank correlation of strength and score per face, positive in the wanted direction; faces whose score never
        moves are left out, None when all are).
    """
    scores = np.stack([verdict.score(row.attributes) for row in shown], axis=1)
    return {
        "strengths": list(STRENGTHS),
        "score": estimate_curve(scores, seed),
        "monotone": estimate(monotone(scores * verdict.direction, verdict.tolerance), seed),
        "spearman": estimate(spearman(scores * verdict.direction), seed),
    }


def monotone(scores: NDArray[np.float64], tolerance: float) -> NDArray[np.bool_]:
    """Which rows of scores [N,S] never fall by more than `tolerance` below the highest score so far; bool [N]."""
    below_highest = np.maximum.accumulate(scores, axis=1) - scores
    return np.asarray(below_highest.max(axis=1) <= tolerance)


def spearman(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank correlation [N] of each row of scores [N,S] with its column number; NaN for a constant row. Ties share their mean rank."""
    below = (scores[:, :, None] > scores[:, None, :]).sum(2)
    equal = (scores[:, :, None] == scores[:, None, :]).sum(2)
    ranks = below + 0.5 * (equal - 1)
    order = np.arange(scores.shape[1])
    a, b = ranks - ranks.mean(1, keepdims=True), order - order.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum())
