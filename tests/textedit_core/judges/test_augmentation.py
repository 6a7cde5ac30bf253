"""Worsened pictures: the same for the same generator, in range, mirrored when they say so, and blurred as asked."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from textedit_core.judges.augmentation import augmented, blurred
from textedit_core.judges.config import AugmentationConfig

NOTHING = AugmentationConfig(0, 0, 0, 0, 0, 0, 0, blur_share=0, shrink_share=0, compression_share=0, noise_share=0)


def _pictures() -> torch.Tensor:
    return torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(3)) * 2.0 - 1.0


def _generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_generator_alone_decides() -> None:
    everything = dataclasses.replace(AugmentationConfig(), blur_share=1, shrink_share=1, compression_share=1, noise_share=1)
    first, first_mirrored = augmented(_pictures(), everything, _generator())
    torch.manual_seed(123)
    second, second_mirrored = augmented(_pictures(), everything, _generator())
    assert torch.equal(first, second) and torch.equal(first_mirrored, second_mirrored)
    assert not torch.equal(first, augmented(_pictures(), everything, _generator(6))[0])
    assert first.shape == (8, 3, 32, 32) and first.abs().max() <= 1.0


def test_nothing_asked_nothing_changed() -> None:
    # Resampling on the picture's own grid; the tolerance is float32 interpolation.
    torch.testing.assert_close(augmented(_pictures(), NOTHING, _generator())[0], _pictures(), rtol=0, atol=1e-4)


def test_mirrored_pictures_are_mirrored() -> None:
    images, mirrored = augmented(_pictures(), dataclasses.replace(NOTHING, mirror_share=1.0), _generator())
    assert mirrored.all()
    torch.testing.assert_close(images, _pictures().flip(-1), rtol=0, atol=1e-4)


@pytest.mark.parametrize("share", ["blur_share", "shrink_share", "compression_share", "noise_share"])
def test_each_worsening_changes_a_picture_a_little(share: str) -> None:
    smooth = blurred(_pictures(), torch.full((8,), 2.0))
    worse = augmented(smooth, dataclasses.replace(NOTHING, **{share: 1.0}), _generator())[0]
    difference = (worse - smooth).abs().mean()
    assert 1e-4 < difference < 0.15


def test_blur_spreads_a_point_by_its_standard_deviation() -> None:
    point = torch.zeros(1, 3, 33, 33)
    point[..., 16, 16] = 1.0
    spread = blurred(point, torch.tensor([2.0]))[0, 0]
    offsets = torch.arange(33) - 16.0
    weights = torch.exp(-(offsets**2) / 8.0) * (offsets.abs() <= 5.0)  # a Gaussian of sigma 2, cut at 2.5 sigma
    assert float(spread.sum()) == pytest.approx(1.0, abs=1e-5)
    assert float((spread.sum(dim=0) * offsets**2).sum()) == pytest.approx(float((weights * offsets**2).sum() / weights.sum()), abs=1e-3)
