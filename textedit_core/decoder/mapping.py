"""The mapping network z -> w, used when latents are sampled and to train the decoder; it is never exported."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from textedit_core.decoder.config import MappingConfig
from textedit_core.decoder.layers import EqualizedLinear, pixel_norm, scaled_leaky_relu

# A rare flag would otherwise be blown up to a value that drowns the rest.
MIN_DEVIATION = 0.1


class MappingNetwork(nn.Module):
    """z float [B,Z] -> w float [B,D] through equalised fully connected layers (Karras et al. 2019, section 2).

    Every layer ends in a leaky ReLU, as in StyleGAN2, so that official weights fit. z is first brought to zero mean and unit variance by
    `z_mean` and `z_scale`: nothing to do for Gaussian noise, while the numbers of a scene code differ in scale, and those that vary
    little (an expression, a colour) would be learned last.
    """

    z_mean: Tensor
    z_scale: Tensor

    def __init__(self, config: MappingConfig) -> None:
        super().__init__()
        sizes = [config.z_dim, *[config.hidden_dim] * (config.num_layers - 1), config.w_dim]
        pairs = zip(sizes[:-1], sizes[1:], strict=True)
        self.layers = nn.ModuleList(EqualizedLinear(i, o, lr_multiplier=config.lr_multiplier) for i, o in pairs)
        self.normalize_z = config.normalize_z
        self.register_buffer("z_mean", torch.zeros(config.z_dim))
        self.register_buffer("z_scale", torch.ones(config.z_dim))

    def standardise(self, codes: Tensor) -> None:
        """Sets `z_mean` and `z_scale` from samples float [N,Z]; a number that never varies is left unscaled."""
        deviation = codes.std(0)
        self.z_mean.copy_(codes.mean(0))
        self.z_scale.copy_(torch.where(deviation > 1e-4, 1.0 / deviation.clamp(min=MIN_DEVIATION), 1.0))

    def forward(self, z: Tensor) -> Tensor:
        z = (z - self.z_mean) * self.z_scale
        x = pixel_norm(z) if self.normalize_z else z
        for layer in self.layers:
            x = scaled_leaky_relu(layer(x))
        return x
