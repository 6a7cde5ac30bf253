"""What an edit changed besides what it was asked for, read from the attribute judge before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from textedit_core.evaluation.verdicts import PRESENT_FROM, Attributes, Verdict


@dataclass(frozen=True)
class Trait:
    """How an attribute is compared.

    Attributes:
        kind: "amount" is unchanged within `tolerance`; "flag" (a probability) on the same side of one half; "choice" (probabilities of
            classes) with the same class on top.
        tolerance: of an amount, in `unit`.
        unit: of the change; choices change by the total variation of their probabilities.
    """

    kind: Literal["amount", "flag", "choice"]
    tolerance: float = 0.0
    unit: str = "0 to 1"


# Tolerances are about twice what a careful viewer lets pass between two photos of one person.
TRAITS: dict[str, Trait] = {
    **{name: Trait("amount", 0.15) for name in ("smile", "brow_raise", "mouth_open", "sad", "angry", "eyes_closed")},
    "age_years": Trait("amount", 5.0, "years"),
    "male": Trait("flag"),
    "glasses": Trait("flag"),
    "hair_color": Trait("choice"),
    "melanin": Trait("amount", 0.1),
    "yaw": Trait("amount", 3.0, "degrees"),
    "pitch": Trait("amount", 3.0, "degrees"),
    "style": Trait("choice"),
}
# A pencil drawing shows neither; the judge's answer would be a guess.
COLOURS = ("hair_color", "melanin")


def change(name: str, before: Attributes, after: Attributes) -> NDArray[np.float64]:
    """How far an attribute moved, [N], at least 0, in the trait's unit."""
    difference = np.abs(after[name] - before[name])
    return 0.5 * difference.sum(1) if TRAITS[name].kind == "choice" else difference


def unchanged(name: str, before: Attributes, after: Attributes) -> NDArray[np.bool_]:
    """Whether an attribute stayed what it was, within its tolerance; bool [N]."""
    trait = TRAITS[name]
    if trait.kind == "choice":
        return before[name].argmax(1) == after[name].argmax(1)
    if trait.kind == "flag":
        return (before[name] >= PRESENT_FROM) == (after[name] >= PRESENT_FROM)
    return change(name, before, after) <= trait.tolerance


def other_traits(verdict: Verdict | None, sources: Sequence[dict[str, Any]], partners: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """The attributes that an edit has to leave alone: those that differ between source and partner in no group.

    An aged person's hair greys and a smile may open the mouth; the labels of the pictures know.

    Args:
        verdict: the edit's, None for a prompt without ground truth.
        sources: labels of the source pictures.
        partners: labels of the partners, in the same order; empty without ground truth.
    """
    own = set(verdict.judged_by) if verdict else set()
    own |= {name for name in TRAITS if any(_differs(name, a, b) for a, b in zip(sources, partners, strict=False))}
    own |= set(COLOURS) if verdict and verdict.colourless else set()
    return tuple(name for name in TRAITS if name not in own)


def _differs(name: str, first: dict[str, Any], second: dict[str, Any]) -> bool:
    if TRAITS[name].kind == "amount":
        return abs(float(first[name]) - float(second[name])) > TRAITS[name].tolerance
    return first[name] != second[name]
