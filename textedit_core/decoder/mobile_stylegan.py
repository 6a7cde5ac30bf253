"""MobileStyleGAN's synthesis network (Belousov 2021): separable convolutions on Haar bands, a student of StyleGAN2.

The original demodulates by a learned stand-in for the style, which makes demodulation a constant; an import folds it and the equalised
gains into the weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.decoder.config import DecoderConfig
from textedit_core.decoder.layers import LRELU_SLOPE

# Red, green and blue in the four bands of a Haar transform.
_BANDS = 12


def inverse_haar(low: Tensor, high: Tensor) -> Tensor:
    """One level of the inverse Haar transform: low [B,C,H,W] and high [B,3C,H,W] -> [B,C,2H,2W].

    A channel's three bands stand together in `high`: vertical, horizontal and diagonal detail.
    """
    vertical, horizontal, diagonal = high[:, 0::3], high[:, 1::3], high[:, 2::3]
    top, bottom = low + vertical, low - vertical
    top_detail, bottom_detail = horizontal + diagonal, horizontal - diagonal
    corners = [top + top_detail, top - top_detail, bottom + bottom_detail, bottom - bottom_detail]
    return F.pixel_shuffle(torch.stack(corners, dim=2).flatten(1, 2) * 0.5, 2)


class StyleScale(nn.Module):
    """Multiplies each channel of x [B,C,H,W] by what w [B,D] says of it."""

    def __init__(self, channels: int, w_dim: int) -> None:
        super().__init__()
        self.affine = nn.Linear(w_dim, channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return x * self.affine(w)[:, :, None, None].to(x.dtype)


class HaarUpsample(nn.Module):
    """Doubles [B,4C,H,W] to [B,C,2H,2W]: the channels, scaled by w, are taken for the bands of an image of C channels."""

    def __init__(self, channels: int, w_dim: int) -> None:
        super().__init__()
        self.scale = StyleScale(channels, w_dim)
        self.low = channels // 4

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = self.scale(x, w)
        return inverse_haar(x[:, : self.low], x[:, self.low :])


class StyledLayer(nn.Module):
    """Scaling by w, a convolution, frozen noise, bias and leaky ReLU of slope 0.2: [B,I,H,W] -> [B,O,H,W]."""

    noise_const: Tensor

    def __init__(self, in_channels: int, convolution: nn.Module, out_channels: int, resolution: int, w_dim: int) -> None:
        super().__init__()
        self.scale = StyleScale(in_channels, w_dim)
        self.convolution = convolution
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.noise_strength = nn.Parameter(torch.zeros([]))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        y = self.convolution(self.scale(x, w))
        y = y + (self.noise_const * self.noise_strength).to(y.dtype)
        return F.leaky_relu(y + self.bias[None, :, None, None].to(y.dtype), LRELU_SLOPE)


def separable(in_channels: int, out_channels: int) -> nn.Sequential:
    """A 3x3 convolution of each channel alone, then a 1x1 convolution across them, without biases."""
    depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
    return nn.Sequential(depthwise, nn.Conv2d(in_channels, out_channels, 1, bias=False))


class ToBands(nn.Module):
    """Features [B,C,H,W] -> RGB image [B,3,2H,2W] by way of its Haar bands."""

    def __init__(self, channels: int, w_dim: int) -> None:
        super().__init__()
        self.scale = StyleScale(channels, w_dim)
        self.convolution = nn.Conv2d(channels, _BANDS, 1)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        bands = self.convolution(self.scale(x, w))
        return inverse_haar(bands[:, :3], bands[:, 3:])


class MobileStyleGANDecoder(nn.Module):
    """w_plus float [B,L,D] -> RGB image float [B,3,R,R], nominally in [-1,1], unclamped; L = 3 * blocks + 2.

    Level 0 is the first layer's, the last level no layer's. A block of levels l, l+1, l+2 takes l for its up-sampling and first
    convolution, l+1 for its second, l+2 for the bands of an image. Only the last two blocks make images: the preview and the result.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.num_ws, self.w_dim, self.img_resolution = config.num_ws, config.w_dim, config.img_resolution
        width, w_dim = config.channels[0][1], config.w_dim
        self.const = nn.Parameter(torch.randn(1, width, 4, 4))
        self.input = StyledLayer(width, nn.Conv2d(width, width, 3, padding=1, bias=False), width, 4, w_dim)
        self.ups, self.enters, self.leaves = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for resolution, out in config.channels[1:]:
            self.ups.append(HaarUpsample(width, w_dim))
            self.enters.append(StyledLayer(width // 4, separable(width // 4, out), out, resolution, w_dim))
            self.leaves.append(StyledLayer(out, separable(out, out), out, resolution, w_dim))
            width = out
        self.preview_rgb = ToBands(config.channels[-2][1], w_dim)
        self.to_rgb = ToBands(width, w_dim)

    def _features(self, w_plus: Tensor, blocks: int) -> Tensor:
        x = self.input(self.const.expand(w_plus.shape[0], -1, -1, -1), w_plus[:, 0])
        for i in range(blocks):
            x = self.enters[i](self.ups[i](x, w_plus[:, 3 * i + 1]), w_plus[:, 3 * i + 1])
            x = self.leaves[i](x, w_plus[:, 3 * i + 2])
        return x

    def preview(self, w_plus: Tensor) -> Tensor:
        """Renders w_plus [B,L,D] at half size, [B,3,R/2,R/2], without the last block."""
        return self.preview_rgb(self._features(w_plus, len(self.ups) - 1), w_plus[:, -5])

    def forward(self, w_plus: Tensor) -> Tensor:
        return self.to_rgb(self._features(w_plus, len(self.ups)), w_plus[:, -2])
