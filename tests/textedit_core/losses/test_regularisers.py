"""Closed-form values of the latent and identity losses."""

from __future__ import annotations

import math

import pytest
import torch

from textedit_core.errors import UsageError
from textedit_core.losses.identity import IdentityLoss
from textedit_core.losses.latent import LatentChangeLoss, latent_spread


@pytest.mark.parametrize(("norm", "expected"), [("l2", 9.0), ("l1", 3.0)])  # every entry -3: (-3)^2 and |-3|
def test_latent_change_is_per_number(norm: str, expected: float) -> None:
    assert LatentChangeLoss(norm)(torch.full((2, 12, 16), -3.0)).item() == pytest.approx(expected)


def test_one_changed_level_counts_by_its_share() -> None:
    delta_w = torch.zeros(1, 4, 8)
    delta_w[:, 0] = 2.0
    assert LatentChangeLoss("l2")(delta_w).item() == pytest.approx(2.0**2 / 4)  # one of four levels


def test_mahalanobis_is_cheap_along_the_spread_and_dear_across() -> None:
    # Variances 4 and 1 (mean 2.5) with a ridge of 0.03 * 2.5; a change of one of two numbers by 1 costs 1 / (variance + ridge) / 2.
    corners = torch.tensor([[2.0, 1.0], [2.0, -1.0], [-2.0, 1.0], [-2.0, -1.0]])
    loss = LatentChangeLoss("mahalanobis", latent_spread(corners[:, None].expand(-1, 3, -1)))
    along, across = (loss(torch.tensor(step).expand(1, 3, -1)).item() for step in ([1.0, 0.0], [0.0, 1.0]))
    assert along == pytest.approx(1 / (4.0 + 0.075) / 2)
    assert across == pytest.approx(1 / (1.0 + 0.075) / 2)


def test_levels_may_lie_apart_without_counting_as_spread() -> None:
    latents = torch.randn(64, 1, 5, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1)
    apart = latents + torch.tensor([0.0, 10.0, -10.0])[None, :, None]
    assert torch.allclose(latent_spread(latents).precision, latent_spread(apart).precision, rtol=1e-4, atol=1e-4)


def test_norms_count_in_units_of_the_spread() -> None:
    latents = torch.randn(64, 1, 5, generator=torch.Generator().manual_seed(0))
    delta_w = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1))
    for norm in ("l2", "l1", "mahalanobis"):
        one, other = (LatentChangeLoss(norm, latent_spread(scale * latents))(scale * delta_w) for scale in (1.0, 40.0))
        assert one.item() == pytest.approx(other.item(), rel=1e-4)


@pytest.mark.parametrize(
    ("distance", "expected"),
    [("cosine", 1 - 0.6), ("euclidean", math.sqrt(2 * (1 - 0.6))), ("one_minus_match", (1 - 0.6) / 2)],
)
def test_identity_distances_of_a_3_4_5_triangle(distance: str, expected: float) -> None:
    # cos between (1, 0) and (3, 4) is 3/5.
    value = IdentityLoss(distance)(torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
    assert value.item() == pytest.approx(expected, abs=1e-6)


def test_gradients_reach_the_inputs() -> None:
    delta_w = torch.ones(1, 2, 3, requires_grad=True)
    LatentChangeLoss("l2")(delta_w).backward()
    # d mean(x^2) / dx = 2 x / 6.
    assert torch.allclose(delta_w.grad, torch.full((1, 2, 3), 2.0 / 6.0))


def test_unknown_names_list_the_valid_ones() -> None:
    with pytest.raises(UsageError, match="'l3'.*l2, l1, mahalanobis"):
        LatentChangeLoss("l3")
    with pytest.raises(UsageError, match="'arc'.*cosine, euclidean, one_minus_match"):
        IdentityLoss("arc")


def test_identity_refuses_broadcasting() -> None:
    with pytest.raises(ValueError, match="must agree"):
        IdentityLoss("cosine")(torch.zeros(2, 4), torch.zeros(1, 4))
