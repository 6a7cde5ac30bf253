"""How much an edit changes the picture, whatever the change means."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

# At this size hair, backdrop and light still count and single pixels do not.
PICTURE_SIZE = 64


def small_picture(image: Tensor, size: int = PICTURE_SIZE) -> Tensor:
    """RGB [B,3,H,W] averaged down to at most `size` pixels a side, float32; smaller pictures stay as they are."""
    return F.adaptive_avg_pool2d(image.float(), min(size, image.shape[-1]))


class PictureChangeLoss(nn.Module):
    """Mean absolute difference of two small pictures.

    What the text does not ask for (pose, light, clothes, backdrop) can move at little cost in latents, since faces differ in it, and
    unseen by the text-image model. Here it costs its area. The absolute value keeps the rest exactly as it was and lets a mouth change in
    full.
    """

    def forward(self, edited: Tensor, source: Tensor) -> Tensor:
        """Float32 scalar in units of the pixel range; both RGB [B,3,H,W] in [-1,1], the larger brought down to the smaller."""
        size = min(PICTURE_SIZE, edited.shape[-1], source.shape[-1])
        return F.l1_loss(small_picture(edited, size), small_picture(source, size))
