"""What an encoder is built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textedit_core.latents import LatentSpec


@dataclass(frozen=True)
class EncoderConfig:
    """Photo -> w_plus. `kind` "compact": `backbone` is a timm name; its last feature map is squeezed, flattened and mapped to the levels.

    "e4e" and "psp" are the imported encoders of those names: an IR-SE50 of the stage widths `widths` with a head per level; of the other
    fields they read only sizes.
    """

    backbone: str = "mobilenetv4_conv_small"
    img_resolution: int = 256
    num_ws: int = 12
    w_dim: int = 256
    squeeze_channels: int = 64
    hidden_dim: int = 512
    offset_rank: int = 32
    kind: Literal["compact", "e4e", "psp"] = "compact"
    widths: tuple[int, ...] = (64, 128, 256, 512)

    @property
    def latent(self) -> LatentSpec:
        """The latents that the encoder answers with."""
        return LatentSpec(self.num_ws, self.w_dim)
