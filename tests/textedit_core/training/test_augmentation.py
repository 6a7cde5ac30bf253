"""Random views: the same for two batches, deterministic by the generator, within range, and blurred only where asked."""

from __future__ import annotations

import pytest
import torch

from textedit_core.training.augmentation import SHIFT, View, augmented, draw_view, softened
from textedit_core.training.distributed import Team


def _faces(count: int = 8) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2.0 - 1.0


def _generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_views_stay_in_range_and_change_every_image() -> None:
    faces = _faces()
    seen = augmented(faces, _generator())
    assert seen.shape == faces.shape and seen.abs().max() <= 1.0
    assert ((seen - faces).abs().flatten(1).mean(1) > 0.01).all()


def test_generator_decides_the_view() -> None:
    faces = _faces()
    assert torch.equal(augmented(faces, _generator()), augmented(faces, _generator()))
    assert not torch.equal(augmented(faces, _generator()), augmented(faces, _generator(2)))


def test_one_view_moves_two_batches_alike() -> None:
    view, faces = draw_view(8, _generator()), _faces()
    darker = view(0.5 * faces)
    # All but the added brightness is linear, as long as nothing is clamped.
    expected = 0.5 * (view(faces) - view.brightness) + view.brightness
    unclamped = view(faces).abs() < 1.0
    torch.testing.assert_close(darker[unclamped], expected[unclamped], rtol=0, atol=1e-5)


def test_shift_moves_by_the_fraction_that_it_says() -> None:
    still = torch.eye(2, 3).repeat(1, 1, 1)
    still[0, 0, 2] = 2.0 * SHIFT * 25  # one whole picture width: 25 times 4%
    one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    row = torch.arange(8.0).expand(1, 3, 8, 8) / 8.0
    moved = View(still, one, zero, one, zero)(row)
    # Reflected at the border, a shift by the whole width is the mirror image.
    torch.testing.assert_close(moved, row.flip(-1))


def test_parts_of_a_team_are_parts_of_the_whole() -> None:
    faces = _faces()
    whole = augmented(faces, _generator())
    teams = [Team(rank=rank, size=2) for rank in (0, 1)]
    parts = [augmented(team.shard(faces), _generator(), team) for team in teams]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_softening_removes_stripes_and_keeps_tone() -> None:
    stripes = torch.tensor([1.0, -1.0]).repeat(64).expand(1, 3, 128, 128)
    assert softened(stripes).abs().max() == 0.0  # pairs of opposite stripes average to zero
    assert softened(torch.full((1, 3, 128, 128), 0.5)).unique().tolist() == pytest.approx([0.5])


def test_gradient_passes_through_a_view() -> None:
    faces = _faces().requires_grad_(True)
    augmented(faces, _generator()).sum().backward()
    assert faces.grad is not None and faces.grad.abs().sum() > 0.0
