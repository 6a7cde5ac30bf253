"""Distances between unit-norm embeddings, shared by the text and the identity losses. All return float32 [B]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cosine_distance(a: Tensor, b: Tensor) -> Tensor:
    """``1 - cos(a, b)`` of [B,E] and [E] or [B,E]: 0 same direction, 1 orthogonal, 2 opposite."""
    return 1.0 - (F.normalize(a.float(), dim=-1) * F.normalize(b.float(), dim=-1)).sum(dim=-1)


def euclidean_distance(a: Tensor, b: Tensor) -> Tensor:
    """``||a - b||_2`` of the normalised embeddings: 0..2, and ``sqrt(2 (1 - cos))``."""
    return torch.linalg.vector_norm(F.normalize(a.float(), dim=-1) - F.normalize(b.float(), dim=-1), dim=-1)


def one_minus_match(a: Tensor, b: Tensor) -> Tensor:
    """``1 - m`` with the degree of matching ``m = (1 + cos(a, b)) / 2`` in [0,1]: half the cosine distance."""
    return 0.5 * cosine_distance(a, b)
