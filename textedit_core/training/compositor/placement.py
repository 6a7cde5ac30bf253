"""Random placements and colours of examples: what holds for a picture holds for it turned, mirrored and in another light."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from textedit_core.training.compositor.examples import Examples

_TURN_DEGREES, _ZOOM, _SHIFT = 6.0, 0.10, 0.05
_GAIN, _TINT, _GAMMA, _SATURATION = 0.22, 0.06, 0.22, 0.25
_SOFT_SHARE, _NOISY_SHARE, _NOISE = 0.25, 0.4, 0.03


def placed(examples: Examples, generator: torch.Generator) -> Examples:
    """Turns, zooms, shifts and mirrors each example as a whole."""
    count, side = len(examples.photo), examples.photo.shape[-1]
    draws = torch.randn(count, 4, generator=generator).clamp(-2.5, 2.5)
    angle, zoom = math.radians(_TURN_DEGREES) * draws[:, 0], torch.exp(_ZOOM * draws[:, 1])
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    # From output to input places.
    linear = torch.stack([torch.stack([cosine * mirror, -sine], 1), torch.stack([sine * mirror, cosine], 1)], 1)
    grid = F.affine_grid(torch.cat([linear, _SHIFT * draws[:, 2:, None]], 2), [count, 1, side, side], align_corners=False)

    def moved(plane: Tensor, padding: str = "reflection") -> Tensor:
        return F.grid_sample(plane, grid, mode="bilinear", padding_mode=padding, align_corners=False)

    turned = torch.einsum("nij,njhw->nihw", torch.linalg.inv(linear), moved(examples.flow, "border"))
    return replace(
        examples,
        photo=moved(examples.photo),
        target=moved(examples.target),
        before=moved(examples.before),
        after=moved(examples.after),
        flow=turned,
        seen=moved(examples.seen, "zeros"),
    )


def relit(examples: Examples, generator: torch.Generator) -> Examples:
    """Changes light and colours of photo and target alike, blurs some pairs, and adds noise to some photos; the guides stay.

    A drawing keeps its colours: it does not take the photo's light.
    """
    count = len(examples.photo)

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator).clamp(-2.5, 2.5)

    gain = torch.exp(_TINT * normal(3, 1, 1) + _GAIN * normal(1, 1, 1))
    gamma, saturation = torch.exp(_GAMMA * normal(1, 1, 1)), torch.exp(_SATURATION * normal(1, 1, 1))

    def colored(picture: Tensor) -> Tensor:
        unit = ((picture + 1.0) / 2.0).clamp(1e-4, 1.0) ** gamma * gain
        grey = unit.mean(1, keepdim=True)
        return (grey + (unit - grey) * saturation).clamp(0.0, 1.0) * 2.0 - 1.0

    soft = (torch.rand(count, 1, 1, 1, generator=generator) < _SOFT_SHARE).float()
    photo = torch.lerp(colored(examples.photo), _softened(colored(examples.photo)), soft)
    target = colored(examples.target)
    target = torch.where(examples.styled > 0, examples.target, torch.lerp(target, _softened(target), soft))
    noisy = (torch.rand(count, 1, 1, 1, generator=generator) < _NOISY_SHARE).float() * _NOISE
    noise = noisy * torch.randn(photo.shape, generator=generator)
    return replace(examples, photo=(photo + noise).clamp(-1.0, 1.0), target=(target + noise * (1.0 - examples.styled)).clamp(-1.0, 1.0))


def _softened(picture: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(picture, (1, 1, 1, 1), mode="reflect"), 3, 1)


def texture(count: int, side: int, generator: torch.Generator) -> Tensor:
    """Procedural backdrops, float32 [N,3,S,S] in [-1,1]: noise of four sizes around a colour."""
    total = 0.4 * torch.randn(count, 3, 1, 1, generator=generator)
    for octave, cells in enumerate((3, 8, 24, 64)):
        noise = torch.randn(count, 3, cells, cells, generator=generator) * (0.5 / (octave + 1))
        total = total + F.interpolate(noise, size=(side, side), mode="bicubic", align_corners=True)
    return total.clamp(-1.0, 1.0)
