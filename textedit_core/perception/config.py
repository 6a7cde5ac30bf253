"""What the training-only networks are built from: the CLIP model and the face-recognition network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ClipConfig:
    """A small text-image model: a timm trunk and a causal text transformer meeting in `embed_dim` numbers.

    With `open_clip` it is instead the model that the open_clip library knows by that name, `quick_gelu` where its weights were trained
    with that activation; image_size, embed_dim, context_length and vocab_size then say what that model has. Images are normalised by
    `image_mean` and `image_std` of RGB in [0,1].
    """

    embed_dim: int = 128
    image_size: int = 128
    timm_model: str = "resnet10t"
    text_width: int = 192
    text_layers: int = 3
    text_heads: int = 4
    context_length: int = 20
    vocab_size: int = 512
    open_clip: str = ""
    quick_gelu: bool = False
    # Those of Radford et al. 2021.
    image_mean: tuple[float, ...] = (0.48145466, 0.4578275, 0.40821073)
    image_std: tuple[float, ...] = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class IdentityConfig:
    """The compact identity net: a residual network on an image_size crop, trained with the ArcFace margin.

    `kind` "ir_se50" is ArcFace's IR-SE50, whose sizes are fixed: embed_dim 512, image_size 112.
    """

    embed_dim: int = 128
    image_size: int = 112
    widths: tuple[int, ...] = (32, 64, 128, 192)
    crop_fraction: float = 0.8
    kind: Literal["compact", "ir_se50"] = "compact"
