"""The compositor's network: appearance flow, an occlusion mask, painted content and the share of the photo's own detail in it.

Appearance flow: Zhou et al. 2016. Dense motion with an occlusion mask: Siarohin et al. 2019 (First Order Motion). What is painted has
the decoder's resolution at most; `detail` says how much of the photo's finer structure lies on top of it, so that it fits a photo of
any size.
"""

from __future__ import annotations

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


# Planes of the compositor's answer; FLOW_UNIT is what the numbers of the motion mean, in fractions of the crop's side.
FLOW, MASK, DETAIL, SHARE, PAINT = slice(0, 2), slice(2, 3), slice(3, 4), slice(4, 5), slice(5, 8)
PLANES = 8
FLOW_UNIT = 0.1


def guides_of(photo: Tensor, before: Tensor, after: Tensor, side: int) -> Tensor:
    """What the compositor looks at: float [N,9,M,M] of a photo's crop and of the decodes before and after the edit.

    Args:
        photo: float [N,3,S,S] in [-1,1], S a multiple of `side`.
        before, after: float [N,3,R,R], R a multiple of `side`; clamped to [-1,1].
        side: M, in pixels.
    """
    pictures = (each.clamp(-1.0, 1.0) for each in (photo, before, after))
    return torch.cat([F.avg_pool2d(each, each.shape[-1] // side) for each in pictures], 1)


class Compositor(nn.Module):
    """guides float [N,9,M,M], see `guides_of` -> fields float [N,8,M,M]: what the edit does to the photo's crop, in planes.

    * `FLOW`: x right and y down in units of `FLOW_UNIT`: the edited picture at p shows the photo at p + flow.
    * `MASK`: 0 the photo to 1 what is painted.
    * `DETAIL`: 0 to 2, how much of the photo's fine luminance lies on the paint.
    * `SHARE` and `PAINT`: what is painted is the decode after the edit times the share (0 to 1), plus the paint (-1 to 1), clamped.

    Where the decodes before and after are the same, flow and mask are exactly 0, and so they are at the rim of the crop.
    """

    rim: Tensor

    def __init__(self, config: CompositorConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.stem = nn.Sequential(_conv(36, widths[0]), _Residual(widths[0]))
        self.downs = nn.ModuleList(nn.Sequential(_conv(i, o, 2), _Residual(o)) for i, o in zip(widths[:-1], widths[1:], strict=True))
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

    def forward(self, guides: Tensor) -> Tensor:
        skips = [self.stem(F.pixel_unshuffle(guides, 2))]
        for down in self.downs:
            skips.append(down(skips[-1]))
        x = self.middle(skips.pop())
        for up, join in zip(self.ups, self.joins, strict=True):
            x = join(_enlarged(up(x), 2) + skips.pop())
        x = self.out(x)
        gate = self._gate(guides[:, 6:] - guides[:, 3:6])
        limit = self.config.max_flow
        flow = (limit / FLOW_UNIT) * _dead(torch.tanh(x[:, :2] * (0.1 / limit)), _FLOW_FLOOR / limit) * gate
        planes = F.pixel_shuffle(x[:, 2:], 2)
        mask = ((torch.sigmoid(planes[:, :1]) - _MASK_FLOOR) / (1.0 - 2.0 * _MASK_FLOOR)).clamp(0.0, 1.0) * _enlarged(gate, 2)
        shares = torch.sigmoid(planes[:, 1:3])
        return torch.cat([_enlarged(flow, 2), mask, 2.0 * shares[:, :1], shares[:, 1:], torch.tanh(planes[:, 3:])], 1)

    def _gate(self, change: Tensor) -> Tensor:
        """[N,1,F,F], 0 to 1, where something may change; from the decodes alone, so that no change gives none."""
        cell = self.config.guide // _CELLS
        size = change.abs()
        coarse = F.avg_pool2d((size[:, :1] + size[:, 1:2] + size[:, 2:]) * (1.0 / 3.0), cell)
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
