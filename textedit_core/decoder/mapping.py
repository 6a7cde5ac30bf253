"""The mapping network z -> w, used when latents are sampled and to train the decoder; it is never exported."""

from __future__ import annotations

from torch import Tensor, nn

from textedit_core.config import MappingConfig
from textedit_core.decoder.layers import EqualizedLinear, pixel_norm, scaled_leaky_relu


class MappingNetwork(nn.Module):
    """z float [B,Z] -> w float [B,D] through equalised fully connected layers (Karras et al. 2019, section 2).

    Every layer ends in a leaky ReLU, as in StyleGAN2, so that official weights fit.
    """

    def __init__(self, config: MappingConfig) -> None:
        super().__init__()
        sizes = [config.z_dim, *[config.hidden_dim] * (config.num_layers - 1), config.w_dim]
        pairs = zip(sizes[:-1], sizes[1:], strict=True)
        self.layers = nn.ModuleList(EqualizedLinear(i, o, lr_multiplier=config.lr_multiplier) for i, o in pairs)
        self.normalize_z = config.normalize_z

    def forward(self, z: Tensor) -> Tensor:
        x = pixel_norm(z) if self.normalize_z else z
        for layer in self.layers:
            x = scaled_leaky_relu(layer(x))
        return x
