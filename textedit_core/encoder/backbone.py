"""Encoders that look at the last features of an IR-SE50 alone: pSp's into W, and ReStyle's, which correct their answer in steps."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.decoder.layers import EqualizedLinear
from textedit_core.encoder.config import EncoderConfig
from textedit_core.errors import UserError
from textedit_core.perception.ir_se50 import ir_se50_body

# The backbone halves its image four times.
REDUCTION = 16
# The slope of torch's leaky ReLU where none is given.
_SLOPE = 0.01
# The photo, and the picture that the last answer makes.
_PAIR_CHANNELS = 6


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


def refuse_stepwise(config: EncoderConfig) -> None:
    """Raises UserError for a model whose encoder looks at its own answers: it is used and exported, but not trained here."""
    if config.kind.startswith("restyle"):
        raise UserError(f"an encoder of kind {config.kind!r} corrects its answer in steps and cannot be trained here; import another one")


def encoder_stem(channels: int, width: int) -> nn.Sequential:
    """The first layers of an IR-SE50, [B,channels,S,S] -> [B,width,S,S]."""
    return nn.Sequential(nn.Conv2d(channels, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.PReLU(width))


class WEncoder(nn.Module):
    """image float32 [B,3,S,S] in [-1,1], RGB -> w_plus float32 [B,L,D], the same w for every level (Richardson et al. 2021, into W)."""

    w_avg: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.num_ws, self.w_dim, self.img_resolution = config.num_ws, config.w_dim, config.img_resolution
        self.stem = encoder_stem(3, config.widths[0])
        self.body = ir_se50_body(config.widths)
        self.linear = EqualizedLinear(config.widths[-1], config.w_dim)
        self.register_buffer("w_avg", torch.zeros(config.num_ws, config.w_dim))

    def forward(self, image: Tensor) -> Tensor:
        features = self.body(self.stem(image)).mean((2, 3))
        return self.linear(features).unsqueeze(1) + self.w_avg


class ReStyleEncoder(nn.Module):
    """image float32 [B,3,S,S] in [-1,1], RGB -> w_plus float32 [B,L,D], in steps (ReStyle, Alaluf et al. 2021).

    Each step sees the photo beside the picture of the last answer, the average face at first, and adds to that answer. With
    "restyle_e4e" level 0 is the base of all levels, as in e4e. `watch` gives it the decoder, whose weights are not a part of its own.
    """

    w_avg: Tensor
    average_face: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.num_ws, self.w_dim, self.img_resolution = config.num_ws, config.w_dim, config.img_resolution
        self.iterations, self.from_base = config.iterations, config.kind == "restyle_e4e"
        self.stem = encoder_stem(_PAIR_CHANNELS, config.widths[0])
        self.body = ir_se50_body(config.widths)
        self.heads = nn.ModuleList(StyleHead(config.widths[-1], config.img_resolution // REDUCTION) for _ in range(config.num_ws))
        self.register_buffer("w_avg", torch.zeros(config.num_ws, config.w_dim))
        self.register_buffer("average_face", torch.zeros(1, 3, config.img_resolution, config.img_resolution), persistent=False)
        self.decoder: nn.Module | None = None

    @torch.no_grad()
    def watch(self, decoder: nn.Module) -> None:
        """Takes the decoder [B,L,D] -> [B,3,R,R] that shows what an answer looks like, once the weights are loaded."""
        self.decoder = decoder
        self.average_face = self._seen(decoder(self.w_avg.unsqueeze(0)))

    def forward(self, image: Tensor) -> Tensor:
        w_plus = self.w_avg + self._offsets(image, self.average_face.expand(len(image), -1, -1, -1))
        for _ in range(self.iterations - 1):
            assert self.decoder is not None, "an encoder that looks at its answers needs a decoder: watch"
            w_plus = w_plus + self._offsets(image, self._seen(self.decoder(w_plus)))
        return w_plus

    def _offsets(self, image: Tensor, face: Tensor) -> Tensor:
        features = self.body(self.stem(torch.cat([image, face], dim=1)))
        offsets = [head(features) for head in self.heads]
        if self.from_base:
            offsets = [offsets[0], *(offset + offsets[0] for offset in offsets[1:])]
        return torch.cat([offset.unsqueeze(1) for offset in offsets], dim=1)

    def _seen(self, picture: Tensor) -> Tensor:
        """The picture at the encoder's size: averaged, or pixels repeated, as adaptive averaging does for whole factors."""
        side = picture.shape[-1]
        if side > self.img_resolution:
            return F.avg_pool2d(picture, side // self.img_resolution)
        return F.interpolate(picture, scale_factor=self.img_resolution // side, mode="nearest") if side < self.img_resolution else picture
