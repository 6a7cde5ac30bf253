"""What a decoder and its mapping are built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textedit_core.latents import LatentSpec


@dataclass(frozen=True)
class MappingConfig:
    """z [B,z_dim] -> w [B,w_dim]; `normalize_z` is StyleGAN2's pixel norm, off when z is a scene code whose scale matters."""

    z_dim: int = 512
    w_dim: int = 512
    hidden_dim: int = 512
    num_layers: int = 8
    lr_multiplier: float = 0.01
    normalize_z: bool = True


@dataclass(frozen=True)
class AliasFreeLayer:
    """One layer of StyleGAN3: sizes in pixels, factors and filter taps of its resampling. `radial` down-samples by a two-dimensional
    filter; `clamp` bounds the activations, 0 does not."""

    in_channels: int
    out_channels: int
    in_size: int
    out_size: int
    kernel: int
    up: int
    down: int
    up_taps: int
    down_taps: int
    radial: bool
    clamp: float


@dataclass(frozen=True)
class DecoderConfig:
    """w_plus -> image. `channels` maps each resolution from 4 px up to a width; the mobile kinds end at half the image's size.

    `clamp` bounds the activations of "stylegan2" to +-clamp, as NVIDIA's later generators were trained and run; 0 does not.

    Two kinds hold imported weights alone: "mobile_stylegan" is MobileStyleGAN, "stylegan3" is StyleGAN3, which has no `channels` but
    `layers`, the sampling rate of its Fourier features, `input_rate`, and a factor on the image, `output_scale`.
    """

    kind: Literal["mobile", "stylegan2", "mobile_stylegan", "stylegan3"] = "mobile"
    img_resolution: int = 256
    w_dim: int = 256
    channels: tuple[tuple[int, int], ...] = ((4, 256), (8, 256), (16, 256), (32, 192), (64, 96), (128, 32))
    layers: tuple[AliasFreeLayer, ...] = ()
    input_rate: int = 0
    output_scale: float = 1.0
    clamp: float = 0.0

    @property
    def num_ws(self) -> int:
        """L: one w per modulated convolution plus the last to_rgb (StyleGAN2: 2*log2(R)-2; mobile has one level less).

        MobileStyleGAN has three levels per block and two before them, StyleGAN3 one per layer and one for its Fourier features.
        """
        if self.kind == "stylegan3":
            return len(self.layers) + 1
        return 3 * len(self.channels) - 1 if self.kind == "mobile_stylegan" else 2 * len(self.channels)

    @property
    def latent(self) -> LatentSpec:
        """The latents that the decoder reads."""
        return LatentSpec(self.num_ws, self.w_dim)
