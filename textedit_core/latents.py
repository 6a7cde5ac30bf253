"""Helpers on latents: w [B,D], w_plus [B,L,D] and the edit that moves along delta_w."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

# StyleCLIP (Patashnik et al. 2021, section 5): layers 0-3 are coarse, 4-7 medium, 8 and above fine.
COARSE_END = 4
MEDIUM_END = 8


@dataclass(frozen=True)
class LatentSpec:
    """The shape of one face's w_plus: L levels of D numbers."""

    num_ws: int
    w_dim: int

    def __str__(self) -> str:
        return f"{self.num_ws} levels of {self.w_dim} numbers"


def apply_edit(w_plus: Tensor, delta_w: Tensor, strength: float) -> Tensor:
    """Returns w_plus + strength * delta_w, all float [B,L,D]; strength is unitless, 0 leaves the face as it is."""
    return w_plus + strength * delta_w


def broadcast_w(w: Tensor, num_ws: int) -> Tensor:
    """Repeats one w [B,D] for every level: w_plus [B,L,D] with L = num_ws."""
    return w.unsqueeze(1).repeat(1, num_ws, 1)


def level_groups(num_ws: int) -> dict[str, slice]:
    """Slices of the level axis for the coarse, medium and fine groups of StyleCLIP; a short network may leave fine empty."""
    return {
        "coarse": slice(0, min(COARSE_END, num_ws)),
        "medium": slice(min(COARSE_END, num_ws), min(MEDIUM_END, num_ws)),
        "fine": slice(min(MEDIUM_END, num_ws), num_ws),
    }
