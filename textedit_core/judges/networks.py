"""The judges' networks: a timm trunk each, with heads that fit the task."""

from __future__ import annotations

from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from textedit_core.judges.attribute_table import ATTRIBUTES
from textedit_core.judges.config import AttributeJudgeConfig, IdentityJudgeConfig, TrunkOptions
from textedit_core.perception.resize import central_square, resize_square


class AttributeNet(nn.Module):
    """Reads every attribute of `ATTRIBUTES` from a picture: the trunk's last feature map, then one linear layer per attribute.

    The map is flattened and not averaged: faces are aligned, so that a linear layer knows where the mouth is.
    """

    def __init__(self, cfg: AttributeJudgeConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.trunk = _trunk(cfg.trunk, cfg.trunk_options)
        width = _flat_width(self.trunk, cfg.image_size)
        self.heads = nn.ModuleDict({a.name: nn.Linear(width, a.outputs) for a in ATTRIBUTES})

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """RGB float [N,3,H,W] in [-1,1], any size -> raw outputs [N,outputs] per attribute; `Attribute.read` gives their meaning."""
        flat = self.trunk.forward_features(resize_square(images, self.cfg.image_size)).flatten(1)
        return {name: head(flat) for name, head in self.heads.items()}

    def features(self, images: Tensor) -> list[Tensor]:
        """Feature maps of the trunk's stages, fine to coarse, each [N,C,h,w]; images as in `forward`."""
        return self.trunk.forward_intermediates(resize_square(images, self.cfg.image_size), intermediates_only=True)


class IdentityJudgeNet(nn.Module):
    """Embeds the central part of an aligned photo; pictures of one person lie close together whatever their age and style."""

    def __init__(self, cfg: IdentityJudgeConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.trunk = _trunk(cfg.trunk, cfg.trunk_options)
        width = _flat_width(self.trunk, cfg.image_size)
        self.embedding = nn.Sequential(nn.BatchNorm1d(width), nn.Linear(width, cfg.embed_dim, bias=False), nn.BatchNorm1d(cfg.embed_dim))

    def forward(self, images: Tensor) -> Tensor:
        """RGB float [N,3,H,W] in [-1,1], any size -> embeddings float32 [N,E] of any norm."""
        face = resize_square(central_square(images, self.cfg.crop_fraction), self.cfg.image_size)
        return self.embedding(self.trunk.forward_features(face).flatten(1)).float()


class CosFaceHead(nn.Module):
    """Large margin cosine softmax (Wang et al. 2018, equation 4); needed for training only.

    Args:
        embed_dim: E.
        num_classes: people.
        scale: s, the radius of the sphere.
        margin: m, subtracted from the cosine with the true class.
    """

    def __init__(self, embed_dim: int, num_classes: int, scale: float, margin: float) -> None:
        super().__init__()
        self.scale, self.margin = scale, margin
        self.weight = nn.Parameter(nn.init.xavier_uniform_(nn.Linear(embed_dim, num_classes).weight.detach().clone()))

    def loss(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of the margin logits, scalar.

        Args:
            embeddings: [N,E], any norm.
            labels: int64 [N].
        """
        cosine = F.linear(F.normalize(embeddings.float(), dim=-1), F.normalize(self.weight.float(), dim=-1))
        margin = self.margin * F.one_hot(labels, cosine.shape[1])
        return F.cross_entropy(self.scale * (cosine - margin), labels)


def _trunk(name: str, options: TrunkOptions) -> nn.Module:
    extra: dict[str, Any] = dict(options)
    return timm.create_model(name, pretrained=False, num_classes=0, **extra)


@torch.no_grad()
def _flat_width(trunk: nn.Module, image_size: int) -> int:
    return trunk.eval().forward_features(torch.zeros(1, 3, image_size, image_size)).numel()
