"""Loss 2: keep the latent change small, so that an edit alters only what the text asks for."""

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
