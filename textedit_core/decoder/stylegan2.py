"""StyleGAN2 synthesis (Karras et al. 2020), skip architecture, with frozen noise; sizes 32 to 1024 px."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from textedit_core.decoder.config import DecoderConfig
from textedit_core.decoder.layers import FIRUpsample, StyledConv, ToRGB


class StyleGAN2Decoder(nn.Module):
    """w_plus float [B,L,D] -> RGB image float [B,3,R,R], nominally in [-1,1], unclamped.

    Level order is the official one: a block's to_rgb shares its w with the first convolution of the next block.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.num_ws, self.w_dim, self.img_resolution = config.num_ws, config.w_dim, config.img_resolution
        widths = dict(config.channels)
        self.const = nn.Parameter(torch.randn(1, widths[4], 4, 4))
        self.input = StyledConv(widths[4], widths[4], 4, config.w_dim, clamp=config.clamp)
        self.to_rgbs = nn.ModuleList([ToRGB(widths[4], config.w_dim, clamp=config.clamp)])
        self.ups = nn.ModuleList()
        self.convs = nn.ModuleList()
        previous = widths[4]
        for resolution, width in config.channels[1:]:
            self.ups.append(StyledConv(previous, width, resolution, config.w_dim, "fir", config.clamp))
            self.convs.append(StyledConv(width, width, resolution, config.w_dim, clamp=config.clamp))
            self.to_rgbs.append(ToRGB(width, config.w_dim, clamp=config.clamp))
            previous = width
        self.upsample_rgb = FIRUpsample()

    def _rgb_pyramid(self, w_plus: Tensor, blocks: int) -> Tensor:
        x = self.input(self.const.expand(w_plus.shape[0], -1, -1, -1), w_plus[:, 0])
        rgb = self.to_rgbs[0](x, w_plus[:, 1])
        for i in range(blocks):
            x = self.ups[i](x, w_plus[:, 2 * i + 1])
            x = self.convs[i](x, w_plus[:, 2 * i + 2])
            rgb = self.upsample_rgb(rgb) + self.to_rgbs[i + 1](x, w_plus[:, 2 * i + 3])
        return rgb

    def preview(self, w_plus: Tensor) -> Tensor:
        """Renders w_plus [B,L,D] at half size, [B,3,R/2,R/2]: the skip image before the last block."""
        return self._rgb_pyramid(w_plus, len(self.ups) - 1)

    def forward(self, w_plus: Tensor) -> Tensor:
        return self._rgb_pyramid(w_plus, len(self.ups))
