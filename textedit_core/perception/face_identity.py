"""Face recognisers: a compact residual network of our own, its ArcFace training head (Deng et al. 2019), IR-SE50."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from textedit_core.errors import unknown_name
from textedit_core.perception.config import IdentityConfig
from textedit_core.perception.ir_se50 import IRSE50
from textedit_core.perception.resize import central_square, resize_square

__all__ = ["IRSE50", "ArcFaceHead", "IdentityNet", "ResidualBlock", "build_identity"]


class ResidualBlock(nn.Module):
    """Improved residual block: BN - conv - BN - PReLU - conv(stride) - BN, plus shortcut (Deng et al. 2019, 3.1.2)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.PReLU(out_channels),
            nn.Conv2d(out_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            projection = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + self.shortcut(x)


class IdentityNet(nn.Module):
    """Compact face recogniser: stem, one two-block stage per width, global depthwise convolution, embedding.

    Every stage halves the resolution. The head is the global depthwise convolution of MobileFaceNets (Chen et al.
    2018, section 3.2), then linear and BatchNorm: a weighted, position-aware pooling at a fraction of the weights of
    a flattened fully connected layer.

    Args:
        cfg: sizes; ``crop_fraction`` is the central part of an aligned photo that holds the face.
    """

    def __init__(self, cfg: IdentityConfig) -> None:
        super().__init__()
        self.cfg = cfg
        stem_width = cfg.widths[0]
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem_width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(stem_width),
            nn.PReLU(stem_width),
        )
        channels = (stem_width, *cfg.widths)
        self.stages = nn.Sequential(*(_stage(channels[i], channels[i + 1]) for i in range(len(cfg.widths))))
        final_size = math.ceil(cfg.image_size / 2 ** (1 + len(cfg.widths)))
        final_width = cfg.widths[-1]
        self.head = nn.Sequential(
            nn.BatchNorm2d(final_width),
            nn.Conv2d(final_width, final_width, final_size, groups=final_width, bias=False),
            nn.Flatten(),
            nn.Linear(final_width, cfg.embed_dim, bias=False),
            nn.BatchNorm1d(cfg.embed_dim),
        )

    def forward(self, face: Tensor) -> Tensor:
        """Maps a face crop [B,3,image_size,image_size] in [-1,1] to raw embeddings [B,E]."""
        return self.head(self.stages(self.stem(face)))

    def embed(self, image: Tensor) -> Tensor:
        """Embeds aligned photos: RGB float [B,3,H,W] in [-1,1], any size, to unit-norm float32 [B,E]."""
        return F.normalize(self(self._face(image)).float(), dim=-1)

    def features(self, image: Tensor) -> list[Tensor]:
        """Feature maps after each stage, fine to coarse, each [B,C,h,w], for a perceptual distance; image as in `embed`."""
        x = self.stem(self._face(image))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def _face(self, image: Tensor) -> Tensor:
        return resize_square(central_square(image, self.cfg.crop_fraction), self.cfg.image_size)


def build_identity(config: IdentityConfig) -> IdentityNet | IRSE50:
    """Builds the recogniser that `config.kind` names.

    Raises:
        UsageError: the kind is unknown.
    """
    if config.kind not in ("compact", "ir_se50"):
        raise unknown_name("face recogniser", config.kind, ["compact", "ir_se50"], "the recognisers are")
    return IRSE50() if config.kind == "ir_se50" else IdentityNet(config)


class ArcFaceHead(nn.Module):
    """Additive angular margin softmax (Deng et al. 2019, equation 3); needed for training only.

    ``logit_j = s cos(theta_j)``, and ``s cos(theta_y + m)`` for the true class. Where ``theta_y + m`` passes pi, the
    cosine would rise again; there the logit continues as ``cos(theta_y) - m sin(m)`` so that it stays monotonic.

    Args:
        embed_dim: E.
        num_classes: identities.
        scale: s, the radius of the hypersphere.
        margin: m, in radians.
    """

    def __init__(self, embed_dim: int, num_classes: int, scale: float, margin: float) -> None:
        super().__init__()
        self.scale = scale
        self.margin = margin
        self.weight = nn.Parameter(torch.empty(num_classes, embed_dim))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Logits float32 [B,num_classes] for cross-entropy.

        Args:
            embeddings: [B,E], any norm.
            labels: int64 [B].
        """
        cosine = F.linear(F.normalize(embeddings.float(), dim=-1), F.normalize(self.weight.float(), dim=-1))
        true = F.one_hot(labels, cosine.shape[1]).bool()
        return self.scale * torch.where(true, self._with_margin(cosine), cosine)

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of the margin logits, scalar; arguments as in ``forward``."""
        return F.cross_entropy(self(embeddings, labels), labels)

    def _with_margin(self, cosine: Tensor) -> Tensor:
        # The root's gradient is infinite at |cosine| = 1, which a saturated pair reaches exactly in float32.
        sine = (1.0 - cosine.square()).clamp(min=1e-7).sqrt()
        shifted = cosine * math.cos(self.margin) - sine * math.sin(self.margin)
        monotonic = cosine - self.margin * math.sin(self.margin)
        return torch.where(cosine > math.cos(math.pi - self.margin), shifted, monotonic)


def _stage(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        ResidualBlock(in_channels, out_channels, stride=2), ResidualBlock(out_channels, out_channels, stride=1)
    )
