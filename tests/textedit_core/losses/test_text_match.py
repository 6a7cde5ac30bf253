"""Closed-form values of the text-match losses."""

from __future__ import annotations

import math

import pytest
import torch

from textedit_core.errors import UsageError
from textedit_core.losses.text_match import TEXT_MATCH_LOSSES, ContrastiveMatch, build_text_match

AXIS = torch.tensor([1.0, 0.0])
# Rows at 0, 90 and 180 degrees from AXIS.
TURNED = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cosine", (0 + 1 + 2) / 3),  # 1 - cos of 0, 90, 180 degrees
        ("euclidean", (0 + math.sqrt(2) + 2) / 3),  # chords of the unit circle
        ("one_minus_match", (0 + 0.5 + 1) / 3),  # 1 - (1 + cos) / 2
    ],
)
def test_distance_variants_average_the_batch(name: str, expected: float) -> None:
    assert build_text_match(name)(TURNED, AXIS).item() == pytest.approx(expected, abs=1e-6)


def test_embeddings_are_normalised_first() -> None:
    assert build_text_match("euclidean")(5 * TURNED[:1], 3 * AXIS).item() == pytest.approx(0.0, abs=1e-6)


def test_cross_entropy_matches_the_hand_computed_value() -> None:
    # Logits sqrt(2) * (1, 0): p = e^1.41421 / (e^1.41421 + 1) = 0.804429 for the first dimension.
    # Text (1,0), image (0,1): -(p log(1-p) + (1-p) log p) = 0.804429 * 1.631831 + 0.195571 * 0.217623 = 1.355253.
    p = math.exp(math.sqrt(2)) / (math.exp(math.sqrt(2)) + 1)
    by_hand = -(p * math.log(1 - p) + (1 - p) * math.log(p))
    assert by_hand == pytest.approx(1.355253, abs=1e-5)
    loss = build_text_match("cross_entropy")(torch.tensor([[0.0, 1.0]]), AXIS)
    assert loss.item() == pytest.approx(by_hand, abs=1e-5)


def test_cross_entropy_is_the_text_entropy_at_the_text() -> None:
    p = math.exp(math.sqrt(2)) / (math.exp(math.sqrt(2)) + 1)
    entropy = -(p * math.log(p) + (1 - p) * math.log(1 - p))
    at_text, turned, _ = (build_text_match("cross_entropy")(row[None], AXIS).item() for row in TURNED)
    assert at_text == pytest.approx(entropy, abs=1e-5)
    assert at_text < turned


def test_directional_compares_changes() -> None:
    loss = build_text_match("directional")
    source = torch.zeros(1, 2)
    # The text moves along (1, -1) / sqrt 2; an image that moves along (1, 0) is 45 degrees off.
    value = loss(torch.tensor([[1.0, 0.0]]), torch.tensor([1.0, 0.0]), source, torch.tensor([0.0, 1.0]))
    assert value.item() == pytest.approx(1 - math.cos(math.radians(45)), abs=1e-6)


def test_directional_gradient_is_bounded_when_nothing_changed() -> None:
    source = torch.tensor([[1.0, 0.0]])
    edited = source.clone().requires_grad_(True)
    value = build_text_match("directional")(edited, AXIS, source, torch.tensor([0.0, 1.0]))
    value.backward()
    assert value.item() == pytest.approx(1.0)  # no direction: as good as orthogonal
    # 1 / _MIN_CHANGE = 100 times a unit vector.
    assert edited.grad is not None and edited.grad.norm().item() == pytest.approx(100.0, rel=1e-3)


def test_directional_needs_source_and_neutral() -> None:
    with pytest.raises(ValueError, match="source image and neutral text"):
        build_text_match("directional")(TURNED, AXIS)


@pytest.mark.parametrize("name", TEXT_MATCH_LOSSES)
def test_gradient_descent_approaches_the_text(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    source, text, neutral = (torch.randn(4, 8, generator=generator) for _ in range(3))
    edited = (source + 0.3 * torch.randn(4, 8, generator=generator)).requires_grad_(True)
    loss = build_text_match(name)
    before = loss(edited, text, source, neutral)
    before.backward()
    assert edited.grad is not None
    assert loss(edited - 0.1 * edited.grad, text, source, neutral) < before


def test_unknown_name_lists_the_valid_ones() -> None:
    with pytest.raises(UsageError, match="'cosin'.*cosine, euclidean, one_minus_match, cross_entropy, directional"):
        build_text_match("cosin")


def test_shape_mismatch_is_named() -> None:
    with pytest.raises(ValueError, match=r"text has shape \[3\]"):
        build_text_match("cosine")(TURNED, torch.zeros(3))


def test_contrastive_is_the_softmax_over_its_texts() -> None:
    # Image at the target, the neutral text at 90 degrees, another text at 180: cosines 1, 0, -1, times the scale 2.
    loss = ContrastiveMatch(others=-AXIS[None], scale=2.0)
    by_hand = -math.log(math.exp(2) / (math.exp(2) + 1 + math.exp(-2)))
    assert loss(AXIS[None], AXIS, neutral=TURNED[1]).item() == pytest.approx(by_hand, abs=1e-6)


def test_anchored_contrastive_asks_for_the_change_alone() -> None:
    # Source along y, text minus neutral along x: the edited face shall lie at 45 degrees, wherever the texts themselves are.
    loss = ContrastiveMatch(anchored=True)
    source, text, neutral = torch.tensor([[0.0, 1.0]]), torch.tensor([0.8, -0.6]), torch.tensor([-0.2, -0.6])
    diagonal = torch.tensor([[1.0, 1.0]]) / math.sqrt(2)
    # The target is (1, 1) / sqrt 2 and the neutral text becomes the source itself, 45 degrees away.
    by_hand = -math.log(math.exp(10) / (math.exp(10) + math.exp(10 / math.sqrt(2))))
    assert loss(diagonal, text, source, neutral).item() == pytest.approx(by_hand, abs=1e-5)
    assert loss(source, text, source, neutral) > loss(diagonal, text, source, neutral)


def test_contrastive_needs_the_texts_that_it_compares_with() -> None:
    with pytest.raises(ValueError, match="neutral"):
        build_text_match("contrastive")(TURNED, AXIS)
    with pytest.raises(ValueError, match="source image"):
        ContrastiveMatch(anchored=True)(TURNED, AXIS, neutral=-AXIS)
