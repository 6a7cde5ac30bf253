"""The augmentation's matrices against hand-made cases, and the control of its probability."""

from __future__ import annotations

import math

import pytest
import torch

from textedit_core.losses.adaptive_augmentation import (
    CHANGES,
    DRAWS,
    MAX_PROBABILITY,
    AdaptiveAugmentation,
    colour_matrix,
    placement_matrix,
)


def _images(count: int = 8) -> torch.Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2.0 - 1.0


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def _only(*changes: int) -> torch.Tensor:
    on = torch.zeros(1, CHANGES, dtype=torch.bool)
    on[:, list(changes)] = True
    return on


def test_probability_zero_changes_nothing() -> None:
    torch.testing.assert_close(AdaptiveAugmentation(0.6, 100)(_images(), _generator()), _images(), rtol=0, atol=1e-5)


def test_probability_one_changes_every_image_and_keeps_the_shape() -> None:
    augmentation = AdaptiveAugmentation(0.6, 100)
    augmentation.probability.fill_(1.0)
    seen = augmentation(_images(), _generator())
    assert seen.shape == _images().shape and torch.isfinite(seen).all()
    assert ((seen - _images()).abs().flatten(1).mean(1) > 0.05).all()


def test_share_of_changed_images_follows_the_probability() -> None:
    augmentation = AdaptiveAugmentation(0.6, 100)
    augmentation.probability.fill_(0.02)
    images = _images(1).expand(400, 3, 16, 16)
    changed = ((augmentation(images, _generator()) - images).abs().flatten(1).amax(1) > 1e-4).float().mean().item()
    # Of 13 changes with 2% each, three do nothing half of the time or more (mirror, luma flip, a quarter turn of zero).
    assert 1.0 - 0.98**10 - 0.06 < changed < 1.0 - 0.98**13 + 0.06


def test_parts_of_a_batch_are_seen_as_within_it() -> None:
    augmentation = AdaptiveAugmentation(0.6, 100)
    augmentation.probability.fill_(0.7)
    whole = augmentation(_images(), _generator())
    parts = [augmentation(_images()[4 * rank : 4 * rank + 4], _generator(), rank, 2) for rank in (0, 1)]
    torch.testing.assert_close(torch.cat(parts), whole)


@pytest.mark.parametrize(("change", "expected"), [(0, [[-1, 0], [0, 1]]), (1, [[-1, 0], [0, -1]])], ids=["mirror", "half turn"])
def test_mirror_and_half_turn(change: int, expected: list[list[int]]) -> None:
    uniform = torch.full((1, DRAWS), 0.5)
    uniform[:, 7] = 0.0  # the mirror's coin; 0.5 of four quarter turns is two
    matrix = placement_matrix(_only(change), uniform, torch.zeros(1, 7), 16)
    torch.testing.assert_close(matrix[0, :2, :2], torch.tensor(expected).float(), rtol=0, atol=1e-6)


def test_blitting_shifts_by_whole_pixels() -> None:
    matrix = placement_matrix(_only(2), torch.rand(1, DRAWS, generator=_generator()), torch.zeros(1, 7), 16)
    pixels = matrix[0, :2, 2] * 16 / 2  # the picture is 2 wide
    torch.testing.assert_close(pixels, pixels.round())


def test_colours_brightness_contrast_and_hue() -> None:
    uniform, normal = torch.full((1, DRAWS), 0.5), torch.ones(1, 7)
    colour = torch.tensor([0.2, 0.4, 0.6, 1.0])
    brighter = colour_matrix(_only(8), uniform, normal)[0] @ colour
    torch.testing.assert_close(brighter[:3], colour[:3] + 0.2)  # 0.2 times the normal number 1
    stronger = colour_matrix(_only(9), uniform, normal)[0] @ colour
    torch.testing.assert_close(stronger[:3], colour[:3] * math.sqrt(2.0))  # 2^(0.5 * 1)
    uniform[:, 6] = 0.5 + 1.0 / 3.0  # an angle of 120 degrees: red becomes green, green blue, blue red
    turned = colour_matrix(_only(11), uniform, normal)[0] @ colour
    torch.testing.assert_close(turned, torch.tensor([0.6, 0.2, 0.4, 1.0]), rtol=0, atol=1e-6)


def test_luma_flip_and_saturation() -> None:
    uniform, normal = torch.zeros(1, DRAWS), torch.full((1, 7), -50.0)  # saturation 2^-50 is grey
    colour = torch.tensor([0.2, 0.4, 0.6, 1.0])
    flipped = colour_matrix(_only(10), uniform, normal)[0] @ colour
    torch.testing.assert_close(flipped[:3], colour[:3] - 2 * 0.4)  # the mean 0.4 changes its sign
    grey = colour_matrix(_only(12), uniform, normal)[0] @ colour
    torch.testing.assert_close(grey, torch.tensor([0.4, 0.4, 0.4, 1.0]))


def test_probability_rises_while_the_discriminator_is_sure_and_falls_again() -> None:
    augmentation = AdaptiveAugmentation(target=0.6, ramp_images=100)
    heights = []
    for sureness in [1.0] * 40 + [-1.0] * 60:
        augmentation.follow(torch.tensor(sureness), images=5)
        heights.append(augmentation.probability.item())
    assert heights[0] == 0.0  # the average has only begun to rise: 0.25 is below the target
    # 1 - 0.75^k passes 0.6 at the fourth batch; from there 5 of 100 images each.
    assert heights[5] == pytest.approx(3 * 0.05)
    assert max(heights) == pytest.approx(MAX_PROBABILITY)
    assert heights[-1] == 0.0


def test_probability_is_part_of_the_state() -> None:
    first, second = AdaptiveAugmentation(0.6, 100), AdaptiveAugmentation(0.6, 100)
    first.probability.fill_(0.3)
    second.load_state_dict(first.state_dict())
    assert second.probability.item() == pytest.approx(0.3)
