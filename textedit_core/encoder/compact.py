"""The photo encoder: image -> w_plus as the average latent plus what this face adds to it."""

from __future__ import annotations

import timm
import torch
from torch import Tensor, nn

from textedit_core.encoder.config import EncoderConfig


class Encoder(nn.Module):
    """image float32 [B,3,S,S] in [-1,1], RGB -> w_plus float32 [B,L,D].

    `w_plus_l = w_avg + base + offset_l`: one base for all levels and a low-rank offset per level, the decomposition that e4e
    (Tov et al. 2021, section 4) shows to keep latents editable. The squeezed feature map is flattened, not averaged, since where
    the mouth's corners are matters as much as that they are there. Beside it goes the photo itself, averaged over the same grid: the
    colours of backdrop, hair and clothes, which a trunk made to tell things apart whatever their colour is slow to pass on.
    """

    w_avg: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.num_ws, self.w_dim, self.img_resolution = config.num_ws, config.w_dim, config.img_resolution
        self.offset_rank = config.offset_rank
        self.backbone = timm.create_model(config.backbone, pretrained=False, features_only=True, out_indices=(-1,))
        channels = self.backbone.feature_info.channels()[-1]
        side = -(-config.img_resolution // self.backbone.feature_info.reduction()[-1])
        cell = self.backbone.feature_info.reduction()[-1]
        # XNNPACK takes no pooling that rounds up; nothing is to be rounded where whole cells cover the photo.
        self.colours = nn.AvgPool2d(cell, ceil_mode=config.img_resolution % cell > 0)
        self.squeeze = nn.Conv2d(channels, config.squeeze_channels, 1, bias=False)
        self.squeeze_norm = nn.BatchNorm2d(config.squeeze_channels)
        self.hidden = nn.Linear((config.squeeze_channels + 3) * side**2, config.hidden_dim)
        self.base = nn.Linear(config.hidden_dim, config.w_dim)
        self.offset_codes = nn.Linear(config.hidden_dim, config.num_ws * config.offset_rank)
        self.offset = nn.Linear(config.offset_rank, config.w_dim, bias=False)
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(self, image: Tensor) -> Tensor:
        features = self.backbone(image)[-1]
        squeezed = torch.relu(self.squeeze_norm(self.squeeze(features)))
        seen = torch.cat([squeezed, self.colours(image).to(squeezed.dtype)], dim=1)
        hidden = torch.relu(self.hidden(seen.flatten(1)))
        codes = self.offset_codes(hidden).reshape(-1, self.num_ws, self.offset_rank)
        return self.offset(codes) + (self.base(hidden) + self.w_avg).unsqueeze(1)
