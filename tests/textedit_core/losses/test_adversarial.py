"""Behaviour of the discriminator and closed-form values of the adversarial losses."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from textedit_core.losses.adversarial import (
    BlurPool,
    Discriminator,
    R1Penalty,
    discriminator_loss,
    generator_loss,
    with_minibatch_deviation,
)


def test_logistic_losses_at_zero() -> None:
    zero = torch.zeros(3)
    assert generator_loss(zero).item() == pytest.approx(math.log(2))  # softplus(0) = ln 2
    assert discriminator_loss(zero, zero).item() == pytest.approx(2 * math.log(2))


def test_generator_loss_does_not_saturate() -> None:
    logits = torch.tensor([-20.0], requires_grad=True)
    generator_loss(logits).backward()
    # d softplus(-x) / dx = -sigmoid(-x), which is -1 where the discriminator is sure.
    assert logits.grad.item() == pytest.approx(-1.0, abs=1e-6)


class _Sum(nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return 3.0 * image.flatten(1).sum(dim=1)


def test_r1_of_a_linear_judge() -> None:
    # Gradient 3 at each of 3*2*2 = 12 numbers: 12 * 9 = 108; times interval 16 * gamma 0.5 / 2.
    assert R1Penalty(gamma=0.5, interval=16)(_Sum(), torch.zeros(2, 3, 2, 2)).item() == pytest.approx(108 * 4.0)


def test_blur_pool_keeps_a_constant_and_drops_the_finest_stripes() -> None:
    pool = BlurPool(1)
    assert pool(torch.ones(1, 1, 8, 8))[..., 1:-1, 1:-1].unique().tolist() == pytest.approx([1.0])
    stripes = torch.tensor([1.0, -1.0]).repeat(4).expand(1, 1, 8, 8)
    # (1, 3, 3, 1) . (+, -, +, -) = 0: the binomial filter has a zero at the Nyquist frequency.
    assert pool(stripes)[..., 1:-1, 1:-1].abs().max().item() == pytest.approx(0.0, abs=1e-6)


def test_minibatch_deviation_sees_a_collapsed_batch() -> None:
    features = torch.zeros(2, 1, 4, 4)
    assert with_minibatch_deviation(features)[:, 1].max().item() < 1e-3
    features[0] = 2.0
    # Values 2 and 0: population standard deviation 1 everywhere.
    assert with_minibatch_deviation(features)[:, 1].unique().tolist() == pytest.approx([1.0])


def test_discriminator_learns_to_tell_black_from_white() -> None:
    torch.manual_seed(0)
    judge = Discriminator(resolution=16, base_channels=4, max_channels=8)
    optimiser = torch.optim.Adam(judge.parameters(), lr=1e-2)
    real, fake = torch.ones(4, 3, 16, 16), -torch.ones(4, 3, 16, 16)
    for _ in range(20):
        optimiser.zero_grad()
        loss = discriminator_loss(judge(real), judge(fake)) + R1Penalty(0.01, 1)(judge, real)
        loss.backward()
        optimiser.step()
    assert judge(real).min() > judge(fake).max()


def test_logits_are_float32_under_autocast() -> None:
    judge = Discriminator(resolution=8, base_channels=4, max_channels=4)
    with torch.autocast("cpu", torch.bfloat16):
        assert judge(torch.zeros(2, 3, 8, 8)).dtype == torch.float32


@pytest.mark.parametrize("resolution", [4, 48])
def test_bad_resolution_is_refused(resolution: int) -> None:
    with pytest.raises(ValueError, match=f"{resolution} must be a power of two"):
        Discriminator(resolution)
