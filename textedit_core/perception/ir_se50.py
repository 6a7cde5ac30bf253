"""The IR-SE50 face recogniser of ArcFace (Deng et al. 2019), with the key names of the public ``model_ir_se50.pth``.

The attribute names (``input_layer``, ``body.N.shortcut_layer``, ``res_layer``, ``output_layer``) are the file's keys:
renaming one breaks loading. The squeeze-and-excitation unit is that of Hu et al. 2018.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from textedit_core.perception.resize import resize_square

IMAGE_SIZE = 112
EMBED_DIM = 512
# The part of an FFHQ-aligned photo of 256 px that ArcFace's tighter alignment covers, as pSp, e4e and StyleCLIP cut it out.
ALIGNED_SIZE = 256
CROP_ROWS, CROP_COLUMNS = slice(35, 223), slice(32, 220)
# Widths of the four stages and the number of units in each: 50 layers in all.
WIDTHS = (64, 128, 256, 512)
BLOCKS = (3, 4, 14, 3)
_SQUEEZE = 16
_DROPOUT = 0.6


class SqueezeExcitation(nn.Module):
    """Channel gating (Hu et al. 2018, section 3) with the official key names."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, channels // _SQUEEZE, 1, bias=False)
        self.relu = nn.ReLU()
        self.fc2 = nn.Conv2d(channels // _SQUEEZE, channels, 1, bias=False)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.sigmoid(self.fc2(self.relu(self.fc1(self.avg_pool(x)))))


class BottleneckUnit(nn.Module):
    """One improved residual unit with squeeze-and-excitation."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module
        if in_channels == out_channels:
            self.shortcut_layer = nn.MaxPool2d(1, stride)  # window 1: plain subsampling, no weights
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=False),
            nn.PReLU(out_channels),
            nn.Conv2d(out_channels, out_channels, 3, stride, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            SqueezeExcitation(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.res_layer(x) + self.shortcut_layer(x)


class IRSE50(nn.Module):
    """ArcFace IR-SE50: 112 px faces to 512 numbers. Holds no weights of its own; an importer loads them."""

    def __init__(self) -> None:
        super().__init__()
        self.input_layer = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(EMBED_DIM),
            nn.Dropout(_DROPOUT),
            nn.Flatten(),
            nn.Linear(EMBED_DIM * 7 * 7, EMBED_DIM),
            nn.BatchNorm1d(EMBED_DIM),
        )
        self.body = ir_se50_body()

    def forward(self, face: Tensor) -> Tensor:
        """Maps an ArcFace-aligned face [B,3,112,112] in [-1,1] to raw embeddings [B,512]."""
        return self.output_layer(self.body(self.input_layer(face)))

    def embed(self, image: Tensor) -> Tensor:
        """Embeds FFHQ-aligned photos: RGB float [B,3,H,W] in [-1,1], any size, to unit-norm float32 [B,512]."""
        return F.normalize(self(face_crop(image)).float(), dim=-1)

    def features(self, image: Tensor) -> list[Tensor]:
        """Feature maps after each stage, fine to coarse, each [B,C,h,w], for a perceptual distance; image as in `embed`."""
        x, maps, start = self.input_layer(face_crop(image)), [], 0
        for count in BLOCKS:
            for unit in self.body[start : start + count]:
                x = unit(x)
            start += count
            maps.append(x)
        return maps


def face_crop(image: Tensor) -> Tensor:
    """The face of FFHQ-aligned photos, RGB float [B,3,H,W] of any size -> float32 [B,3,112,112]: averaged to 256 px, cut, averaged."""
    image = image.float()
    # Averaging cannot enlarge.
    smaller = min(image.shape[-2:]) < ALIGNED_SIZE
    aligned = resize_square(image, ALIGNED_SIZE) if smaller else F.adaptive_avg_pool2d(image, ALIGNED_SIZE)
    return F.adaptive_avg_pool2d(aligned[..., CROP_ROWS, CROP_COLUMNS], IMAGE_SIZE)


def ir_se50_body(widths: tuple[int, ...] = WIDTHS) -> nn.Sequential:
    """The 24 residual units, [B,widths[0],h,w] -> [B,widths[-1],h/16,w/16]; other widths than ArcFace's make a smaller network."""
    units, in_channels = [], widths[0]
    for width, count in zip(widths, BLOCKS, strict=True):
        for index in range(count):
            units.append(BottleneckUnit(in_channels, width, stride=2 if index == 0 else 1))
            in_channels = width
    return nn.Sequential(*units)
