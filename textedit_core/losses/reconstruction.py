"""Losses that compare a reconstruction with its photo: pixels, edges, features."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MultiScaleL1Loss(nn.Module):
    """Mean absolute difference, averaged over an image pyramid (scale k is 2^k times smaller, box filtered).

    Args:
        num_scales: pyramid levels; 1 is plain L1.
    """

    def __init__(self, num_scales: int = 3) -> None:
        super().__init__()
        self.num_scales = num_scales

    def forward(self, image: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Float32 scalar, in units of the pixel range.

        Args:
            image: [B,3,H,W]; H and W divisible by 2^(num_scales - 1).
            target: [B,3,H,W].
            weight: importance [B,1,H,W] or [1,1,H,W], >= 0; only its proportions matter. None: uniform.
        """
        total = image.new_zeros((), dtype=torch.float32)
        difference = (image - target).float()
        for scale in range(self.num_scales):
            if scale > 0:
                difference = F.avg_pool2d(difference, 2)
                weight = None if weight is None else F.avg_pool2d(weight, 2)
            total = total + weighted_mean(difference.abs(), weight)
        return total / self.num_scales


class GradientL1Loss(nn.Module):
    """Mean absolute difference of horizontal and vertical finite differences: asks for edges in the right place."""

    def forward(self, image: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Float32 scalar, in pixel range per pixel; arguments as in `MultiScaleL1Loss`."""
        difference = (image - target).float()
        across = difference[..., :, 1:] - difference[..., :, :-1]
        down = difference[..., 1:, :] - difference[..., :-1, :]
        across_weight = None if weight is None else weight[..., :, 1:]
        down_weight = None if weight is None else weight[..., 1:, :]
        return 0.5 * (weighted_mean(across.abs(), across_weight) + weighted_mean(down.abs(), down_weight))


class PerceptualLoss(nn.Module):
    """Distance of feature maps: squared difference of channel-normalised features, summed over maps.

    Source: LPIPS (Zhang et al. 2018), equation 1, with all channel weights equal. Each map contributes 0..4.

    Args:
        extractor: RGB float [B,3,H,W] in [-1,1] -> list of maps [B,C,h,w], e.g. ``clip.features``. Its weights get
            gradients unless the caller froze them.
    """

    def __init__(self, extractor: Callable[[Tensor], Sequence[Tensor]]) -> None:
        super().__init__()
        self.extractor = extractor

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Float32 scalar for image [B,3,H,W] and target [B,3,H,W]; no gradient flows to the target."""
        with torch.no_grad():
            wanted = self.extractor(target)
        return feature_distance(self.extractor(image), [part.detach() for part in wanted])


def feature_distance(features: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Sum over maps of the mean squared distance between unit-norm feature columns; float32 scalar."""
    total = torch.zeros((), device=features[0].device)
    for mine, other in zip(features, wanted, strict=True):
        # A dead column (all channels zero after ReLU) has no direction; the floor keeps its gradient finite.
        mine, other = (F.normalize(part.float(), dim=1, eps=1e-3) for part in (mine, other))
        total = total + (mine - other).square().sum(dim=1).mean()
    return total


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Mean of values [B,C,H,W], each pixel counted by weight [B,1,H,W] or [1,1,H,W]; None is the plain mean."""
    if weight is None:
        return values.mean()
    weight = weight.to(values.dtype).expand(len(values), 1, *values.shape[-2:])
    return (values * weight).sum() / (weight.sum() * values.shape[1])


def landmark_weight(landmarks: Tensor, resolution: int, emphasis: float = 4.0, radius: float = 0.08) -> Tensor:
    """Importance map that stresses eyes, nose and mouth: 1 far away, ``1 + emphasis`` at a landmark.

    Args:
        landmarks: float [B,N,2], x and y in pixels of the image.
        resolution: image side R in pixels.
        emphasis: extra weight at a landmark.
        radius: standard deviation of the Gaussian around a landmark, in image sides.

    Returns:
        float32 [B,1,R,R].
    """
    centres = torch.arange(resolution, device=landmarks.device, dtype=torch.float32) + 0.5
    x, y = landmarks.float().unbind(dim=-1)
    scale = 2.0 * (radius * resolution) ** 2
    across = torch.exp(-((centres - x[..., None]) ** 2) / scale)
    down = torch.exp(-((centres - y[..., None]) ** 2) / scale)
    bumps = (down[..., :, None] * across[..., None, :]).amax(dim=1, keepdim=True)
    return 1.0 + emphasis * bumps
