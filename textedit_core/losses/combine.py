"""The two training objectives, as weighted sums of single losses. A term of weight 0 is not computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from textedit_core.losses.identity import IdentityLoss
from textedit_core.losses.latent import LatentChangeLoss
from textedit_core.losses.picture_change import PictureChangeLoss
from textedit_core.losses.reconstruction import GradientL1Loss, MultiScaleL1Loss, PerceptualLoss
from textedit_core.losses.text_match import TextMatchLoss

IdentityTarget = Literal["photo", "reconstruction"]


@dataclass(frozen=True)
class Objective:
    """A loss and what it is made of.

    Attributes:
        total: scalar to differentiate.
        terms: unweighted value of every computed term by name, detached scalars for logging.
    """

    total: Tensor
    terms: dict[str, Tensor]


@dataclass(frozen=True)
class EditorInputs:
    """What the editor's losses look at, for one batch and one prompt (or one prompt per row).

    Attributes:
        edited_image: image embeddings [B,E] of ``G(w + strength * delta_w)``.
        text: embedding [E] or [B,E] of the prompt.
        delta_w: [B,L,D].
        edited_identity: recogniser embeddings [B,F] of the edited image.
        source_image: image embeddings [B,E] before the edit; the directional loss needs it.
        neutral_text: embedding [E] or [B,E] of the neutral text; the directional loss needs it.
        photo_identity: recogniser embeddings [B,F] of the photo.
        reconstruction_identity: recogniser embeddings [B,F] of the unedited ``G(w)``.
        edited_picture: RGB [B,3,H,W] in [-1,1] of the edited face.
        source_picture: RGB [B,3,H,W] in [-1,1] of the unedited ``G(w)``, of any size.
    """

    edited_image: Tensor
    text: Tensor
    delta_w: Tensor
    edited_identity: Tensor | None = None
    source_image: Tensor | None = None
    neutral_text: Tensor | None = None
    photo_identity: Tensor | None = None
    reconstruction_identity: Tensor | None = None
    edited_picture: Tensor | None = None
    source_picture: Tensor | None = None


class EditorObjective(nn.Module):
    """The first four terms of an edit's loss: ``loss1 + latent_weight * loss2 + identity_weight * loss3 + picture_weight * loss_pic``.

    Source: StyleCLIP (Patashnik et al. 2021), equation 4, for the first three.

    Args:
        text_match: loss1.
        latent_change: loss2.
        identity: loss3.
        latent_weight, identity_weight, picture_weight: as in the formula.
    """

    def __init__(
        self,
        text_match: TextMatchLoss,
        latent_change: LatentChangeLoss,
        identity: IdentityLoss,
        latent_weight: float,
        identity_weight: float,
        picture_weight: float,
    ) -> None:
        super().__init__()
        self.text_match = text_match
        self.latent_change = latent_change
        self.identity = identity
        self.latent_weight = latent_weight
        self.identity_weight = identity_weight
        self.picture_change, self.picture_weight = PictureChangeLoss(), picture_weight

    def forward(self, inputs: EditorInputs, identity_target: IdentityTarget) -> Objective:
        """Objective with the terms ``text_match``, ``latent``, ``identity`` and ``picture``.

        Args:
            inputs: one batch.
            identity_target: what the edited face is compared with: the "photo", or the "reconstruction" where the
                encoder is not yet good enough for the photo to be reachable.

        Raises:
            ValueError: an embedding or picture that a term needs is missing, or the target is unknown.
        """
        total = _WeightedSum()
        match = self.text_match(inputs.edited_image, inputs.text, inputs.source_image, inputs.neutral_text)
        total.add("text_match", 1.0, match)
        if self.latent_weight:
            total.add("latent", self.latent_weight, self.latent_change(inputs.delta_w))
        if self.identity_weight:
            edited, reference = _identity_pair(inputs, identity_target)
            total.add("identity", self.identity_weight, self.identity(edited, reference))
        if self.picture_weight:
            if inputs.edited_picture is None or inputs.source_picture is None:
                raise ValueError("the picture term has a weight; pass edited_picture and source_picture")
            total.add("picture", self.picture_weight, self.picture_change(inputs.edited_picture, inputs.source_picture))
        return total.objective()


@dataclass(frozen=True)
class ReconstructionWeights:
    """Weights of the reconstruction terms; 0 switches a term off."""

    pixel: float = 0.0
    gradient: float = 0.0
    perceptual: float = 0.0
    identity: float = 0.0


class ReconstructionObjective(nn.Module):
    """Loss 4 and its companions, for training decoder and encoder: the output shows the same picture and person.

    Args:
        weights: weight per term.
        identity_embed: RGB [B,3,H,W] in [-1,1] -> embeddings [B,F] (loss 4); needed if its weight is not 0.
        extractor: feature maps for `PerceptualLoss`; needed if its weight is not 0.

    Raises:
        ValueError: a term has a weight but lacks its network.
    """

    def __init__(
        self,
        weights: ReconstructionWeights,
        identity_embed: Callable[[Tensor], Tensor] | None = None,
        extractor: Callable[[Tensor], Sequence[Tensor]] | None = None,
    ) -> None:
        super().__init__()
        _require(weights.identity, identity_embed, "identity", "identity_embed")
        _require(weights.perceptual, extractor, "perceptual", "extractor")
        self.weights = weights
        self.pixel = MultiScaleL1Loss()
        self.gradient = GradientL1Loss()
        self.perceptual = PerceptualLoss(extractor) if extractor is not None else None
        self.identity = IdentityLoss("cosine")
        # In a tuple, which keeps a borrowed network out of the module tree: no optimiser or checkpoint picks it up.
        self._borrowed = (identity_embed,)

    def forward(self, image: Tensor, target: Tensor, pixel_weight: Tensor | None = None) -> Objective:
        """Objective over the terms with a weight, named as in `ReconstructionWeights`.

        Args:
            image: output RGB [B,3,R,R], nominally [-1,1].
            target: photo RGB [B,3,R,R] in [-1,1].
            pixel_weight: importance map [B,1,R,R] or [1,1,R,R] for the pixel and gradient terms.
        """
        weights, total = self.weights, _WeightedSum()
        (identity_embed,) = self._borrowed
        if weights.pixel:
            total.add("pixel", weights.pixel, self.pixel(image, target, pixel_weight))
        if weights.gradient:
            total.add("gradient", weights.gradient, self.gradient(image, target, pixel_weight))
        if weights.perceptual and self.perceptual is not None:
            total.add("perceptual", weights.perceptual, self.perceptual(image, target))
        if weights.identity and identity_embed is not None:
            with torch.no_grad():
                reference = identity_embed(target)
            total.add("identity", weights.identity, self.identity(identity_embed(image), reference))
        return total.objective()


class _WeightedSum:
    """Collects terms and their weighted sum."""

    def __init__(self) -> None:
        self._weighted: list[Tensor] = []
        self._terms: dict[str, Tensor] = {}

    def add(self, name: str, weight: float, value: Tensor) -> None:
        self._weighted.append(weight * value)
        self._terms[name] = value.detach()

    def objective(self) -> Objective:
        if not self._weighted:
            raise ValueError("every term has weight 0; give at least one a weight")
        return Objective(torch.stack(self._weighted).sum(), self._terms)


def _identity_pair(inputs: EditorInputs, target: IdentityTarget) -> tuple[Tensor, Tensor]:
    references = {"photo": inputs.photo_identity, "reconstruction": inputs.reconstruction_identity}
    if target not in references:
        raise ValueError(f"unknown identity target '{target}'; choose one of: {', '.join(references)}")
    reference = references[target]
    if inputs.edited_identity is None or reference is None:
        raise ValueError(f"the identity term has a weight; pass edited_identity and {target}_identity")
    return inputs.edited_identity, reference


def _require(weight: float, network: object | None, term: str, argument: str) -> None:
    if weight and network is None:
        raise ValueError(f"the {term} term has weight {weight}; pass {argument}")
