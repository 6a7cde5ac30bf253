"""What the compositor is asked for: the right picture, the right motion, and no more paint than needed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from textedit_core.compositor import CompositorFields
from textedit_core.training.compositor.examples import Examples

LUMA = (0.299, 0.587, 0.114)
# Differences that count as a change, in the range [-1,1].
_CHANGE = 0.08


@dataclass(frozen=True)
class CompositorWeights:
    """Weights of the terms beside the pixels' 1.

    `gradient` compares edges, `coarse` small pictures, `flow` the motion where it is known, `smooth` its variation, `paint` the size of
    the mask where the picture stays a photograph. `changed` is the extra weight of pixels that change.
    """

    gradient: float = 1.5
    coarse: float = 1.0
    flow: float = 12.0
    smooth: float = 1.5
    paint: float = 0.03
    changed: float = 5.0
    real: float = 1.0


def drawn(photo: Tensor, fields: CompositorFields) -> Tensor:
    """The edited crop float [N,3,S,S] in [-1,1], differentiable; bilinear where the exact composition is cubic."""
    side = photo.shape[-1]

    def full(plane: Tensor) -> Tensor:
        return F.interpolate(plane.float(), size=(side, side), mode="bilinear", align_corners=False) if plane.shape[-1] != side else plane.float()

    flow, mask, content, detail = (full(each) for each in fields)
    centres = (torch.arange(side, device=photo.device) + 0.5) * (2.0 / side) - 1.0
    grid = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), -1) + 2.0 * flow.permute(0, 2, 3, 1)
    weights = torch.tensor(LUMA, device=photo.device).view(1, 3, 1, 1)
    luma = (photo * weights).sum(1, keepdim=True)
    low = full(F.avg_pool2d(luma, side // fields.mask.shape[-1]))
    moved = F.grid_sample(torch.cat([photo, low], 1), grid, padding_mode="border", align_corners=False)
    warped, ground = moved[:, :3], moved[:, 3:]
    paint = content + detail * ((warped * weights).sum(1, keepdim=True) - ground)
    return warped + mask * (paint - warped)


def objective(fields: CompositorFields, examples: Examples, weights: CompositorWeights) -> dict[str, Tensor]:
    """Named scalars, with their weighted sum as "loss"."""
    edited, target = drawn(examples.photo, fields), examples.target
    change = ((target - examples.photo).abs().mean(1, keepdim=True) > _CHANGE).float()
    focus = 1.0 + weights.changed * F.avg_pool2d(F.max_pool2d(change, 5, 1, 2), 9, 1, 4)
    focus = focus * (1.0 + weights.real * examples.real)
    terms = {"pixel": ((edited - target).abs() * focus).mean()}
    terms["gradient"] = sum(((a - b).abs()).mean() for a, b in zip(_edges(edited), _edges(target), strict=True)) * weights.gradient
    small = [F.avg_pool2d(each, 8) for each in (edited, target)]
    terms["coarse"] = ((small[0] - small[1]).abs() * F.avg_pool2d(focus, 8)).mean() * weights.coarse
    side = fields.flow.shape[-1]
    cell = examples.flow.shape[-1] // side
    known, true = F.avg_pool2d(examples.seen, cell), F.avg_pool2d(examples.flow, cell)
    moving = 1.0 + 8.0 * (true.norm(dim=1, keepdim=True) / 0.02).clamp(max=1.0)
    terms["flow"] = ((fields.flow.float() - true).norm(dim=1, keepdim=True) * known * moving * (1.0 - examples.styled)).mean() * weights.flow
    terms["smooth"] = sum(each.abs().mean() for each in _edges(fields.flow.float())) * weights.smooth * side / 64.0
    terms["paint"] = (fields.mask.float() * (1.0 - examples.styled)).mean() * weights.paint
    return {"loss": torch.stack(list(terms.values())).sum(), **{name: value.detach() for name, value in terms.items()}}


def _edges(picture: Tensor) -> tuple[Tensor, Tensor]:
    return picture[..., 1:, :] - picture[..., :-1, :], picture[..., 1:] - picture[..., :-1]
