"""Closed-form values of the image losses."""

from __future__ import annotations

import pytest
import torch

from textedit_core.losses.reconstruction import (
    GradientL1Loss,
    MultiScaleL1Loss,
    PerceptualLoss,
    feature_distance,
    landmark_weight,
    weighted_mean,
)


def test_multi_scale_l1_of_a_constant_offset_is_the_offset() -> None:
    target = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    # A box filter keeps a constant: every one of the three scales contributes 0.25.
    assert MultiScaleL1Loss(3)(target + 0.25, target).item() == pytest.approx(0.25, abs=1e-6)


def test_multi_scale_l1_of_a_checkerboard_vanishes_after_one_halving() -> None:
    rows, columns = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    board = ((rows + columns) % 2 * 2 - 1).float().expand(1, 3, 8, 8)
    # |+-1| = 1 at full size; every 2x2 box averages to 0; so (1 + 0 + 0) / 3.
    assert MultiScaleL1Loss(3)(board, torch.zeros_like(board)).item() == pytest.approx(1 / 3)


def test_gradient_l1_of_a_ramp_is_half_its_slope() -> None:
    ramp = (0.1 * torch.arange(8.0)).expand(1, 3, 8, 8)
    # 0.1 per pixel across, 0 down, averaged.
    assert GradientL1Loss()(ramp, torch.zeros_like(ramp)).item() == pytest.approx(0.05, abs=1e-6)


def test_gradient_l1_ignores_brightness() -> None:
    target = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert GradientL1Loss()(target + 0.5, target).item() == pytest.approx(0.0, abs=1e-6)


def test_weight_counts_proportions_only() -> None:
    values = torch.tensor([[[[1.0, 3.0]]]])
    weight = torch.tensor([[[[3.0, 1.0]]]])
    assert weighted_mean(values, weight).item() == pytest.approx((3 * 1 + 1 * 3) / 4)
    assert weighted_mean(values, 10 * weight).item() == pytest.approx(1.5)


def test_uniform_weight_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    image, target = (torch.rand(2, 3, 8, 8, generator=generator) for _ in range(2))
    for loss in (MultiScaleL1Loss(3), GradientL1Loss()):
        weighted = loss(image, target, torch.full((1, 1, 8, 8), 2.0))
        assert weighted.item() == pytest.approx(loss(image, target).item(), rel=1e-5)


def test_feature_distance_of_orthogonal_columns_is_two_per_map() -> None:
    a, b = torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3)
    a[:, 0], b[:, 1] = 5.0, 0.5
    # |e0 - e1|^2 = 2 whatever the magnitudes, for each of the two maps.
    assert feature_distance([a, a], [b, b]).item() == pytest.approx(4.0)


def test_perceptual_gradient_reaches_the_image_only() -> None:
    image, target = (torch.rand(1, 3, 4, 4, requires_grad=True) for _ in range(2))
    PerceptualLoss(lambda x: [x, x**2])(image, target).backward()
    assert image.grad is not None and image.grad.abs().sum() > 0
    assert target.grad is None


def test_landmark_weight_peaks_at_the_landmark() -> None:
    weight = landmark_weight(torch.tensor([[[8.5, 4.5]]]), resolution=16, emphasis=3.0, radius=0.05)
    # Pixel (x=8, y=4) has its centre on the landmark; the far corner is many deviations away.
    assert weight.shape == (1, 1, 16, 16)
    assert weight[0, 0, 4, 8].item() == pytest.approx(4.0)
    assert weight[0, 0, 15, 0].item() == pytest.approx(1.0, abs=1e-4)
