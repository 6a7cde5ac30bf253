"""The compositor's network: appearance flow, an occlusion mask, painted content and the share of the photo's own detail in it.

Appearance flow: Zhou et al. 2016. Dense motion with an occlusion mask: Siarohin et al. 2019 (First Order Motion). What is painted has
the decoder's resolution at most; `detail` says how much of the photo's finer structure lies on top of it, so that it fits a photo of
any size.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.compositor.config import CompositorConfig

# Mean difference of the decodes, in the range [-1, 1], below which nothing changes and above which everything may: 2 and 8 grey levels.
_STILL, _MOVED = 0.016, 0.063
# The guides' side has so many cells, and changes reach so many of them around where the decodes differ.
_CELLS, _REACH = 16, 1
# A mask below this is none, and above one less it covers; a motion below this is none, in fractions of the crop's side.
_MASK_FLOOR, _FLOW_FLOOR = 0.04, 0.0005
# Width of the rim of the crop in which every change fades, as a fraction of the side.
_RIM = 0.1


class CompositorFields(NamedTuple):
    """What the compositor says of N crops, all float; F is half the guides' side, M the guides', R the decodes'.

    Attributes:
        flow: [N,2,F,F], x right and y down in fractions of the crop's side: the edited picture at p shows the photo at p + flow.
        mask: [N,1,M,M], 0 the photo to 1 the content.
        content: [N,3,R,R] in [-1,1].
        detail: [N,1,M,M], 0 to 2: how much of the photo's fine luminance lies on the content.
    """

    flow: Tensor
    mask: Tensor
    content: Tensor
    detail: Tensor


class Compositor(nn.Module):
    """(photo [N,3,S,S], before [N,3,R,R], after [N,3,R,R]), float in [-1,1], RGB -> `CompositorFields`.

    S and R are the config's, or smaller multiples of its guides' side. Where the decodes before and after are the same, flow and mask are exactly 0, and so they are at the rim of the crop.
    """

    rim: Tensor

    def __init__(self, config: CompositorConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.stem = nn.Sequential(_conv(36, widths[0]), _Residual(widths[0]))
        self.downs = nn.ModuleList(
            nn.Sequential(_conv(i, o, 2), _Residual(o)) for i, o in zip(widths[:-1], widths[1:], strict=True)
        )
        self.middle = _Residual(widths[-1])
        self.ups = nn.ModuleList(nn.Conv2d(i, o, 1) for i, o in zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.joins = nn.ModuleList(_conv(width, width) for width in widths[-2::-1])
        # Motion, and by pixel shuffle six planes of twice the side: mask, detail, the decode's share in the content, the rest of it.
        self.out = nn.Conv2d(widths[0], 2 + 6 * 4, 3, padding=1)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)
        with torch.no_grad():
            # A mask of little, detail of one, content that is the decode.
            self.out.bias[2:6], self.out.bias[10:14] = -2.0, 2.0
        self.register_buffer("rim", _rim(config.guide // 2), persistent=False)

    def forward(self, photo: Tensor, before: Tensor, after: Tensor) -> CompositorFields:
        guide, after = self.config.guide, after.clamp(-1.0, 1.0)
        looked_at = [_shrunk(each, each.shape[-1] // guide) for each in (photo, before.clamp(-1.0, 1.0), after)]
        skips = [self.stem(F.pixel_unshuffle(torch.cat(looked_at, 1), 2))]
        for down in self.downs:
            skips.append(down(skips[-1]))
        x = self.middle(skips.pop())
        for up, join in zip(self.ups, self.joins, strict=True):
            x = join(_enlarged(up(x), 2) + skips.pop())
        x = self.out(x)
        gate = self._gate(looked_at[2] - looked_at[1])
        limit = self.config.max_flow
        flow = limit * _dead(torch.tanh(x[:, :2] * (0.1 / limit)), _FLOW_FLOOR / limit) * gate
        planes = F.pixel_shuffle(x[:, 2:], 2)
        mask = ((torch.sigmoid(planes[:, :1]) - _MASK_FLOOR) / (1.0 - 2.0 * _MASK_FLOOR)).clamp(0.0, 1.0) * _enlarged(gate, 2)
        share, paint = torch.sigmoid(planes[:, 2:3]), torch.tanh(planes[:, 3:])
        factor = after.shape[-1] // guide
        content = (after * _enlarged(share, factor) + _enlarged(paint, factor)).clamp(-1.0, 1.0)
        return CompositorFields(flow, mask, content, 2.0 * torch.sigmoid(planes[:, 1:2]))

    def _gate(self, change: Tensor) -> Tensor:
        """[N,1,F,F], 0 to 1, where something may change; from the decodes alone, so that no change gives none."""
        cell = self.config.guide // _CELLS
        coarse = F.avg_pool2d(change.abs().mean(1, keepdim=True), cell)
        wide = F.max_pool2d(coarse, 2 * _REACH + 1, 1, _REACH)
        gate = ((wide - _STILL) / (_MOVED - _STILL)).clamp(0.0, 1.0)
        return _enlarged(gate, cell // 2) * self.rim


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


def _conv(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU())


def _shrunk(image: Tensor, factor: int) -> Tensor:
    return F.avg_pool2d(image, factor) if factor > 1 else image


def _enlarged(x: Tensor, factor: int) -> Tensor:
    return F.interpolate(x, scale_factor=float(factor), mode="bilinear", align_corners=False) if factor > 1 else x


def _dead(x: Tensor, floor: float) -> Tensor:
    """x with what is smaller than `floor` taken to 0 and the rest moved by it, so that there is no step."""
    return F.relu(x - floor) - F.relu(-x - floor)


def _rim(side: int) -> Tensor:
    position = (torch.arange(side) + 0.5) / side
    # Nothing at the outermost cell, so that interpolation ends there too.
    ramp = ((torch.minimum(position, 1.0 - position) - 1.0 / side) / _RIM).clamp(0.0, 1.0)
    smooth = ramp * ramp * (3.0 - 2.0 * ramp)
    return torch.outer(smooth, smooth)[None, None]
