"""StyleGAN3 synthesis (Karras et al. 2021): Fourier features, and layers whose nonlinearity runs at a raised sampling rate.

Both configurations: -t (3x3 convolutions, separable filters) and -r (1x1 convolutions, radially symmetric down-sampling filters). Filters
are ordinary grouped convolutions; what an import can compute once (normalised weights, the input's gain) is folded.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.decoder.config import AliasFreeLayer, DecoderConfig
from textedit_core.decoder.layers import DEMOD_EPS, EqualizedLinear, bounded, scaled_leaky_relu


class FourierInput(nn.Module):
    """w [B,D] -> features [B,C,S,S]: sinusoids, rotated and shifted as w says, mixed by a matrix (section 3.1 and appendix F.1)."""

    freqs: Tensor
    phases: Tensor
    grid: Tensor

    def __init__(self, channels: int, size: int, sampling_rate: int, w_dim: int) -> None:
        super().__init__()
        self.affine = EqualizedLinear(w_dim, 4)
        self.weight = nn.Parameter(torch.randn(channels, channels))
        self.register_buffer("freqs", torch.randn(channels, 2))
        self.register_buffer("phases", torch.rand(channels) - 0.5)
        steps = (torch.arange(size) + 0.5 - size / 2) / sampling_rate
        self.register_buffer("grid", torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1), persistent=False)

    def forward(self, w: Tensor) -> Tensor:
        turn = self.affine(w)
        turn = turn / turn[:, :2].square().sum(1, keepdim=True).sqrt()
        cosine, sine, right, down = turn[:, :1], turn[:, 1:2], turn[:, 2:3], turn[:, 3:]
        across, along = self.freqs[:, 0], self.freqs[:, 1]
        freqs_x, freqs_y = across * cosine + along * sine, along * cosine - across * sine
        phases = self.phases - freqs_x * right - freqs_y * down
        waves = self.grid[..., 0, None] * freqs_x[:, None, None] + self.grid[..., 1, None] * freqs_y[:, None, None]
        features = torch.sin((waves + phases[:, None, None]) * (2 * math.pi))
        return (features @ (self.weight / math.sqrt(len(self.weight))).t()).permute(0, 3, 1, 2)


class FilteredLeakyReLU(nn.Module):
    """Up-sampling, scaled leaky ReLU with a clamp, down-sampling: [B,C,H,W] -> [B,C,S,S] (section 3.2, appendix D)."""

    def __init__(self, layer: AliasFreeLayer) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("up_filter", torch.zeros(layer.up_taps))
        self.register_buffer("down_filter", torch.zeros((layer.down_taps,) * (2 if layer.radial else 1)))
        # The size that the filters and the down-sampling need, centred where the samples lie.
        total = (layer.out_size - 1) * layer.down + 1 - (layer.in_size + layer.kernel - 1) * layer.up + layer.up_taps + layer.down_taps - 2
        self.before = (total + layer.up) // 2
        self.after = total - self.before

    def forward(self, x: Tensor) -> Tensor:
        channels, up, down = x.shape[1], self.layer.up, self.layer.down
        taps = (self.up_filter * up).to(x.dtype)
        x = F.conv_transpose2d(x, taps.reshape(1, 1, -1, 1).repeat(channels, 1, 1, 1), stride=(up, 1), groups=channels)
        x = F.conv_transpose2d(x, taps.reshape(1, 1, 1, -1).repeat(channels, 1, 1, 1), stride=(1, up), groups=channels)
        low, high = self.before - len(taps) + 1, self.after + up - len(taps)
        x = F.pad(x, (low, high, low, high))
        x = bounded(scaled_leaky_relu(x), self.layer.clamp)
        kernel = self.down_filter.flip([0, 1] if self.layer.radial else [0]).to(x.dtype)
        if self.layer.radial:
            return F.conv2d(x, kernel[None, None].repeat(channels, 1, 1, 1), stride=down, groups=channels)
        x = F.conv2d(x, kernel.reshape(1, 1, -1, 1).repeat(channels, 1, 1, 1), stride=(down, 1), groups=channels)
        return F.conv2d(x, kernel.reshape(1, 1, 1, -1).repeat(channels, 1, 1, 1), stride=(1, down), groups=channels)


class AliasFreeConv(nn.Module):
    """Demodulated convolution, bias and filtered leaky ReLU: [B,I,H,W], w [B,D] -> [B,O,S,S].

    `weight` has unit mean square per output channel; `input_gain` divides by the inputs' magnitude, as training tracked it.
    """

    input_gain: Tensor

    def __init__(self, layer: AliasFreeLayer, w_dim: int) -> None:
        super().__init__()
        self.affine = EqualizedLinear(w_dim, layer.in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(layer.out_channels, layer.in_channels, layer.kernel, layer.kernel))
        self.bias = nn.Parameter(torch.zeros(layer.out_channels))
        self.register_buffer("input_gain", torch.ones([]))
        self.activation = FilteredLeakyReLU(layer)
        self.padding = layer.kernel - 1

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style = self.affine(w)
        # Demodulation takes any factor out again; unit styles keep fp16 in range.
        style = style * torch.rsqrt(style.square().mean(1, keepdim=True))
        demod = torch.rsqrt(style.square() @ self.weight.square().sum((2, 3)).t() + DEMOD_EPS) * self.input_gain
        y = F.conv2d(x * style[:, :, None, None].to(x.dtype), self.weight, padding=self.padding)
        y = y * demod[:, :, None, None].to(y.dtype) + self.bias[None, :, None, None].to(y.dtype)
        return self.activation(y)


class AliasFreeToRGB(nn.Module):
    """1x1 convolution scaled by w, bias and clamp: [B,I,S,S] -> [B,3,S,S]; its gains are folded into `weight`."""

    def __init__(self, layer: AliasFreeLayer, w_dim: int) -> None:
        super().__init__()
        self.affine = EqualizedLinear(w_dim, layer.in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(layer.out_channels, layer.in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(layer.out_channels))
        self.clamp = layer.clamp

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        y = F.conv2d(x * self.affine(w)[:, :, None, None].to(x.dtype), self.weight, self.bias.to(x.dtype))
        return bounded(y, self.clamp)


class StyleGAN3Decoder(nn.Module):
    """w_plus float [B,L,D] -> RGB image float [B,3,R,R], nominally in [-1,1], unclamped; level 0 places the Fourier features."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.num_ws, self.w_dim, self.img_resolution = config.num_ws, config.w_dim, config.img_resolution
        first = config.layers[0]
        self.input = FourierInput(first.in_channels, first.in_size, config.input_rate, config.w_dim)
        self.layers = nn.ModuleList(AliasFreeConv(layer, config.w_dim) for layer in config.layers[:-1])
        self.to_rgb = AliasFreeToRGB(config.layers[-1], config.w_dim)
        self.output_scale = config.output_scale

    def preview(self, w_plus: Tensor) -> Tensor:
        """Half the size of a whole render, [B,3,R/2,R/2]: no layer of this network makes an image on the way."""
        return F.avg_pool2d(self(w_plus), 2)

    def forward(self, w_plus: Tensor) -> Tensor:
        x = self.input(w_plus[:, 0])
        for i, layer in enumerate(self.layers):
            x = layer(x, w_plus[:, i + 1])
        return self.to_rgb(x, w_plus[:, -1]) * self.output_scale
