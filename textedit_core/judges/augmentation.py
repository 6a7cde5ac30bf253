"""Worsens training pictures as decoders, cameras and files do: geometry, light, blur, lost pixels, compression, noise.

Every random number comes from the generator that is passed in, so that a step sees the same pictures whenever it runs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from textedit_core.judges.config import AugmentationConfig

_BLOCK = 8


def augmented(images: Tensor, config: AugmentationConfig, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Worsens pictures, each in its own way.

    Args:
        images: RGB float [N,3,S,S] in [-1,1], S a multiple of 8.
        config: what happens, how often and how much.
        generator: source of every draw.

    Returns:
        float [N,3,S,S] in [-1,1], and bool [N]: which pictures are mirrored.
    """
    images, mirrored = _moved(images, config, generator)
    images = _relit(images, config, generator)
    steps = (
        (config.blur_share, lambda x: blurred(x, _uniform(len(x), config.blur, generator))),
        (config.shrink_share, lambda x: _shrunk(x, float(_uniform(1, (1.0, config.shrink), generator)))),
        (config.compression_share, lambda x: _compressed(x, _uniform(len(x), config.compression, generator))),
        (config.noise_share, lambda x: x + _noise(x, config.noise, generator)),
    )
    for share, worsen in steps:
        chosen = torch.nonzero(torch.rand(len(images), generator=generator) < share).flatten()
        if len(chosen):
            images = images.index_copy(0, chosen, worsen(images[chosen]))
    return images.clamp(-1.0, 1.0), mirrored


def blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of float [N,3,H,W] with a standard deviation per picture, float [N] in pixels."""
    reach = max(1, math.ceil(2.5 * float(sigma.max())))
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernels = torch.exp(-0.5 * (offsets / sigma[:, None].clamp(min=1e-3)) ** 2)
    kernels = (kernels / kernels.sum(dim=1, keepdim=True)).repeat_interleave(images.shape[1], dim=0)
    maps = F.pad(images, (reach,) * 4, mode="replicate").flatten(0, 1)[None]
    maps = F.conv2d(maps, kernels[:, None, :, None], groups=len(kernels))
    return F.conv2d(maps, kernels[:, None, None, :], groups=len(kernels)).view_as(images)


def _uniform(count: int, bounds: tuple[float, float], generator: torch.Generator) -> Tensor:
    return bounds[0] + (bounds[1] - bounds[0]) * torch.rand(count, generator=generator)


def _moved(images: Tensor, config: AugmentationConfig, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    count = len(images)
    mirrored = torch.rand(count, generator=generator) < config.mirror_share
    roll = torch.deg2rad(_uniform(count, (-config.roll, config.roll), generator))
    scale = 1.0 + _uniform(count, (-config.scale, config.scale), generator)
    shift = 2.0 * config.shift * (2.0 * torch.rand(count, 2, generator=generator) - 1.0)
    cosine, sine = scale * roll.cos(), scale * roll.sin()
    sign = 1.0 - 2.0 * mirrored.float()
    rows = [torch.stack([sign * cosine, -sine, shift[:, 0]], dim=1), torch.stack([sign * sine, cosine, shift[:, 1]], dim=1)]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False), mirrored


def _relit(images: Tensor, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    count = len(images)
    contrast = 1.0 + _uniform(count, (-config.contrast, config.contrast), generator)
    brightness = _uniform(count, (-config.brightness, config.brightness), generator)
    color = config.color * (2.0 * torch.rand(count, 3, 1, 1, generator=generator) - 1.0)
    return images * contrast[:, None, None, None] + brightness[:, None, None, None] + color


def _shrunk(images: Tensor, factor: float) -> Tensor:
    size = images.shape[-2:]
    small = [max(_BLOCK, round(side / factor)) for side in size]
    reduced = F.interpolate(images, size=small, mode="bilinear", align_corners=False, antialias=True)
    return F.interpolate(reduced, size=size, mode="bilinear", align_corners=False)


def _compressed(images: Tensor, step: Tensor) -> Tensor:
    """Rounds the cosine transform of 8 px blocks as JPEG does, high frequencies coarser; `step` [N] is the lowest's, in [-1,1] units."""
    count, channels, height, width = images.shape
    basis = _cosine_basis()
    blocks = images.view(count, channels, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK).transpose(3, 4)
    frequency = torch.arange(_BLOCK, dtype=torch.float32)
    quantum = step[:, None, None, None, None, None] * (1.0 + frequency[:, None] + frequency[None, :])
    rounded = ((basis @ blocks @ basis.T) / quantum).round() * quantum
    return (basis.T @ rounded @ basis).transpose(3, 4).reshape(images.shape)


def _cosine_basis() -> Tensor:
    positions = torch.arange(_BLOCK, dtype=torch.float32)
    basis = torch.cos(math.pi / _BLOCK * (positions[None, :] + 0.5) * positions[:, None]) * math.sqrt(2.0 / _BLOCK)
    basis[0] /= math.sqrt(2.0)
    return basis


def _noise(images: Tensor, most: float, generator: torch.Generator) -> Tensor:
    sigma = _uniform(len(images), (0.0, most), generator)
    return sigma[:, None, None, None] * torch.randn(images.shape, generator=generator)
