"""Peak signal-to-noise ratio, the measure by which pictures and network outputs are held against a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def psnr_db(reference: Tensor, candidate: Tensor, data_range: float) -> Tensor:
    """10 * log10(data_range^2 / mean squared error) of every sample in dB, float64 [B]; infinite for equal ones.

    Args:
        reference: [B,...] of any dtype.
        candidate: of the same shape.
        data_range: largest minus smallest possible value: 255 for uint8 pictures, 2 for images in [-1,1].
    """
    error = (reference.double() - candidate.double()).square().flatten(1).mean(dim=1)
    return 10.0 * (data_range**2 / error).log10()
