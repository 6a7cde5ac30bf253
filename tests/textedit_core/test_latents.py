"""Latent arithmetic: edits, broadcasting and StyleCLIP's level groups."""

from __future__ import annotations

import pytest
import torch

from textedit_core.latents import apply_edit, broadcast_w, level_groups


def test_edit_moves_by_strength_times_delta() -> None:
    w_plus, delta_w = torch.ones(2, 3, 4), torch.full((2, 3, 4), 2.0)
    assert torch.equal(apply_edit(w_plus, delta_w, 1.5), torch.full((2, 3, 4), 4.0))
    assert torch.equal(apply_edit(w_plus, delta_w, 0.0), w_plus)


def test_broadcast_repeats_w_for_every_level() -> None:
    w = torch.randn(2, 4)
    w_plus = broadcast_w(w, 6)
    assert w_plus.shape == (2, 6, 4)
    assert all(torch.equal(w_plus[:, level], w) for level in range(6))


@pytest.mark.parametrize(("num_ws", "sizes"), [(18, (4, 4, 10)), (12, (4, 4, 4)), (6, (4, 2, 0)), (3, (3, 0, 0))])
def test_groups_cover_every_level_once(num_ws: int, sizes: tuple[int, int, int]) -> None:
    # 18 levels split 4/4/10 in StyleCLIP (Patashnik et al. 2021, section 5); shorter networks fill the groups in order.
    groups = level_groups(num_ws)
    assert list(groups) == ["coarse", "medium", "fine"]
    levels = [list(range(num_ws))[part] for part in groups.values()]
    assert tuple(map(len, levels)) == sizes
    assert sum(levels, []) == list(range(num_ws))
