"""Loss 3: the edited face is still the same person."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from textedit_core.errors import UsageError
from textedit_core.losses.distances import cosine_distance, euclidean_distance, one_minus_match

IDENTITY_DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine": cosine_distance,
    "euclidean": euclidean_distance,
    "one_minus_match": one_minus_match,
}


class IdentityLoss(nn.Module):
    """Mean distance of face recogniser embeddings (StyleCLIP, Patashnik et al. 2021, equation 3, is "cosine").

    Args:
        distance: "cosine", "euclidean" or "one_minus_match"; see `distances` for their scales.

    Raises:
        UsageError: unknown distance.
    """

    def __init__(self, distance: str) -> None:
        super().__init__()
        if distance not in IDENTITY_DISTANCES:
            known = ", ".join(IDENTITY_DISTANCES)
            raise UsageError(f"unknown identity distance '{distance}'; choose one of: {known}")
        self.distance = distance

    def forward(self, embedding: Tensor, reference: Tensor) -> Tensor:
        """Float32 scalar for embeddings [B,E] and reference [B,E].

        Raises:
            ValueError: shapes differ.
        """
        if embedding.shape != reference.shape:
            raise ValueError(f"embedding {list(embedding.shape)} and reference {list(reference.shape)} must agree")
        return IDENTITY_DISTANCES[self.distance](embedding, reference).mean()
