"""The one way perception networks shrink an image, so that each sees the same pixels."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def resize_square(image: Tensor, size: int) -> Tensor:
    """Resizes float [B,3,H,W] to float32 [B,3,size,size]; bilinear, antialiased when shrinking, differentiable.

    Computed in float32 also under autocast: half-precision resampling costs accuracy and saves no time.
    """
    image = image.float()
    if image.shape[-2:] == (size, size):
        return image
    return F.interpolate(image, size=(size, size), mode="bilinear", align_corners=False, antialias=True)


def central_square(image: Tensor, fraction: float) -> Tensor:
    """Crops the central ``fraction`` (0..1] of height and width of [B,3,H,W], rounded to whole pixels."""
    height, width = image.shape[-2:]
    rows, columns = round(height * fraction), round(width * fraction)
    top, left = (height - rows) // 2, (width - columns) // 2
    return image[..., top : top + rows, left : left + columns]
