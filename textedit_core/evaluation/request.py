"""What an evaluation is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from numpy.typing import ArrayLike

# Below this an interval says nothing, and the two folds of the mean direction hold a handful of people.
MIN_GROUPS = 8


@dataclass(frozen=True)
class EvaluateRequest:
    """One run of the evaluation.

    Attributes:
        checkpoint: a checkpoint folder; None is the embedded reference.
        bundles: exported bundles of this checkpoint, each measured through its real runtime.
        counterfactuals: a folder that `render --counterfactuals` wrote; None is the shipped copy.
        judges: a folder of judges; None is the shipped ones.
        recogniser: an ONNX file, another opinion on identity; None asks the judge alone.
        groups: how many counterfactual groups, spread evenly over the set; None takes all.
        prompts: the prompts to measure; None takes all of the checkpoint.
        html: where to write the sheet; None writes none.
        contact_sheet: where to write a plain picture of photos, reconstructions and edits; None writes none.
        photo: a photograph for the check out of domain; None takes the one that scikit-image carries.
        landmarks: its landmarks [5,2] in pixels; None takes the central square of `photo`.
        out_of_domain: whether that check runs.
        bundle_groups: how many groups each bundle is measured on; phone runtimes take one face at a time.
        strength_groups: how many groups the behaviour over strength is measured on.
        seed: of the bootstrap.
    """

    checkpoint: Path | None = None
    bundles: tuple[Path, ...] = ()
    counterfactuals: Path | None = None
    judges: Path | None = None
    recogniser: Path | None = None
    groups: int | None = None
    prompts: tuple[str, ...] | None = None
    html: Path | None = None
    contact_sheet: Path | None = None
    photo: Path | None = None
    landmarks: ArrayLike | None = None
    out_of_domain: bool = True
    bundle_groups: int = 64
    strength_groups: int = 32
    seed: int = 0
