"""Tiny untrained judges, and a dataset of noise in memory."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from textedit_core.judges.config import AttributeJudgeConfig, IdentityJudgeConfig, JudgesConfig
from textedit_core.judges.networks import AttributeNet, IdentityJudgeNet
from textedit_core.judges.store import Judges, judges_of
from textedit_core.synthetic.attributes import HAIR_COLORS, STYLES

TINY = JudgesConfig(
    AttributeJudgeConfig("test_resnet", (), image_size=32),
    IdentityJudgeConfig(trunk_options=(("growth_rate", 4), ("block_config", (1, 1, 1, 1))), image_size=32, embed_dim=8),
)


class NoiseFaces:
    """24 noise pictures of 32 px, 6 people, with every style and hair colour among their labels."""

    def __init__(self) -> None:
        self.pixels = torch.rand(24, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2.0 - 1.0
        self.identities = torch.arange(24) // 4
        self.num_identities = 6
        # Two numbers of the person and two of the view; the last one never changes.
        person = torch.randn(6, 2, generator=torch.Generator().manual_seed(1))[self.identities]
        self.scene_codes = torch.cat([person, torch.arange(24.0)[:, None], torch.ones(24, 1)], dim=1)
        self.labels: list[dict[str, Any]] = [{"attributes": _attributes(number)} for number in range(24)]

    def __len__(self) -> int:
        return 24

    def images(self, indices: Tensor | list[int]) -> Tensor:
        return self.pixels[torch.as_tensor(indices)]


def _attributes(number: int) -> dict[str, float | str]:
    shares = ("brow_raise", "mouth_open", "sad", "angry", "eyes_closed", "glasses")
    values: dict[str, float | str] = {name: float((number + i) % 3 == 0) for i, name in enumerate(shares)}
    values |= {"smile": (number % 4) / 4.0, "male": float(number // 4 % 2), "melanin": 0.3, "age_years": 4.0 + 3.0 * number}
    return {**values, "yaw": number - 12.0, "pitch": 1.0, "hair_color": HAIR_COLORS[number % 6], "style": STYLES[number % 3]}


@pytest.fixture
def noise_faces() -> NoiseFaces:
    """A small stand-in for FaceDataset."""
    return NoiseFaces()


@pytest.fixture(scope="session")
def tiny_config() -> JudgesConfig:
    """Networks of a few thousand weights."""
    return TINY


@pytest.fixture(scope="session")
def tiny_judges() -> Judges:
    """Untrained judges of the tiny config."""
    torch.manual_seed(0)
    return judges_of(AttributeNet(TINY.attributes), IdentityJudgeNet(TINY.identity), {}, {})
