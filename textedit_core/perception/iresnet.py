"""The recognisers of insightface's arcface_torch (r18, r34, r50, r100): improved residual networks (Duta et al. 2020) for 112 px faces.

Most attributes carry the names of the files' keys; see the importer for the others.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from textedit_core.perception.ir_se50 import EMBED_DIM, WIDTHS, face_crop

_LAST_SIDE = 7


class IResUnit(nn.Module):
    """BN - conv - BN - PReLU - conv(stride) - BN, plus the input, which a convolution of one pixel brings to another size."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.prelu = nn.PReLU(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        y = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        return self.bn3(self.conv2(y)) + self.downsample(x)


class IResNet(nn.Module):
    """112 px faces to 512 numbers. Holds no weights of its own; an importer loads them.

    Args:
        blocks: the units of each of the four stages, (3, 4, 14, 3) for r50.
    """

    def __init__(self, blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.PReLU(WIDTHS[0]))
        widths = (WIDTHS[0], *WIDTHS)
        self.stages = nn.ModuleList(_stage(widths[i], widths[i + 1], count) for i, count in enumerate(blocks))
        self.bn2 = nn.BatchNorm2d(WIDTHS[-1])
        self.fc = nn.Linear(WIDTHS[-1] * _LAST_SIDE**2, EMBED_DIM)
        self.out_norm = nn.BatchNorm1d(EMBED_DIM)

    def forward(self, face: Tensor) -> Tensor:
        """Maps an ArcFace-aligned face [B,3,112,112] in [-1,1] to raw embeddings [B,512]."""
        x = self.stem(face)
        for stage in self.stages:
            x = stage(x)
        return self.out_norm(self.fc(self.bn2(x).flatten(1)))

    def embed(self, image: Tensor) -> Tensor:
        """Embeds FFHQ-aligned photos: RGB float [B,3,H,W] in [-1,1], any size, to unit-norm float32 [B,512]."""
        return F.normalize(self(face_crop(image)).float(), dim=-1)

    def features(self, image: Tensor) -> list[Tensor]:
        """Feature maps after each stage, fine to coarse, each [B,C,h,w], for a perceptual distance; image as in `embed`."""
        x, maps = self.stem(face_crop(image)), []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


def _stage(in_channels: int, out_channels: int, count: int) -> nn.Sequential:
    units = [IResUnit(in_channels if index == 0 else out_channels, out_channels, 2 if index == 0 else 1) for index in range(count)]
    return nn.Sequential(*units)
