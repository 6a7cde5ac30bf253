"""Losses on latents: loss 2 keeps an edit's change small; the encoder's keep latents where the decoder is good and edits hold."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from textedit_core.errors import UsageError


def _mean_square(delta_w: Tensor) -> Tensor:
    return delta_w.float().square().mean()


def _mean_absolute(delta_w: Tensor) -> Tensor:
    return delta_w.float().abs().mean()


LATENT_NORMS: dict[str, Callable[[Tensor], Tensor]] = {"l2": _mean_square, "l1": _mean_absolute}


class LatentChangeLoss(nn.Module):
    """Mean change per latent number, over batch, levels and dimensions.

    Scale: ``l2`` is ``||delta_w||_2^2 / (L D)`` (the form of StyleCLIP's mapper, Patashnik et al. 2021, equation 4, as
    a mean), ``l1`` is ``||delta_w||_1 / (L D)``. Both are independent of L and D; where every entry changes by c they
    are c^2 and |c|.

    Args:
        norm: "l2" or "l1".

    Raises:
        UsageError: unknown norm.
    """

    def __init__(self, norm: str) -> None:
        super().__init__()
        if norm not in LATENT_NORMS:
            raise UsageError(f"unknown latent norm '{norm}'; choose one of: {', '.join(LATENT_NORMS)}")
        self.norm = norm

    def forward(self, delta_w: Tensor) -> Tensor:
        """Loss of delta_w [B,L,D] (or of the difference of two latents), float32 scalar."""
        return LATENT_NORMS[self.norm](delta_w)


def w_norm_loss(w_plus: Tensor, w_avg: Tensor) -> Tensor:
    """Mean squared distance of w_plus [B,L,D] from the mean latent [D], float32 scalar (pSp, Richardson et al. 2021, equation 4)."""
    return (w_plus.float() - w_avg.float()).square().mean()


def level_spread_loss(w_plus: Tensor) -> Tensor:
    """Mean squared distance of the levels of w_plus [B,L,D] from their mean, float32 scalar: 0 for a w that all levels share.

    It is e4e's delta regularisation (Tov et al. 2021, equation 4) with offsets counted from the mean level instead of the first.
    """
    return (w_plus.float() - w_plus.float().mean(1, keepdim=True)).square().mean()
