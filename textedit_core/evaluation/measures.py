"""One number per group and measure: what an edited picture is compared with, and how a row of them is summed up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from textedit_core.evaluation.bootstrap import estimate
from textedit_core.evaluation.drift import change, unchanged
from textedit_core.evaluation.panel import Judges, Shown, background_drift, perceptual_distance, psnr_db
from textedit_core.evaluation.verdicts import Verdict

Measures = dict[str, NDArray[np.float64]]

# Compared group by group with the fp32 row, so that the price of a precision has an interval of its own.
PAIRED = ("success", "score", "psnr_to_truth_db", "perceptual_to_truth", "identity_to_photo", "recogniser_to_photo", "background_drift")


_DRIFT_KEYS = (("change", "drift"), ("unchanged", "unchanged"))


@dataclass(frozen=True)
class Question:
    """What is asked of every row of one prompt; the N pictures are in the same order everywhere.

    Attributes:
        photos: the source pictures.
        truth: the partners; None for a prompt without ground truth.
        background: bool [N,C,C] where no figure is; None when the edit redraws the background too.
        verdict: the edit's; None for a prompt without ground truth.
        others: the attributes that the edit has to leave alone.
    """

    photos: Shown
    truth: Shown | None
    background: Tensor | None
    verdict: Verdict | None
    others: tuple[str, ...]

    def rows(self, chosen: Sequence[int]) -> Question:
        """The same question about the chosen groups alone."""
        truth = None if self.truth is None else self.truth.rows(chosen)
        background = None if self.background is None else self.background[list(chosen)]
        return Question(self.photos.rows(chosen), truth, background, self.verdict, self.others)


def measure(judges: Judges, question: Question, edited: Shown, unedited: Shown) -> Measures:
    """Measures a row of edited pictures.

    Args:
        judges: for the perceptual distance.
        question: what to compare with.
        edited: N edited pictures.
        unedited: what the same row shows without an edit: its reconstructions, or the photos for the ground truth.

    Returns:
        By name, float [N]; NaN or infinity where a measure does not apply to a group. `drift/A` and `unchanged/A` per attribute A.
    """
    numbers: Measures = {
        "identity_to_reconstruction": _cosine(edited, unedited),
        "identity_to_photo": _cosine(edited, question.photos),
        **_recognised("recogniser_to_reconstruction", edited, unedited),
        **_recognised("recogniser_to_photo", edited, question.photos),
    }
    if question.verdict is not None:
        numbers["success"] = question.verdict.success(edited.attributes).astype(np.float64)
        numbers["score"] = question.verdict.score(edited.attributes)
    if question.truth is not None:
        numbers["psnr_to_truth_db"] = psnr_db(edited.images, question.truth.images)
        numbers["perceptual_to_truth"] = perceptual_distance(judges, edited.images, question.truth.images)
    if question.background is not None:
        numbers["background_drift"] = background_drift(edited.images, unedited.images, question.background)
    for name in question.others:
        numbers[f"drift/{name}"] = change(name, unedited.attributes, edited.attributes)
        numbers[f"unchanged/{name}"] = unchanged(name, unedited.attributes, edited.attributes).astype(np.float64)
    if question.others:
        numbers["unchanged"] = np.mean([numbers[f"unchanged/{name}"] for name in question.others], axis=0)
    return numbers


def summarise(numbers: Measures, seed: int) -> dict[str, Any]:
    """Estimates of every measure; those of single attributes are gathered below `drift`."""
    plain = summarise_plain({name: values for name, values in numbers.items() if "/" not in name}, seed)
    names = [name.split("/")[1] for name in numbers if name.startswith("drift/")]
    drift = {name: {of: estimate(numbers[f"{prefix}/{name}"], seed) for of, prefix in _DRIFT_KEYS} for name in names}
    return {"groups": len(next(iter(numbers.values()))), **plain, "drift": drift}


def summarise_plain(numbers: Measures, seed: int) -> dict[str, Any]:
    """The estimate of every measure, by name."""
    return {name: estimate(values, seed) for name, values in numbers.items()}


def paired_difference(numbers: Measures, reference: Mapping[str, NDArray[np.float64]], chosen: Sequence[int], seed: int) -> dict[str, Any]:
    """Estimates of `numbers` minus the reference row on the same groups; `chosen` are the reference's rows that `numbers` covers."""
    common = [name for name in PAIRED if name in numbers and name in reference]
    with np.errstate(invalid="ignore"):
        return {name: estimate(numbers[name] - reference[name][list(chosen)], seed) for name in common}


def measure_reconstruction(
    judges: Judges, gallery: Shown, unedited: Shown, identities: NDArray[np.int64], chosen: Sequence[int]
) -> Measures:
    """How well photos come back, per group [N]: PSNR, perceptual distance, identity, and whether the person is found again.

    Args:
        judges: who judge.
        gallery: all photos of the set.
        unedited: the reconstructions [N] of the `chosen` photos.
        identities: who is on each photo of the gallery.
        chosen: rows of the gallery.

    `identified` is 1 when, among all photos of the gallery, the one most like the reconstruction shows the same person.
    """
    photos, people = gallery.rows(list(chosen)), identities[list(chosen)]
    nearest = (unedited.identity @ gallery.identity.T).argmax(1)
    return {
        "psnr_db": psnr_db(unedited.images, photos.images),
        "perceptual": perceptual_distance(judges, unedited.images, photos.images),
        "identity_cosine": _cosine(unedited, photos),
        "identified": (identities[nearest] == people).astype(np.float64),
        **_recognised("recogniser_cosine", unedited, photos),
    }


def _cosine(first: Shown, second: Shown) -> NDArray[np.float64]:
    return (first.identity * second.identity).sum(1)


def _recognised(name: str, first: Shown, second: Shown) -> Measures:
    """The cosine of the recogniser from elsewhere under `name`; nothing without one."""
    if first.recognised is None or second.recognised is None:
        return {}
    return {name: (first.recognised * second.recognised).sum(1)}
