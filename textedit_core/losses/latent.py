"""Losses on latents: loss 2 keeps an edit's change small; the encoder's keep latents where the decoder is good and edits hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from textedit_core.errors import UsageError


def _mean_square(delta_w: Tensor) -> Tensor:
    return delta_w.float().square().mean()


def _mean_absolute(delta_w: Tensor) -> Tensor:
    return delta_w.float().abs().mean()


_PLAIN: dict[str, Callable[[Tensor], Tensor]] = {"l2": _mean_square, "l1": _mean_absolute}
MAHALANOBIS = "mahalanobis"
LATENT_NORMS = (*_PLAIN, MAHALANOBIS)
# The share of the latents' mean variance that is added to every direction: where faces do not vary at all, a change costs this much.
_RIDGE = 0.03


@dataclass(frozen=True)
class LatentSpread:
    """How far latents of faces lie apart.

    Attributes:
        unit: their standard deviation about the mean of each level, float32 scalar.
        precision: the inverse of their covariance about the means of the levels, times `unit` squared, float32 [D,D].
    """

    unit: Tensor
    precision: Tensor


class LatentChangeLoss(nn.Module):
    """Mean change per latent number, over batch, levels and dimensions, in units of the latents' spread where that is known.

    Scale: ``l2`` is ``||delta_w||_2^2 / (L D)`` (the form of StyleCLIP's mapper, Patashnik et al. 2021, equation 4, as
    a mean), ``l1`` is ``||delta_w||_1 / (L D)``. Both are independent of L and D; where every entry changes by c they
    are c^2 and |c|. ``mahalanobis`` is l2 in units of how far faces lie apart in the direction of the change (Mahalanobis
    1936): cheap where faces differ from each other, dear where none does, so that edits stay among faces.

    Args:
        norm: "l2", "l1" or "mahalanobis".
        spread: of the latents; None counts in the latents' own unit, which "mahalanobis" cannot.

    Raises:
        UsageError: unknown norm.
        ValueError: "mahalanobis" without a spread.
    """

    def __init__(self, norm: str, spread: LatentSpread | None = None) -> None:
        super().__init__()
        if norm not in LATENT_NORMS:
            raise UsageError(f"unknown latent norm '{norm}'; choose one of: {', '.join(LATENT_NORMS)}")
        if norm == MAHALANOBIS and spread is None:
            raise ValueError("the mahalanobis norm needs the spread of the latents")
        self.norm, self.spread = norm, spread

    def forward(self, delta_w: Tensor) -> Tensor:
        """Loss of delta_w [B,L,D] (or of the difference of two latents), float32 scalar."""
        change = delta_w.float() if self.spread is None else delta_w.float() / self.spread.unit
        if self.norm in _PLAIN:
            return _PLAIN[self.norm](change)
        assert self.spread is not None
        # Half precision would lose what the large and the small variances have in common.
        with torch.autocast(delta_w.device.type, enabled=False):
            return ((change @ self.spread.precision) * change).mean()


def latent_spread(latents: Tensor) -> LatentSpread:
    """The spread of latents w_plus [N,L,D], over all levels.

    A change in a direction of average variance costs the mahalanobis norm what it costs l2; a ridge bounds the cost where the latents do
    not vary.
    """
    centred = (latents.double() - latents.double().mean(0)).flatten(0, 1)
    covariance = centred.T @ centred / len(centred)
    variance = covariance.diagonal().mean()
    ridge = _RIDGE * variance * torch.eye(len(covariance), dtype=torch.double, device=covariance.device)
    return LatentSpread(variance.sqrt().float(), (torch.linalg.inv(covariance + ridge) * variance).float())


def w_norm_loss(w_plus: Tensor, w_avg: Tensor) -> Tensor:
    """Mean squared distance of w_plus [B,L,D] from the mean latent [D], float32 scalar (pSp, Richardson et al. 2021, equation 4)."""
    return (w_plus.float() - w_avg.float()).square().mean()


def level_spread_loss(w_plus: Tensor) -> Tensor:
    """Mean squared distance of the levels of w_plus [B,L,D] from their mean, float32 scalar: 0 for a w that all levels share.

    It is e4e's delta regularisation (Tov et al. 2021, equation 4) with offsets counted from the mean level instead of the first.
    """
    return (w_plus.float() - w_plus.float().mean(1, keepdim=True)).square().mean()
