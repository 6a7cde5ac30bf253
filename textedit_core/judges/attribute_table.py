"""What the attribute judge reads: one row per attribute, how it is stored in the network's outputs, learnt and read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from textedit_core.synthetic.attributes import HAIR_COLORS, STYLES


@dataclass(frozen=True)
class Attribute:
    """One attribute of a picture.

    Attributes:
        name: its key in a sidecar's `attributes`.
        kind: "share" is a number in 0..1 (an activation or a probability), "quantity" a number with a unit, "choice" one of `choices`.
        choices: the names of a choice, in the order of the judge's probabilities.
        center, scale: a quantity's usual value and spread, in its unit, which make it a number about 0 with spread 1.
        mirror_sign: what a quantity is multiplied by when the picture is mirrored.
        weight: of its loss in the sum; what evaluations decide by, and small details, weigh more.
        unseen_styles: styles in which the attribute cannot be seen, so that nothing is learnt or measured there.
    """

    name: str
    kind: Literal["share", "quantity", "choice"]
    choices: tuple[str, ...] = ()
    center: float = 0.0
    scale: float = 1.0
    mirror_sign: float = 1.0
    weight: float = 1.0
    unseen_styles: tuple[str, ...] = ()

    @property
    def outputs(self) -> int:
        """How many numbers the network gives for it."""
        return max(len(self.choices), 1)

    def read(self, outputs: Tensor) -> Tensor:
        """Network outputs float [N,outputs] -> values: shares and quantities float32 [N], choices probabilities float32 [N,C]."""
        outputs = outputs.float()
        if self.kind == "choice":
            return outputs.softmax(dim=-1)
        return outputs[:, 0].sigmoid() if self.kind == "share" else outputs[:, 0] * self.scale + self.center

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Loss per picture, float32 [N]: cross-entropy with a soft or a hard target, or smooth L1 of the standardised quantity.

        Args:
            outputs: float [N,outputs].
            target: [N]; shares 0..1, quantities in their unit, choices as indices.
        """
        outputs = outputs.float()
        if self.kind == "choice":
            return F.cross_entropy(outputs, target.long(), reduction="none")
        if self.kind == "share":
            return F.binary_cross_entropy_with_logits(outputs[:, 0], target, reduction="none")
        return F.smooth_l1_loss(outputs[:, 0], (target - self.center) / self.scale, reduction="none", beta=0.3)


# A pencil drawing has no colour. Centres and scales are those of the sampler's distributions, rounded.
ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("smile", "share", weight=3.0),
    Attribute("brow_raise", "share", weight=2.0),
    Attribute("mouth_open", "share", weight=2.0),
    Attribute("sad", "share", weight=2.0),
    Attribute("angry", "share", weight=2.0),
    Attribute("eyes_closed", "share", weight=2.0),
    Attribute("male", "share"),
    Attribute("glasses", "share", weight=2.0),
    Attribute("melanin", "share", unseen_styles=("sketch",)),
    Attribute("age_years", "quantity", center=30.0, scale=20.0, weight=3.0),
    Attribute("yaw", "quantity", scale=10.0, mirror_sign=-1.0),
    Attribute("pitch", "quantity", scale=4.0),
    Attribute("hair_color", "choice", HAIR_COLORS, unseen_styles=("sketch",)),
    Attribute("style", "choice", STYLES),
)


def targets_of(labels: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Ground truth of pictures as float32 [N] per attribute; choices as indices.

    Args:
        labels: the `attributes` of N sidecars.
    """
    return {a.name: torch.tensor([_number(a, label[a.name]) for label in labels], dtype=torch.float32) for a in ATTRIBUTES}


def seen(attribute: Attribute, labels: Sequence[Mapping[str, Any]]) -> Tensor:
    """Which of N pictures show the attribute at all: bool [N]."""
    return torch.tensor([label["style"] not in attribute.unseen_styles for label in labels], dtype=torch.bool)


def mirrored_targets(targets: Mapping[str, Tensor], mirrored: Tensor) -> dict[str, Tensor]:
    """Ground truth after some of the pictures were mirrored (bool [N]): only the yaw changes, to the other side."""
    signs = {a.name: 1.0 + (a.mirror_sign - 1.0) * mirrored.float() for a in ATTRIBUTES}
    return {name: target * signs[name] for name, target in targets.items()}


def _number(attribute: Attribute, value: float | str) -> float:
    return float(attribute.choices.index(str(value))) if attribute.kind == "choice" else float(value)
