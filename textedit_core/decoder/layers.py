"""Layers of the StyleGAN2 family, written once in the form that trains and exports alike.

A modulated convolution is usually written with weights that depend on the style. By linearity it equals
`demod(s) * conv(x * s, W)` with `demod_o = rsqrt(sum_i s_i^2 * sum_k W_oik^2 + eps)` (Karras et al. 2020, equations 1-3, rearranged),
whose weights are constants: mobile runtimes delegate and quantize it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Leaky ReLU with slope 0.2 and gain sqrt(2) keeps unit variance (Karras et al. 2020, implementation details).
LRELU_SLOPE = 0.2
LRELU_GAIN = math.sqrt(2.0)
DEMOD_EPS = 1e-8
# Equalised layers hold weights of unit size whatever their width, and learn well at about so many times the rate of plain layers.
EQUALIZED_RATE = 10.0


def scaled_leaky_relu(x: Tensor) -> Tensor:
    """sqrt(2) * leaky_relu(x, 0.2), any shape."""
    return F.leaky_relu(x, LRELU_SLOPE) * LRELU_GAIN


def bounded(x: Tensor, limit: float) -> Tensor:
    """Clamps x of any shape to +-limit; a limit of 0 is none."""
    return x.clamp(-limit, limit) if limit else x


def pixel_norm(x: Tensor) -> Tensor:
    """Scales the last axis of [...,D] to unit root mean square (Karras et al. 2018, section 4.2)."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-8)


class EqualizedLinear(nn.Module):
    """Fully connected layer [...,I] -> [...,O] with equalised learning rate (Karras et al. 2018, section 4.1).

    The stored weight has unit variance over `lr_multiplier`; the effective weight is `weight * lr_multiplier / sqrt(I)`.
    """

    def __init__(self, in_features: int, out_features: int, bias_init: float = 0.0, lr_multiplier: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_features,), bias_init / lr_multiplier))
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)


class FIRUpsample(nn.Module):
    """Doubles [B,C,H,W] with the [1,3,3,1] filter, as zero insertion followed by a 4x4 FIR of gain 4."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", fir_kernel() * 4.0, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        weight = self.kernel.to(x.dtype)[None, None].repeat(channels, 1, 1, 1)
        return F.conv_transpose2d(x, weight, stride=2, padding=1, groups=channels)


def fir_kernel() -> Tensor:
    """The separable [1,3,3,1] resampling filter as a 4x4 kernel of unit sum (Karras et al. 2019, section 2.1)."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / taps.sum() ** 2


class ModulatedConv2d(nn.Module):
    """Static-weight modulated convolution [B,I,H,W], w [B,D] -> [B,O,H',W'].

    `upsample` picks how the size doubles: None keeps it, "fir" is StyleGAN2's transposed convolution followed by the [1,3,3,1] filter,
    "bilinear" convolves at the low resolution and then interpolates, a quarter of the work for phones.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        w_dim: int,
        demodulate: bool = True,
        upsample: str | None = None,
    ) -> None:
        super().__init__()
        if upsample not in (None, "fir", "bilinear"):
            raise ValueError(f"unknown upsample {upsample!r}; valid: None, 'fir', 'bilinear'")
        self.affine = EqualizedLinear(w_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.weight_gain = 1.0 / math.sqrt(in_channels * kernel_size**2)
        self.demodulate = demodulate
        self.upsample = upsample
        if upsample == "fir":
            self.register_buffer("fir", fir_kernel() * 4.0, persistent=False)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style = self.affine(w)
        weight = self.weight * self.weight_gain
        y = self.resampled_convolution(x * style[:, :, None, None].to(x.dtype), weight)
        if not self.demodulate:
            return y
        demod = torch.rsqrt(style.square() @ weight.square().sum((2, 3)).t() + DEMOD_EPS)
        return y * demod[:, :, None, None].to(y.dtype)

    def resampled_convolution(self, x: Tensor, weight: Tensor) -> Tensor:
        """The convolution with constant weights [O,I,k,k], including the change of size."""
        padding = weight.shape[-1] // 2
        if self.upsample == "fir":
            up = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
            channels = up.shape[1]
            return F.conv2d(up, self.fir.to(up.dtype)[None, None].repeat(channels, 1, 1, 1), padding=1, groups=channels)
        y = F.conv2d(x, weight, padding=padding)
        return bilinear_double(y) if self.upsample == "bilinear" else y


@torch.no_grad()
def settle_styles(decoder: nn.Module, w_plus: Tensor) -> None:
    """Brings the styles of every demodulated layer to about unit size on latents w_plus float [N,L,D], in place; the images stay the same.

    Demodulation divides by the styles' size, so nothing holds it in training; squared, styles of some hundreds pass what fp16 can hold.
    The factors are powers of two, which round nothing.
    """
    sizes: dict[ModulatedConv2d, Tensor] = {}

    def note(module: nn.Module, inputs: tuple[Tensor, Tensor]) -> None:
        assert isinstance(module, ModulatedConv2d)
        sizes[module] = module.affine(inputs[1]).square().mean().sqrt().log2().round().exp2()

    layers = [module for module in decoder.modules() if isinstance(module, ModulatedConv2d) and module.demodulate]
    handles = [layer.register_forward_pre_hook(note) for layer in layers]
    decoder(w_plus)
    for handle in handles:
        handle.remove()
    for layer, size in sizes.items():
        layer.affine.weight.div_(size)
        layer.affine.bias.div_(size)


def bilinear_double(x: Tensor) -> Tensor:
    """Doubles [B,C,H,W] by bilinear interpolation with half-pixel centres."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class StyledConv(nn.Module):
    """Modulated convolution, frozen per-pixel noise, bias and scaled leaky ReLU: one synthesis layer.

    `noise_const` [H,W] is drawn once and stored, so that the same latent always gives the same image; `noise_strength` scales it.
    `clamp` bounds the result, 0 does not.
    """

    def __init__(
        self, in_channels: int, out_channels: int, resolution: int, w_dim: int, upsample: str | None = None, clamp: float = 0.0
    ) -> None:
        super().__init__()
        self.clamp = clamp
        self.conv = ModulatedConv2d(in_channels, out_channels, 3, w_dim, upsample=upsample)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.noise_strength = nn.Parameter(torch.zeros([]))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        y = self.conv(x, w)
        y = y + (self.noise_const * self.noise_strength).to(y.dtype)
        return bounded(scaled_leaky_relu(y + self.bias[None, :, None, None].to(y.dtype)), self.clamp)


class ToRGB(nn.Module):
    """1x1 modulated convolution without demodulation to `3 * scale^2` channels, pixel-shuffled to RGB [B,3,H*scale,W*scale].

    `clamp` bounds the result, 0 does not.
    """

    def __init__(self, in_channels: int, w_dim: int, scale: int = 1, clamp: float = 0.0) -> None:
        super().__init__()
        self.clamp = clamp
        self.conv = ModulatedConv2d(in_channels, 3 * scale**2, 1, w_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(3 * scale**2))
        self.scale = scale

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        y = bounded(self.conv(x, w) + self.bias[None, :, None, None].to(x.dtype), self.clamp)
        return F.pixel_shuffle(y, self.scale) if self.scale > 1 else y
