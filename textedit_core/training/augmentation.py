"""Random views of faces: what perception networks see in training and when they guide an editor, so that no pixel pattern fools them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from textedit_core.training.distributed import SOLO, Team

SHIFT = 0.04
ZOOM = 0.1
TURN_DEGREES = 5.0
CONTRAST = 0.2
BRIGHTNESS = 0.15
SATURATION = 0.2
BLURRED_SHARE = 0.5
# Blur halves the resolution of images of this side, quarters it at twice the side: as soft as a young decoder's pictures.
BLUR_SIDE = 64


@dataclass(frozen=True)
class View:
    """One random change per image; the same view of two batches can be compared.

    Attributes:
        placement: float32 [B,2,3], from output to input positions in [-1,1]: mirror, zoom, turn and shift.
        contrast, brightness, saturation, blur: float32 [B,1,1,1]; blur is the share of the soft picture, 0..1.
    """

    placement: Tensor
    contrast: Tensor
    brightness: Tensor
    saturation: Tensor
    blur: Tensor

    def __call__(self, images: Tensor) -> Tensor:
        """float [B,3,H,W] in [-1,1] -> float32 of the same shape and range; differentiable."""
        images = images.float()
        grid = F.affine_grid(self.placement, list(images.shape), align_corners=False)
        images = F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        images = torch.lerp(images, softened(images), self.blur)
        images = torch.lerp(images.mean(1, keepdim=True), images, self.saturation)
        return (images * self.contrast + self.brightness).clamp(-1.0, 1.0)


def draw_view(count: int, generator: torch.Generator, team: Team = SOLO, mirror: bool = True) -> View:
    """Draws a view for `count` images of this process, out of the `count * team.size` of the whole batch; `mirror` lets half be flipped.

    The numbers come from a generator on the host, so that they are the same on every device.
    """
    uniform = torch.rand(count * team.size, 9, generator=generator)
    u = team.shard(uniform).to(team.device, non_blocking=True)
    both_ways = 2.0 * u - 1.0
    flip = torch.where(u[:, 0] < 0.5, -1.0, 1.0) if mirror else torch.ones_like(u[:, 0])
    zoom = 1.0 + ZOOM * both_ways[:, 1]
    angle = math.radians(TURN_DEGREES) * both_ways[:, 2]
    cosine, sine = zoom * torch.cos(angle), zoom * torch.sin(angle)
    shift = 2.0 * SHIFT * both_ways[:, 3:5]  # the picture is 2 wide
    placement = torch.stack([flip * cosine, -sine, shift[:, 0], flip * sine, cosine, shift[:, 1]], dim=1).view(-1, 2, 3)
    blur = ((u[:, 8] - (1.0 - BLURRED_SHARE)) / BLURRED_SHARE).clamp(min=0.0)
    colours = (1.0 + CONTRAST * both_ways[:, 5], BRIGHTNESS * both_ways[:, 6], 1.0 + SATURATION * both_ways[:, 7], blur)
    return View(placement, *(colour.view(-1, 1, 1, 1) for colour in colours))


def augmented(images: Tensor, generator: torch.Generator, team: Team = SOLO, mirror: bool = True) -> Tensor:
    """A random view of each of float [B,3,H,W] in [-1,1], deterministic by the generator; to compare two batches, use one `View`."""
    return draw_view(len(images), generator, team, mirror)(images)


def softened(images: Tensor) -> Tensor:
    """The images without their finest detail: shrunk by averaging, and enlarged again; [B,3,H,W] to the same."""
    factor = max(2, images.shape[-1] // BLUR_SIDE)
    small = F.avg_pool2d(images, factor, ceil_mode=True)
    return F.interpolate(small, size=images.shape[-2:], mode="bilinear", align_corners=False)
