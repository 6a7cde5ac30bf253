"""The phone decoder: StyleGAN2's modulated layers, cheap up-sampling and pixel-shuffle heads at half the image's size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from textedit_core.decoder.config import DecoderConfig
from textedit_core.decoder.layers import StyledConv, ToRGB, bilinear_double


class MobileDecoder(nn.Module):
    """w_plus float [B,L,D] -> RGB image float [B,3,R,R], nominally in [-1,1], unclamped.

    Features stop at R/2. A first head turns the R/4 features into an image of R/2 by pixel shuffle; a second adds the detail of R.
    So everything at full size is three channels wide, since phones are bound by memory there, and `preview` (R/2) costs
    two thirds of a render. Training may start on the preview alone.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.num_ws, self.w_dim, self.img_resolution = config.num_ws, config.w_dim, config.img_resolution
        widths = dict(config.channels)
        self.const = nn.Parameter(torch.randn(1, widths[4], 4, 4))
        self.input = StyledConv(widths[4], widths[4], 4, config.w_dim)
        self.ups = nn.ModuleList()
        self.convs = nn.ModuleList()
        previous = widths[4]
        for resolution, width in config.channels[1:]:
            self.ups.append(StyledConv(previous, width, resolution, config.w_dim, upsample="bilinear"))
            self.convs.append(StyledConv(width, width, resolution, config.w_dim))
            previous = width
        self.preview_rgb = ToRGB(config.channels[-2][1], config.w_dim, scale=2)
        self.detail_rgb = ToRGB(previous, config.w_dim, scale=2)

    def _preview_features(self, w_plus: Tensor) -> Tensor:
        x = self.input(self.const.expand(w_plus.shape[0], -1, -1, -1), w_plus[:, 0])
        for i, (up, conv) in enumerate(zip(self.ups[:-1], self.convs[:-1], strict=True)):
            x = conv(up(x, w_plus[:, 2 * i + 1]), w_plus[:, 2 * i + 2])
        return x

    def preview(self, w_plus: Tensor) -> Tensor:
        """Renders w_plus [B,L,D] at half size, [B,3,R/2,R/2], without the last level."""
        return self.preview_rgb(self._preview_features(w_plus), w_plus[:, -3])

    def forward(self, w_plus: Tensor) -> Tensor:
        x = self._preview_features(w_plus)
        rgb = bilinear_double(self.preview_rgb(x, w_plus[:, -3]))
        x = self.convs[-1](self.ups[-1](x, w_plus[:, -3]), w_plus[:, -2])
        return rgb + self.detail_rgb(x, w_plus[:, -1])
