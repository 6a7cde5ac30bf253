"""A decoder as it is usually written and exported: modulated convolutions whose weights are made anew for every face.

After Karras et al. 2020, equations 1 to 3: the weight is scaled by the style and normalised, and a grouped convolution applies it. The
function is that of `ModulatedConv2d`; only the runtime sees a weight that is no constant.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.decoder.layers import DEMOD_EPS, ModulatedConv2d, bilinear_double


class RuntimeWeightConv2d(nn.Module):
    """The same function as `source`, with the style in the weight.

    Args:
        source: the layer whose parameters are shared.
    """

    def __init__(self, source: ModulatedConv2d) -> None:
        super().__init__()
        self.source = source

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [B,I,H,W] and w [B,D] to [B,O,H',W']."""
        source = self.source
        style = source.affine(w)
        weight = source.weight * source.weight_gain * style[:, None, :, None, None]
        if source.demodulate:
            weight = weight * torch.rsqrt(weight.square().sum((2, 3, 4), keepdim=True) + DEMOD_EPS)
        return self._grouped(x, weight)

    def _grouped(self, x: Tensor, weight: Tensor) -> Tensor:
        batch, out, inner, kernel, _ = weight.shape
        flat = x.reshape(1, batch * inner, *x.shape[2:])
        if self.source.upsample == "fir":
            turned = weight.transpose(1, 2).reshape(batch * inner, out, kernel, kernel)
            up = F.conv_transpose2d(flat, turned, stride=2, groups=batch)
            fir = self.source.fir[None, None].repeat(batch * out, 1, 1, 1)
            y = F.conv2d(up, fir, padding=1, groups=batch * out)
        else:
            y = F.conv2d(flat, weight.reshape(batch * out, inner, kernel, kernel), padding=kernel // 2, groups=batch)
        y = y.reshape(batch, out, *y.shape[2:])
        return bilinear_double(y) if self.source.upsample == "bilinear" else y


def naive_copy(decoder: nn.Module) -> nn.Module:
    """A copy of a decoder with every modulated convolution in its usual form."""
    twin = copy.deepcopy(decoder)
    for module in list(twin.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, ModulatedConv2d):
                setattr(module, name, RuntimeWeightConv2d(child))
    return twin.eval()
