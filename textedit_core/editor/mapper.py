"""Imported editors: StyleCLIP's mappers (Patashnik et al. 2021, section 5) and directions that are the same for every face."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from textedit_core.decoder.layers import EqualizedLinear, scaled_leaky_relu
from textedit_core.editor.config import EditorConfig
from textedit_core.editor.networks import LatentEditor, present_groups

# StyleCLIP moves by a tenth of what its mapper answers, in training and inference alike.
MAPPER_STEP = 0.1
# The learning rate multiplier of the mapper's equalised layers.
MAPPER_LR = 0.01


def level_norm(x: Tensor) -> Tensor:
    """Scales every channel of [B,l,D] to unit root mean square over the levels.

    StyleCLIP applies StyleGAN2's pixel norm, which was written for z [B,D], to axis 1 of w_plus: the levels. Its mappers were trained so.
    """
    # The mean of a last axis is what mobile backends take.
    power = x.square().transpose(1, 2).mean(-1, keepdim=True)
    return x * torch.rsqrt(power.transpose(1, 2) + 1e-8)


class MapperGroup(nn.Module):
    """[B,l,D] -> [B,l,D]: level norm, then equalised layers of width D, each with a leaky ReLU, the last one too."""

    def __init__(self, config: EditorConfig) -> None:
        super().__init__()
        layers = [EqualizedLinear(config.w_dim, config.w_dim, lr_multiplier=MAPPER_LR) for _ in range(config.num_blocks)]
        self.blocks = nn.ModuleList(layers[:-1])
        self.leave = layers[-1]

    def forward(self, x: Tensor) -> Tensor:
        h = level_norm(x)
        for block in self.blocks:
            h = scaled_leaky_relu(block(h))
        return scaled_leaky_relu(self.leave(h)) * MAPPER_STEP


class LevelsMapper(LatentEditor):
    """StyleCLIP's LevelsMapper: a network each for coarse, medium and fine levels; one that is switched off returns zeros."""

    def __init__(self, config: EditorConfig) -> None:
        slices, on = present_groups(config)
        super().__init__(config, slices, {name: MapperGroup(config) for name in on})

    def forward(self, w_plus: Tensor) -> Tensor:
        return self._delta(w_plus)


class SingleMapper(LatentEditor):
    """StyleCLIP's SingleMapper: one network for all levels."""

    def __init__(self, config: EditorConfig) -> None:
        super().__init__(config, {"all": slice(0, config.num_ws)}, {"all": MapperGroup(config)})

    def forward(self, w_plus: Tensor) -> Tensor:
        return self.groups["all"](w_plus)


class DirectionEditor(LatentEditor):
    """One delta_w for every face: a direction in W or W+, as InterFaceGAN and GANSpace find them."""

    def __init__(self, config: EditorConfig) -> None:
        super().__init__(config, {}, {})
        # Not "delta_w", which is the name of an exported graph's output.
        self.direction = nn.Parameter(torch.zeros(config.num_ws, config.w_dim))

    @torch.no_grad()
    def scale(self, factor: float) -> None:
        """Multiplies the direction by `factor`, in place."""
        self.direction.mul_(factor)

    def forward(self, w_plus: Tensor) -> Tensor:
        # A graph whose answer does not read its input is none that a backend takes.
        return w_plus * 0.0 + self.direction
