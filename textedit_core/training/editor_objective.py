"""The loss of an edit and what it looks at, the same for one prompt's editor, for the editor of many texts and for joint fine-tuning."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor
from torch.nn import functional as F

from textedit_core.latents import apply_edit
from textedit_core.losses.combine import EditorInputs, EditorObjective
from textedit_core.losses.identity import IdentityLoss
from textedit_core.losses.latent import LatentChangeLoss, LatentSpread
from textedit_core.losses.text_match import ContrastiveMatch, DirectionalMatch, TextMatchLoss, build_text_match
from textedit_core.perception.text_pairs import TextPair
from textedit_core.training.editor_networks import FrozenNetworks
from textedit_core.training.editor_recipe import EditorTraining
from textedit_core.training.latent_cache import FaceMemory, Unedited

# These read the text direction, neutral to target, themselves; the plain distances are given a target that was moved along it.
_READ_THE_DIRECTION = ("directional", "contrastive")


class EditorCriterion:
    """The loss of an edit, all six terms of it; `EditorTraining` has the formula. A term of weight 0 is not computed.

    Args:
        recipe: forms and weights.
        spread: of the latents, the unit of the latent change.
        others: embeddings [K,E] of texts that the edit must not be mistaken for, for the contrastive forms.
    """

    def __init__(self, recipe: EditorTraining, spread: LatentSpread, others: Tensor | None = None) -> None:
        self.recipe = recipe
        self.objective = build_editor_objective(recipe, spread, others)
        self.directional, self.contrastive = DirectionalMatch(), _contrastive(recipe, others)

    def __call__(self, inputs: EditorInputs) -> dict[str, Tensor]:
        """Named scalars, "loss" being the one to minimise; `inputs.text` is the prompt's own embedding, whatever the anchor.

        Raises:
            ValueError: an embedding or picture that a term needs is missing.
        """
        source, neutral = inputs.source_image, inputs.neutral_text
        if source is None or neutral is None:
            raise ValueError("an edit is compared with its source image and its neutral text; pass both embeddings")
        moved = inputs
        if self.recipe.text_match not in _READ_THE_DIRECTION:
            moved = dataclasses.replace(inputs, text=text_target(self.recipe, source, inputs.text, neutral))
        result = self.objective(moved, self.recipe.identity_target)
        losses = {"loss": result.total, **result.terms}
        extras = (("directional", self.recipe.directional, self.directional), ("contrastive", self.recipe.contrastive, self.contrastive))
        for name, weight, term in extras:
            if weight:
                value = term(inputs.edited_image, inputs.text, source, neutral)
                losses["loss"] = losses["loss"] + weight * value
                losses[name] = value.detach()
        return losses


def edit_inputs(
    recipe: EditorTraining, networks: FrozenNetworks, before: Unedited, delta_w: Tensor, picture: Tensor, seen: Tensor, pair: TextPair
) -> EditorInputs:
    """What the loss of an edit looks at.

    Args:
        recipe: says whether identity counts.
        networks: the perception networks.
        before: the unedited faces.
        delta_w: the editor's answers [B,L,D].
        picture: the edited faces [B,3,H,W] in [-1,1].
        seen: the same as the perception networks see them: as they are, or in the view in which they saw the unedited ones.
        pair: text embeddings [E], or [B,E] for a text per face.
    """
    return EditorInputs(
        edited_image=networks.clip.encode_image(seen),
        text=pair.text,
        delta_w=delta_w,
        edited_identity=networks.identity.embed(seen) if recipe.identity_weight else None,
        source_image=before.image,
        neutral_text=pair.neutral,
        photo_identity=before.photo_identity,
        reconstruction_identity=before.identity,
        edited_picture=picture,
        source_picture=before.picture,
    )


def remembered_edit(
    criterion: EditorCriterion, networks: FrozenNetworks, faces: FaceMemory, rows: Tensor, view: int, delta_w: Tensor, pair: TextPair
) -> dict[str, Tensor]:
    """The losses of an edit of remembered faces `rows` int64 [B], seen in the way `view`; the other arguments as in `edit_inputs`."""
    picture = networks.preview(apply_edit(faces.latents[rows], delta_w, 1.0))
    seen = faces.seen(picture, rows, view)
    return criterion(edit_inputs(criterion.recipe, networks, faces.unedited(rows, view), delta_w, picture, seen, pair))


def text_target(recipe: EditorTraining, source: Tensor, text: Tensor, neutral_text: Tensor) -> Tensor:
    """What the edited images [B] are matched with, unit-norm float [B,E]: the text, or each source moved from neutral text to text."""
    if recipe.anchor == "text":
        return text.expand_as(source)
    return F.normalize(source + text - neutral_text, dim=-1)


def build_editor_objective(recipe: EditorTraining, spread: LatentSpread, others: Tensor | None = None) -> EditorObjective:
    """The weighted sum of the losses that a recipe names; arguments as in EditorCriterion."""
    return EditorObjective(
        _contrastive(recipe, others) if recipe.text_match == "contrastive" else build_text_match(recipe.text_match),
        LatentChangeLoss(recipe.latent_norm, spread),
        IdentityLoss(recipe.identity_form),
        recipe.latent_weight,
        recipe.identity_weight,
        recipe.picture_weight,
    )


def require_known_losses(recipe: EditorTraining) -> None:
    """Refuses a recipe before any face is encoded for it; raises UsageError where it names a loss that does not exist."""
    build_editor_objective(recipe, LatentSpread(torch.ones(()), torch.eye(1)))


def _contrastive(recipe: EditorTraining, others: Tensor | None) -> TextMatchLoss:
    return ContrastiveMatch(others, anchored=recipe.anchor == "source")
