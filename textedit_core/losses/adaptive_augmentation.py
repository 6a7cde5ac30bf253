"""Adaptive discriminator augmentation: where data is small, the discriminator sees real and fake through the same random changes.

Source: Karras et al. 2020, "Training generative adversarial networks with limited data": the pipeline's pixel blitting, geometric and
colour transformations (appendix B, "bgc"), each applied with probability p, and the control of p by r_t = E[sign D(real)] (section 3).
Two things are simpler than there: resampling is bilinear without oversampling, and r_t is a moving average over about four batches.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Above about 0.8 the generator learns the augmentations as well (section 2.2 and figure 3).
MAX_PROBABILITY = 0.8
MEMORY = 0.75
BLIT_REACH = 0.125
# Mirror, quarter turns, whole-pixel shift, zoom, stretch, two turns, shift, brightness, contrast, luma flip, hue, saturation.
CHANGES = 13
DRAWS = 8


class AdaptiveAugmentation(nn.Module):
    """Changes images with a probability that follows the discriminator's overfitting; the probability is part of the state.

    Args:
        target: the r_t to hold, e.g. 0.6; more means that real images are told apart too surely.
        ramp_images: images over which the probability would go from 0 to 1.
    """

    probability: Tensor
    sureness: Tensor

    def __init__(self, target: float, ramp_images: int) -> None:
        super().__init__()
        self.target, self.ramp_images = target, ramp_images
        self.register_buffer("probability", torch.zeros(()))
        self.register_buffer("sureness", torch.zeros(()))

    @torch.no_grad()
    def follow(self, sureness: Tensor, images: int) -> None:
        """Moves the probability after a batch: `sureness` is the mean sign of its real logits (scalar), `images` its size."""
        self.sureness.lerp_(sureness, 1.0 - MEMORY)
        step = torch.sign(self.sureness - self.target) * (images / self.ramp_images)
        self.probability.add_(step).clamp_(0.0, MAX_PROBABILITY)

    def forward(self, images: Tensor, generator: torch.Generator, rank: int = 0, size: int = 1) -> Tensor:
        """RGB float [B,3,R,R] -> float32 of the same shape; differentiable once (bilinear sampling has no second derivative).

        Args:
            images: this process's part of the batch.
            generator: on the host; draws for the whole batch.
            rank, size: which part of the batch this is, of how many.
        """
        count = len(images)
        uniform = torch.rand(count * size, CHANGES + DRAWS, generator=generator)
        normal = torch.randn(count * size, 7, generator=generator)
        numbers = torch.cat([uniform, normal], 1)[rank * count : (rank + 1) * count].to(images.device, non_blocking=True)
        chances, uniform, normal = numbers.split([CHANGES, DRAWS, 7], 1)
        # Two rotations per image: each with this probability, so that at least one happens with p (appendix B).
        rotate = chances[:, 5:7] < 1.0 - (1.0 - self.probability).sqrt()
        on = torch.cat([chances[:, :5] < self.probability, rotate, chances[:, 7:] < self.probability], 1)
        placement = placement_matrix(on, uniform, normal, images.shape[-1])
        grid = F.affine_grid(placement[:, :2], list(images.shape), align_corners=False)
        moved = F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        colour = colour_matrix(on, uniform, normal)
        return torch.einsum("bij,bjhw->bihw", colour[:, :3, :3], moved) + colour[:, :3, 3, None, None]


def placement_matrix(on: Tensor, uniform: Tensor, normal: Tensor, side: int) -> Tensor:
    """From output to input positions in [-1,1], float32 [B,3,3]: mirror, quarter turns, whole-pixel shift, zoom, turns, stretch, shift.

    Args:
        on: bool [B,CHANGES], which of the changes happen, in their order.
        uniform: [B,DRAWS] in 0..1.
        normal: [B,7].
        side: R in pixels.
    """
    zero, one = torch.zeros_like(uniform[:, 0]), torch.ones_like(uniform[:, 0])
    # Karras et al. choose the mirror image or not by a coin, once the change happens at all.
    flip = torch.where(on[:, 0] & (uniform[:, 7] < 0.5), -one, one)
    quarters = torch.where(on[:, 1], (uniform[:, 0] * 4).floor(), zero) * (math.pi / 2)
    blit = torch.where(on[:, 2, None], ((2 * uniform[:, 1:3] - 1) * BLIT_REACH * side).round() * (2.0 / side), zero[:, None])
    zoom = torch.where(on[:, 3], torch.exp2(0.2 * normal[:, 0]), one)
    stretch = torch.where(on[:, 4], torch.exp2(0.2 * normal[:, 1]), one)
    turns = torch.where(on[:, 5:7], (2 * uniform[:, 3:5] - 1) * math.pi, zero[:, None])
    shift = torch.where(on[:, 7, None], normal[:, 2:4] * BLIT_REACH * 2.0, zero[:, None])
    steps = (
        _scaling(flip, one),
        _rotation(quarters),
        _translation(blit),
        _scaling(zoom, zoom),
        _rotation(turns[:, 0]),
        _scaling(stretch, 1.0 / stretch),
        _rotation(turns[:, 1]),
        _translation(shift),
    )
    matrix = steps[0]
    for step in steps[1:]:
        matrix = matrix @ step
    return matrix


def colour_matrix(on: Tensor, uniform: Tensor, normal: Tensor) -> Tensor:
    """Change of colour on (r, g, b, 1), float32 [B,4,4]: brightness, contrast, luma flip, hue, saturation; arguments as above."""
    zero, one = torch.zeros_like(normal[:, 0]), torch.ones_like(normal[:, 0])
    identity, grey, turn = (part.to(normal.device) for part in (torch.eye(4), _GREY, _GREY_CROSS))
    brightness = torch.where(on[:, 8], 0.2 * normal[:, 4], zero)[:, None]
    contrast = torch.where(on[:, 9], torch.exp2(0.5 * normal[:, 5]), one)[:, None]
    flip = torch.where(on[:, 10] & (uniform[:, 5] < 0.5), -one, one)[:, None, None]
    hue = torch.where(on[:, 11], (2 * uniform[:, 6] - 1) * math.pi, zero)[:, None, None]
    saturation = torch.where(on[:, 12], torch.exp2(normal[:, 6]), one)[:, None, None]
    scales = torch.cat([contrast.expand(-1, 3), one[:, None]], 1)
    lights = torch.cat([contrast * brightness.expand(-1, 3), zero[:, None]], 1)
    matrix = torch.diag_embed(scales) + F.pad(lights[:, :, None], (3, 0))
    # Grey is what a hue keeps and a luma flip turns over; colour is the rest, which hue turns (Rodrigues) and saturation scales.
    colour = torch.diag(torch.tensor([1.0, 1.0, 1.0, 0.0])).to(normal.device) - grey
    turned = saturation * (torch.cos(hue) * colour + torch.sin(hue) * turn)
    return (identity - grey - colour + flip * grey + turned) @ matrix


# The projection on the grey axis of (r, g, b, 1), and the cross product with that axis.
_GREY = F.pad(torch.full((3, 3), 1.0 / 3.0), (0, 1, 0, 1))
_GREY_CROSS = F.pad(torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3.0), (0, 1, 0, 1))


def _rows(*values: Tensor) -> Tensor:
    return torch.stack(values, dim=1).view(-1, 3, 3)


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _rows(x, zero, zero, zero, y, zero, zero, zero, one)


def _rotation(angle: Tensor) -> Tensor:
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    cosine, sine = torch.cos(angle), torch.sin(angle)
    return _rows(cosine, -sine, zero, sine, cosine, zero, zero, zero, one)


def _translation(shift: Tensor) -> Tensor:
    zero, one = torch.zeros_like(shift[:, 0]), torch.ones_like(shift[:, 0])
    return _rows(one, zero, shift[:, 0], zero, one, shift[:, 1], zero, zero, one)
