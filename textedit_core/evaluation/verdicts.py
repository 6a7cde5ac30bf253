"""When an edit counts as done, read from the attribute judge: one table, with the thresholds that the captions of the data use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textedit_core.synthetic.attributes import HAIR_COLORS, STYLES
from textedit_core.synthetic.captions import CHILD_BELOW_YEARS, SMILE_FROM

# What the attribute judge says of N pictures: [N] per number, [N,C] per choice between C classes.
Attributes = dict[str, NDArray[np.float64]]

PRESENT_FROM = 0.5
AGED_FROM_YEARS = 60.0
SURPRISED_MOUTH_FROM = 0.3
# A fall of the score that is still called monotone: what the judge's own noise makes of two nearly equal pictures.
SCORE_TOLERANCE = 0.02
AGE_TOLERANCE_YEARS = 1.0


@dataclass(frozen=True)
class Verdict:
    """One row of the table.

    Attributes:
        rule: when the edit counts as done, in words.
        judged_by: the attributes that the rule reads.
        score: the number that the edit should move, [N]; for choices the probability of the wanted class.
        success: whether the edit is done, bool [N].
        direction: 1 when a successful edit raises the score, -1 when it lowers it.
        tolerance: a step of the score against the direction that still counts as monotone, in the score's unit.
        unit: the unit of the score.
        restyles: the edit redraws the whole picture, its background too.
        colourless: the result shows no colour of hair or skin.
    """

    rule: str
    judged_by: tuple[str, ...]
    score: Callable[[Attributes], NDArray[np.float64]]
    success: Callable[[Attributes], NDArray[np.bool_]]
    direction: int = 1
    tolerance: float = SCORE_TOLERANCE
    unit: str = "0 to 1"
    restyles: bool = False
    colourless: bool = False


def _at_least(name: str, threshold: float) -> Verdict:
    return Verdict(f"{name} >= {threshold:g}", (name,), lambda seen: seen[name], lambda seen: seen[name] >= threshold)


def _age(rule: str, direction: int, success: Callable[[NDArray[np.float64]], NDArray[np.bool_]]) -> Verdict:
    name = "age_years"
    return Verdict(rule, (name,), lambda seen: seen[name], lambda seen: success(seen[name]), direction, AGE_TOLERANCE_YEARS, "years")


def _most_likely(name: str, classes: tuple[str, ...], wanted: str) -> Verdict:
    index = classes.index(wanted)
    return Verdict(
        f"{name}: {wanted} most likely of {', '.join(classes)}",
        (name,),
        lambda seen: seen[name][:, index],
        lambda seen: seen[name].argmax(1) == index,
        restyles=name == "style",
        colourless=wanted == "sketch",
    )


def _surprise(seen: Attributes) -> NDArray[np.float64]:
    """The weaker of brows and mouth, each as a multiple of its threshold, so that PRESENT_FROM is where both are reached."""
    return np.minimum(seen["brow_raise"], PRESENT_FROM / SURPRISED_MOUTH_FROM * seen["mouth_open"])


VERDICTS: dict[str, Verdict] = {
    "smile": _at_least("smile", SMILE_FROM),
    "child": _age(f"age_years < {CHILD_BELOW_YEARS:g}", -1, lambda age: age < CHILD_BELOW_YEARS),
    "aged": _age(f"age_years >= {AGED_FROM_YEARS:g}", 1, lambda age: age >= AGED_FROM_YEARS),
    "sketch": _most_likely("style", STYLES, "sketch"),
    "cartoon": _most_likely("style", STYLES, "cartoon"),
    "glasses": _at_least("glasses", PRESENT_FROM),
    "blond": _most_likely("hair_color", HAIR_COLORS, "blond"),
    "grey": _most_likely("hair_color", HAIR_COLORS, "grey"),
    "surprised": Verdict(
        f"brow_raise >= {PRESENT_FROM:g} and mouth_open >= {SURPRISED_MOUTH_FROM:g}",
        ("brow_raise", "mouth_open"),
        _surprise,
        lambda seen: _surprise(seen) >= PRESENT_FROM,
    ),
    "sad": _at_least("sad", PRESENT_FROM),
    "angry": _at_least("angry", PRESENT_FROM),
    "eyes_closed": _at_least("eyes_closed", PRESENT_FROM),
}
