"""Judges and counterfactual groups whose every verdict is known in advance, for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from textedit_core.evaluation.drift import TRAITS
from textedit_core.synthetic.attributes import HAIR_COLORS, STYLES
from textedit_core.synthetic.counterfactual_set import CounterfactualGroup, Member

SIDE = 32
LABEL: dict[str, Any] = {
    **{name: 0.0 for name in ("smile", "brow_raise", "mouth_open", "sad", "angry", "eyes_closed", "male", "glasses", "yaw", "pitch")},
    "age_years": 30.0,
    "melanin": 0.3,
    "hair_color": "brown",
    "style": "photo",
}


class BrightnessJudges:
    """Reads the smile off the red, 0 to 1, and the age off the green, 0 to 100 years; everything else never changes."""

    def __init__(self) -> None:
        figure = {"value": 0.98, "low": 0.97, "high": 0.99, "n": 500}
        self.card = {
            "attributes": {name: {"accuracy": figure} for name in TRAITS},
            "identity": {"all": {"accuracy": figure}},
        }

    def attributes(self, images: Tensor) -> dict[str, Tensor]:
        red, green, _ = ((images + 1.0) / 2.0).mean((2, 3)).unbind(1)
        still = {name: torch.zeros(len(images)) for name, trait in TRAITS.items() if trait.kind != "choice"}
        choices = {"hair_color": len(HAIR_COLORS), "style": len(STYLES)}
        first = {name: F.one_hot(torch.zeros(len(images), dtype=torch.long), count).float() for name, count in choices.items()}
        return {**still, **first, "smile": red, "age_years": 100.0 * green}

    def identity(self, images: Tensor) -> Tensor:
        return F.normalize(F.adaptive_avg_pool2d(images, 4).flatten(1), dim=1)

    def perceptual_distance(self, first: Tensor, second: Tensor) -> Tensor:
        return (first - second).abs().mean((1, 2, 3))


class NoiseGroups:
    """Sixteen groups of eight people: noise faces with a square figure, and partners with more red (smile) or less green (child)."""

    def __init__(self, count: int = 16) -> None:
        self._count = count
        self.edits: tuple[str, ...] = ("smile", "child", "sketch")

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> CounterfactualGroup:
        rng = np.random.default_rng(index)
        image = rng.integers(40, 160, (SIDE, SIDE, 3), dtype=np.uint8)
        figure = np.zeros((SIDE, SIDE), bool)
        figure[8:24, 8:24] = True
        smiling, child = image.copy(), image.copy()
        smiling[..., 0] = 220
        child[..., 1] = 10
        partners = {
            "smile": _member(smiling, figure, smile=1.0),
            "child": _member(child, figure, age_years=8.0, hair_color="blond"),
            "sketch": _member(255 - image, figure, style="sketch"),
        }
        return CounterfactualGroup(19 + 20 * (index // 2), _member(image, figure), partners)


def _member(image: np.ndarray, figure: np.ndarray, **changed: object) -> Member:
    return Member(image, {**LABEL, **changed}, figure, np.zeros((5, 2)))
