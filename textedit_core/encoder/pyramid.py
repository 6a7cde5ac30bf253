"""The encoders of pSp (Richardson et al. 2021) and e4e (Tov et al. 2021): IR-SE50 features of three sizes and a small head per level."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.decoder.layers import EqualizedLinear
from textedit_core.encoder.config import EncoderConfig
from textedit_core.perception.ir_se50 import BLOCKS, ir_se50_body

# The slope of torch's leaky ReLU where none is given.
_SLOPE = 0.01
# Levels from which heads look at the middle and at the finest features (Richardson et al. 2021, section 3).
MIDDLE_LEVEL, FINE_LEVEL = 3, 7
# The backbone halves its image four times.
_REDUCTION = 16


class StyleHead(nn.Module):
    """map2style: [B,C,s,s] -> [B,C]; convolutions of stride 2 until one pixel is left, then an equalised layer."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, 2, 1) for _ in range(int(math.log2(side))))
        self.linear = EqualizedLinear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = F.leaky_relu(conv(x), _SLOPE)
        return self.linear(x.flatten(1))


class PyramidEncoder(nn.Module):
    """image float32 [B,3,S,S] in [-1,1], RGB -> w_plus float32 [B,L,D], S the resolution that the heads were made for (256).

    The heads of levels 0-2 see the coarsest features, those of 3-6 the middle and the others the finest ones. In pSp a head's answer is
    its level's offset from the average latent; in e4e level 0 is the base of all levels, and the others add what they answer.
    `w_avg` [L,D] is zero where a model was trained without an average latent.
    """

    w_avg: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.num_ws, self.w_dim, self.img_resolution = config.num_ws, config.w_dim, config.img_resolution
        self.from_base = config.kind == "e4e"
        stem, fine, middle, coarse = config.widths
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 3, 1, 1, bias=False), nn.BatchNorm2d(stem), nn.PReLU(stem))
        self.body = ir_se50_body(config.widths)
        side = config.img_resolution // _REDUCTION
        sides = [side if level < MIDDLE_LEVEL else 2 * side if level < FINE_LEVEL else 4 * side for level in range(config.num_ws)]
        self.heads = nn.ModuleList(StyleHead(coarse, each) for each in sides)
        self.middle_lateral, self.fine_lateral = nn.Conv2d(middle, coarse, 1), nn.Conv2d(fine, coarse, 1)
        self.register_buffer("w_avg", torch.zeros(config.num_ws, config.w_dim))

    def forward(self, image: Tensor) -> Tensor:
        coarse, middle, fine = self._pyramid(image)
        seen = [coarse if level < MIDDLE_LEVEL else middle if level < FINE_LEVEL else fine for level in range(self.num_ws)]
        offsets = [head(features) for head, features in zip(self.heads, seen, strict=True)]
        if self.from_base:
            offsets = [offsets[0], *(offset + offsets[0] for offset in offsets[1:])]
        return torch.cat([offset.unsqueeze(1) for offset in offsets], dim=1) + self.w_avg

    def _pyramid(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, maps = self.stem(image), []
        start = 0
        for count in BLOCKS:
            for unit in self.body[start : start + count]:
                x = unit(x)
            start += count
            maps.append(x)
        _, fine, middle, coarse = maps
        middle = _enlarged(coarse, middle.shape[-1]) + self.middle_lateral(middle)
        return coarse, middle, _enlarged(middle, fine.shape[-1]) + self.fine_lateral(fine)


def _enlarged(x: Tensor, side: int) -> Tensor:
    return F.interpolate(x, size=(side, side), mode="bilinear", align_corners=True)
