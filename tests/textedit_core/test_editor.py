"""Editors: they start at the unedited face, and a group that is switched off leaves its levels alone."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from textedit_core.editor import PackedTextEditor, PromptEditor, TextConditionedEditor, pack_text, with_text
from textedit_core.editor.config import EditorConfig
from textedit_core.errors import UsageError
from textedit_core.latents import level_groups

CONFIG = EditorConfig(num_ws=12, w_dim=16, hidden_dim=8, num_blocks=1)


def _trained(editor: nn.Module) -> nn.Module:
    """Stands in for training: the last layers leave their zeros."""
    for group in editor.groups.values():
        nn.init.normal_(group.leave.weight)
    return editor.eval().requires_grad_(False)


def test_untrained_editor_changes_nothing() -> None:
    delta_w = PromptEditor(CONFIG)(torch.randn(2, 12, 16))
    assert torch.equal(delta_w, torch.zeros(2, 12, 16))


@pytest.mark.parametrize("off", ["coarse", "medium", "fine"])
def test_switched_off_group_gives_exact_zeros(off: str) -> None:
    torch.manual_seed(0)
    editor = _trained(PromptEditor(dataclasses.replace(CONFIG, **{off: False})))
    delta_w = editor(torch.randn(2, 12, 16))
    assert delta_w.shape == (2, 12, 16)
    for name, levels in level_groups(12).items():
        assert bool((delta_w[:, levels] == 0).all()) is (name == off)


def test_network_too_short_for_fine_levels() -> None:
    torch.manual_seed(0)
    editor = _trained(PromptEditor(dataclasses.replace(CONFIG, num_ws=6)))
    assert "fine" not in editor.groups
    assert editor(torch.randn(2, 6, 16)).shape == (2, 6, 16)


def test_level_is_edited_by_its_own_latent_only() -> None:
    torch.manual_seed(0)
    editor = _trained(PromptEditor(CONFIG))
    w_plus = torch.randn(1, 12, 16)
    changed = w_plus.clone()
    changed[:, 5] = torch.randn(16)
    moved = (editor(changed) - editor(w_plus)).abs().sum(-1)[0] > 0
    assert moved.nonzero().flatten().tolist() == [5]


def test_conditioned_editor_follows_the_text() -> None:
    torch.manual_seed(0)
    editor = TextConditionedEditor(CONFIG, text_dim=10)
    w_plus, text = torch.randn(2, 12, 16), nn.functional.normalize(torch.randn(2, 10), dim=-1)
    assert torch.equal(editor(w_plus, text), torch.zeros(2, 12, 16))
    _trained(editor)
    assert editor(w_plus, text).shape == (2, 12, 16)
    assert not torch.allclose(editor(w_plus, text), editor(w_plus, -text))


def test_conditioned_editor_keeps_switched_off_levels() -> None:
    torch.manual_seed(0)
    editor = _trained(TextConditionedEditor(dataclasses.replace(CONFIG, fine=False), text_dim=10))
    delta_w = editor(torch.randn(1, 12, 16), torch.randn(1, 10))
    assert bool((delta_w[:, 8:] == 0).all()) and bool((delta_w[:, :8] != 0).any())


def test_conditioned_editor_for_one_text_is_an_ordinary_editor() -> None:
    torch.manual_seed(0)
    conditioned = _trained(TextConditionedEditor(CONFIG, text_dim=10))
    text, w_plus = 1.7 * nn.functional.normalize(torch.randn(10), dim=0), torch.randn(3, 12, 16)
    single = conditioned.for_text(text)
    assert isinstance(single, PromptEditor)
    # Equal by algebra; what remains is float32 rounding.
    assert torch.allclose(single(w_plus), conditioned(w_plus, text.expand(3, -1)), rtol=1e-4, atol=1e-5)


def test_length_of_the_text_vector_is_a_factor() -> None:
    torch.manual_seed(0)
    editor = _trained(TextConditionedEditor(CONFIG, text_dim=10))
    text, w_plus = nn.functional.normalize(torch.randn(1, 10), dim=-1), torch.randn(1, 12, 16)
    assert torch.allclose(editor(w_plus, 0.5 * text), 0.5 * editor(w_plus, text), rtol=1e-4, atol=1e-6)


def test_scaled_editor_answers_in_proportion() -> None:
    torch.manual_seed(0)
    editor = _trained(PromptEditor(CONFIG))
    w_plus = torch.randn(2, 12, 16)
    before = editor(w_plus)
    editor.scale(0.3)
    assert torch.allclose(editor(w_plus), 0.3 * before, rtol=1e-4, atol=1e-6)


def test_frozen_groups_take_no_gradient() -> None:
    editor = PromptEditor(CONFIG)
    editor.move_only(("coarse", "fine"))
    assert {name: next(group.parameters()).requires_grad for name, group in editor.groups.items()} == {
        "coarse": True,
        "medium": False,
        "fine": True,
    }
    with pytest.raises(UsageError, match="unknown level group 'mid'; the groups are: coarse, fine, medium"):
        editor.move_only(("mid",))


@pytest.mark.parametrize(("text_dim", "rows"), [(10, 1), (16, 1), (40, 3)])
def test_packed_text_editor_answers_like_the_editor(text_dim: int, rows: int) -> None:
    torch.manual_seed(0)
    editor = _trained(TextConditionedEditor(dataclasses.replace(CONFIG, fine=text_dim != 10), text_dim))
    w_plus, text = torch.randn(2, 12, 16), 0.03 * nn.functional.normalize(torch.randn(text_dim), dim=-1)
    packed = pack_text(text, 16)
    assert packed.shape == (rows, 16) and torch.equal(packed.flatten()[:text_dim], text) and not packed.flatten()[text_dim:].any()
    answer, expected = PackedTextEditor(editor)(with_text(w_plus, packed)), editor(w_plus, text.expand(2, -1))
    # Equal by algebra; what remains is float32 rounding.
    assert torch.allclose(answer, expected, rtol=1e-4, atol=1e-6)


def test_large_latents_do_not_overflow_half_precision() -> None:
    torch.manual_seed(0)
    editor = _trained(PromptEditor(CONFIG))
    w_plus = 300.0 * torch.randn(2, CONFIG.num_ws, CONFIG.w_dim).clamp(-1, 1)  # squares up to 90,000; fp16 ends at 65,504
    with torch.no_grad():
        expected = editor(w_plus)
        halved = editor.half()(w_plus.half()).float()
    # Half precision keeps three digits.
    torch.testing.assert_close(halved, expected, rtol=0.02, atol=0.02 * float(expected.abs().max()))
