"""The objectives are the weighted sums of their terms, and zero weights cost nothing."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from textedit_core.losses.combine import (
    EditorInputs,
    EditorObjective,
    ReconstructionObjective,
    ReconstructionWeights,
)
from textedit_core.losses.identity import IdentityLoss
from textedit_core.losses.latent import LatentChangeLoss
from textedit_core.losses.picture_change import small_picture
from textedit_core.losses.text_match import build_text_match

# Text match: orthogonal, 1 - 0 = 1. Latent: every entry 2, 2^2 = 4. Identity: opposite to the photo, 2;
# orthogonal to the reconstruction, 1.
INPUTS = EditorInputs(
    edited_image=torch.tensor([[1.0, 0.0]]),
    text=torch.tensor([0.0, 1.0]),
    delta_w=torch.full((1, 3, 2), 2.0),
    edited_identity=torch.tensor([[1.0, 0.0]]),
    photo_identity=torch.tensor([[-1.0, 0.0]]),
    reconstruction_identity=torch.tensor([[0.0, 1.0]]),
)


def _editor_objective(latent_weight: float, identity_weight: float, picture_weight: float = 0.0) -> EditorObjective:
    return EditorObjective(
        build_text_match("cosine"), LatentChangeLoss("l2"), IdentityLoss("cosine"), latent_weight, identity_weight, picture_weight
    )


@pytest.mark.parametrize(
    ("target", "expected"), [("photo", 1 + 0.5 * 4 + 0.1 * 2), ("reconstruction", 1 + 0.5 * 4 + 0.1 * 1)]
)
def test_editor_objective_is_the_weighted_sum(target: str, expected: float) -> None:
    objective = _editor_objective(0.5, 0.1)(INPUTS, target)
    assert objective.total.item() == pytest.approx(expected)
    assert set(objective.terms) == {"text_match", "latent", "identity"}


def test_zero_weight_terms_are_not_computed() -> None:
    bare = dataclasses.replace(INPUTS, edited_identity=None, photo_identity=None)
    objective = _editor_objective(0.0, 0.0)(bare, "photo")
    assert objective.terms.keys() == {"text_match"}
    assert objective.total.item() == pytest.approx(1.0)


def test_missing_identity_is_named() -> None:
    with pytest.raises(ValueError, match="photo_identity"):
        _editor_objective(0.0, 1.0)(dataclasses.replace(INPUTS, photo_identity=None), "photo")


def test_the_change_of_the_picture_is_weighed() -> None:
    # One of two rows of a picture of twice PICTURE_SIZE brightens by 0.5, halved by the other: 3 * 0.25 beside a text match of 1.
    before = torch.zeros(1, 3, 128, 128)
    after = before.clone()
    after[:, :, ::2] = 0.5
    pictures = dataclasses.replace(INPUTS, edited_picture=after, source_picture=small_picture(before))
    objective = _editor_objective(0.0, 0.0, 3.0)(pictures, "photo")
    assert objective.terms["picture"].item() == pytest.approx(0.25)
    assert objective.total.item() == pytest.approx(1 + 3 * 0.25)
    with pytest.raises(ValueError, match="source_picture"):
        _editor_objective(0.0, 0.0, 3.0)(INPUTS, "photo")


def test_unknown_identity_target_lists_the_valid_ones() -> None:
    with pytest.raises(ValueError, match="'picture'.*photo, reconstruction"):
        _editor_objective(0.0, 1.0)(INPUTS, "picture")  # type: ignore[arg-type]


def test_editor_gradient_reaches_delta_w() -> None:
    delta_w = torch.full((1, 3, 2), 2.0, requires_grad=True)
    _editor_objective(0.5, 0.0)(dataclasses.replace(INPUTS, delta_w=delta_w), "photo").total.backward()
    # 0.5 * 2 * 2 / 6.
    assert torch.allclose(delta_w.grad, torch.full((1, 3, 2), 0.5 * 2 * 2 / 6))


def test_reconstruction_objective_is_the_weighted_sum() -> None:
    weights = ReconstructionWeights(pixel=1.0, identity=2.0, gradient=3.0)
    objective = ReconstructionObjective(weights, identity_embed=lambda image: image.flatten(1)[:, :2])
    image, target = torch.full((1, 3, 8, 8), 0.5), torch.full((1, 3, 8, 8), 0.25)
    result = objective(image, target)
    # Pixel 0.25; identity of parallel vectors 0; both pictures are flat, so their gradients agree.
    assert result.total.item() == pytest.approx(0.25 + 2 * 0 + 3 * 0, abs=1e-5)
    assert result.terms.keys() == {"pixel", "identity", "gradient"}


def test_reconstruction_objective_names_the_missing_network() -> None:
    with pytest.raises(ValueError, match="pass identity_embed"):
        ReconstructionObjective(ReconstructionWeights(identity=1.0))


def test_all_weights_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="every term has weight 0"):
        ReconstructionObjective(ReconstructionWeights())(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4))
