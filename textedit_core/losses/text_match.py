"""Loss 1: does the edited image show what the text says?

Every variant takes image embeddings [B,E] and text embeddings [E] (one prompt for the batch) or [B,E], and returns
the batch mean, a float32 scalar.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from textedit_core.errors import UsageError
from textedit_core.losses.distances import cosine_distance, euclidean_distance, one_minus_match

# Below this norm a change of direction is noise: it bounds the gradient to 1 / 0.01 where an untrained editor
# leaves the image unchanged and the direction is undefined. Real edits move unit embeddings by 0.1 and more.
_MIN_CHANGE = 0.01

# A softer contrast than the text-image model's own (about 1 / 0.05): a sharp one is won by the smallest lead and stops pulling.
CONTRASTIVE_SCALE = 10.0


class TextMatchLoss(nn.Module):
    """Base of the variants: checks shapes once, then averages ``per_sample``.

    ``source`` and ``neutral`` are read by `DirectionalMatch`, ``neutral`` by `ContrastiveMatch`; the others accept them
    so that one call site serves every variant.
    """

    def forward(
        self, edited: Tensor, text: Tensor, source: Tensor | None = None, neutral: Tensor | None = None
    ) -> Tensor:
        """Mean loss, scalar.

        Args:
            edited: embeddings [B,E] of the edited images.
            text: embedding [E] or [B,E] of the target text.
            source: embeddings [B,E] of the images before the edit.
            neutral: embedding [E] or [B,E] of the text that describes them.

        Raises:
            ValueError: shapes do not fit, or the variant needs ``source`` and ``neutral`` and they are missing.
        """
        for name, value in (("text", text), ("source", source), ("neutral", neutral)):
            if value is not None and value.shape not in (edited.shape, edited.shape[-1:]):
                raise ValueError(f"{name} has shape {list(value.shape)}; expected [E] or [B,E] of {list(edited.shape)}")
        return self.per_sample(edited, text, source, neutral).mean()

    def per_sample(self, edited: Tensor, text: Tensor, source: Tensor | None, neutral: Tensor | None) -> Tensor:
        """Loss of every sample, float32 [B]; arguments as in ``forward``."""
        raise NotImplementedError


class CosineMatch(TextMatchLoss):
    """``1 - cos(image, text)`` (StyleCLIP, Patashnik et al. 2021, section 4)."""

    def per_sample(self, edited: Tensor, text: Tensor, source: Tensor | None, neutral: Tensor | None) -> Tensor:
        """See the base class."""
        return cosine_distance(edited, text)


class EuclideanMatch(TextMatchLoss):
    """``||image - text||_2`` of the unit embeddings."""

    def per_sample(self, edited: Tensor, text: Tensor, source: Tensor | None, neutral: Tensor | None) -> Tensor:
        """See the base class."""
        return euclidean_distance(edited, text)


class OneMinusMatch(TextMatchLoss):
    """``1 - m``, m the degree of matching in [0,1]."""

    def per_sample(self, edited: Tensor, text: Tensor, source: Tensor | None, neutral: Tensor | None) -> Tensor:
        """See the base class."""
        return one_minus_match(edited, text)


class CrossEntropyMatch(TextMatchLoss):
    """``-sum_k p_text[k] log p_image[k]``: cross-entropy over the dimensions, each embedding read as a distribution.

    ``p = softmax(sqrt(E) * normalised embedding)``. The factor gives the logits a root mean square of 1 at every E;
    without it the entries of a unit vector fade as 1/sqrt(E) and both distributions are uniform. The minimum, at
    equal embeddings, is the entropy of ``p_text`` and not zero. A softmax ignores what is common to all dimensions,
    so the component along (1, ..., 1) does not count.
    """

    def per_sample(self, edited: Tensor, text: Tensor, source: Tensor | None, neutral: Tensor | None) -> Tensor:
        """See the base class."""
        scale = edited.shape[-1] ** 0.5
        log_image = F.log_softmax(scale * F.normalize(edited.float(), dim=-1), dim=-1)
        return -(F.softmax(scale * F.normalize(text.float(), dim=-1), dim=-1) * log_image).sum(dim=-1)


class DirectionalMatch(TextMatchLoss):
    """``1 - cos(edited - source, text - neutral)``: change the image in the direction in which the text changes.

    Source: StyleGAN-NADA (Gal et al. 2021), equation 2. Robust against an embedding space in which all images lie
    far from all texts.
    """

    def per_sample(self, edited: Tensor, text: Tensor, source: Tensor | None, neutral: Tensor | None) -> Tensor:
        """See the base class."""
        if source is None or neutral is None:
            raise ValueError("the directional text loss needs source image and neutral text embeddings; pass both")
        image_change = F.normalize((edited - source).float(), dim=-1, eps=_MIN_CHANGE)
        text_change = F.normalize((text - neutral).float(), dim=-1, eps=_MIN_CHANGE)
        return 1.0 - (image_change * text_change).sum(dim=-1)


class ContrastiveMatch(TextMatchLoss):
    """InfoNCE of each edited image against its text, the neutral text and other texts: ``-log softmax(s * cos)_text``.

    Source: the loss of Radford et al. 2021, figure 3, read from image to text. It stops pulling where the text already wins
    by a wide margin, so it strengthens the faces on which an edit is weak.

    Args:
        others: embeddings [K,E] of texts that do not describe the edit; None contrasts with the neutral text alone.
        anchored: every text t is first moved to ``normalize(source + t - neutral)``, the neutral one thus to the source itself, so
            that what counts is the change and not whom the text speaks of.
        scale: s, inverse temperature of the logits.
    """

    def __init__(self, others: Tensor | None = None, anchored: bool = False, scale: float = CONTRASTIVE_SCALE) -> None:
        super().__init__()
        self.others, self.anchored, self.scale = others, anchored, scale

    def per_sample(self, edited: Tensor, text: Tensor, source: Tensor | None, neutral: Tensor | None) -> Tensor:
        """See the base class."""
        if neutral is None or (self.anchored and source is None):
            raise ValueError("the contrastive text loss needs the neutral text's embedding, anchored also the source image's; pass them")
        candidates = torch.stack([text.expand_as(edited), neutral.expand_as(edited)], dim=1)
        if self.others is not None:
            candidates = torch.cat([candidates, self.others.expand(len(edited), -1, -1)], dim=1)
        if self.anchored and source is not None:
            candidates = source[:, None] + candidates - neutral.expand_as(edited)[:, None]
        cosine = torch.einsum("be,bke->bk", F.normalize(edited.float(), dim=-1), F.normalize(candidates.float(), dim=-1))
        return -F.log_softmax(self.scale * cosine, dim=1)[:, 0]


TEXT_MATCH_LOSSES: dict[str, Callable[[], TextMatchLoss]] = {
    "cosine": CosineMatch,
    "euclidean": EuclideanMatch,
    "one_minus_match": OneMinusMatch,
    "cross_entropy": CrossEntropyMatch,
    "directional": DirectionalMatch,
    "contrastive": ContrastiveMatch,
}


def build_text_match(name: str) -> TextMatchLoss:
    """Builds a variant by name.

    Raises:
        UsageError: unknown name; the message lists the valid ones.
    """
    if name not in TEXT_MATCH_LOSSES:
        raise UsageError(f"unknown text loss '{name}'; choose one of: {', '.join(TEXT_MATCH_LOSSES)}")
    return TEXT_MATCH_LOSSES[name]()
