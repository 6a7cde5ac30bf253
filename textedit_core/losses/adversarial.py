"""Adversarial training: a small discriminator, non-saturating logistic losses, lazy R1.

Sources: non-saturating loss, Goodfellow et al. 2014, section 3; R1, Mescheder et al. 2018, equation 9; lazy
regularisation, StyleGAN2 (Karras et al. 2020), section 3.1; blur before subsampling, Zhang 2019; minibatch standard
deviation, Karras et al. 2018, section 3.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SLOPE = 0.2
_FINAL_SIZE = 4
# Karras et al. 2020 (StyleGAN2) use groups of four.
GROUP = 4


class BlurPool(nn.Module):
    """Halves the resolution after a [1,3,3,1] binomial filter, so that the judgement does not flicker with shifts."""

    kernel: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8.0
        kernel = torch.outer(taps, taps).expand(channels, 1, 4, 4).clone()
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B,C,H,W] to [B,C,H/2,W/2]."""
        return F.conv2d(x, self.kernel.to(x.dtype), stride=2, padding=1, groups=x.shape[1])


class DownBlock(nn.Module):
    """Residual block that halves the resolution; the sum is scaled by 1/sqrt(2) to keep its variance."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(in_channels, in_channels, 3, padding=1),
            nn.LeakyReLU(_SLOPE),
            BlurPool(in_channels),
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
            nn.LeakyReLU(_SLOPE),
        )
        self.skip = nn.Sequential(BlurPool(in_channels), nn.Conv2d(in_channels, out_channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Maps [B,C,H,W] to [B,C',H/2,W/2]."""
        return (self.convs(x) + self.skip(x)) * 0.5**0.5


class Discriminator(nn.Module):
    """Real or reconstructed? A residual tower from the image to 4x4, then one logit.

    The logit head runs in float32 under any autocast: its values feed a softplus and, for R1, a second derivative.

    Args:
        resolution: image side, a power of two, at least 8.
        base_channels: channels at full resolution; doubled at each halving.
        max_channels: upper bound of the doubling.

    Raises:
        ValueError: resolution is not a power of two or below 8.
    """

    def __init__(self, resolution: int, base_channels: int = 32, max_channels: int = 256) -> None:
        super().__init__()
        if resolution < 2 * _FINAL_SIZE or resolution & (resolution - 1):
            raise ValueError(f"discriminator resolution {resolution} must be a power of two from 8 up")
        halvings = resolution.bit_length() - _FINAL_SIZE.bit_length()
        widths = [min(base_channels << level, max_channels) for level in range(halvings + 1)]
        self.from_rgb = nn.Sequential(nn.Conv2d(3, widths[0], 1), nn.LeakyReLU(_SLOPE))
        self.blocks = nn.Sequential(*(DownBlock(widths[i], widths[i + 1]) for i in range(halvings)))
        self.final_conv = nn.Conv2d(widths[-1] + 1, widths[-1], 3, padding=1)
        self.hidden = nn.Linear(widths[-1] * _FINAL_SIZE**2, widths[-1])
        self.logit = nn.Linear(widths[-1], 1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits float32 [B], positive for real; image RGB [B,3,R,R] in [-1,1]."""
        features = self.blocks(self.from_rgb(image))
        with torch.autocast(image.device.type, enabled=False):
            features = with_minibatch_deviation(features.float())
            features = F.leaky_relu(self.final_conv(features), _SLOPE).flatten(1)
            return self.logit(F.leaky_relu(self.hidden(features), _SLOPE)).squeeze(1)


def with_minibatch_deviation(features: Tensor) -> Tensor:
    """Appends one channel with the mean standard deviation over groups of neighbours: [B,C,H,W] -> [B,C+1,H,W].

    Groups are of GROUP images, so that a slice of a batch is judged as it would be within the batch; a batch that they do not divide
    is one group.
    """
    group = GROUP if len(features) % GROUP == 0 else len(features)
    grouped = features.unflatten(0, (-1, group))
    # The added constant keeps the root's gradient finite for a batch of one or of equal images.
    deviation = (grouped.var(dim=1, correction=0) + 1e-8).sqrt().flatten(1).mean(1).repeat_interleave(group)
    return torch.cat([features, deviation.view(-1, 1, 1, 1).expand(-1, 1, *features.shape[-2:])], dim=1)


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Non-saturating loss of the generator, scalar: ``mean softplus(-D(fake))``."""
    return F.softplus(-fake_logits.float()).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Logistic loss of the discriminator, scalar: ``mean softplus(-D(real)) + mean softplus(D(fake))``."""
    return F.softplus(-real_logits.float()).mean() + F.softplus(fake_logits.float()).mean()


class R1Penalty:
    """Lazy R1: ``interval * gamma / 2 * mean ||dD(real)/d real||^2``, to be added on every ``interval``-th step.

    Args:
        gamma: weight of the penalty.
        interval: steps between two applications; the factor ``interval`` keeps the average pull the same.
    """

    def __init__(self, gamma: float, interval: int) -> None:
        self.gamma = gamma
        self.interval = interval

    def __call__(self, discriminator: nn.Module, real: Tensor) -> Tensor:
        """Penalty, float32 scalar; real RGB [B,3,R,R], augmented or not. Always computed in float32: it differentiates twice.

        With augmentation, `real` is what the discriminator sees, since the sampling inside the augmentation has no second derivative.
        """
        with torch.autocast(real.device.type, enabled=False):
            real = real.detach().float().requires_grad_(True)
            (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
            return 0.5 * self.interval * self.gamma * gradient.square().flatten(1).sum(dim=1).mean()
