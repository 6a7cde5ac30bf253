"""What the compositor is asked for: the right picture, the right motion, and no more paint than needed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from textedit_core.compositor.network import DETAIL, FLOW, FLOW_UNIT, MASK, PAINT, SHARE
from textedit_core.pixels import LUMA
from textedit_core.training.compositor.examples import Examples

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
    flow: float = 30.0
    smooth: float = 1.5
    paint: float = 0.03
    changed: float = 5.0
    real: float = 1.0


def drawn(photo: Tensor, after: Tensor, fields: Tensor) -> Tensor:
    """The edited crop float [N,3,S,S] in [-1,1], differentiable; bilinear where the exact composition is cubic.

    Args:
        photo, after: float [N,3,S,S] in [-1,1].
        fields: float [N,8,M,M], as the compositor gave them.
    """
    side = photo.shape[-1]
    luma = (photo * torch.tensor(LUMA, device=photo.device).view(1, 3, 1, 1)).sum(1, keepdim=True)
    low = _full(F.avg_pool2d(luma, side // fields.shape[-1]), side)
    planes = _full(fields.float(), side)
    centres = (torch.arange(side, device=photo.device) + 0.5) * (2.0 / side) - 1.0
    grid = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), -1) + (2.0 * FLOW_UNIT) * planes[:, FLOW].permute(0, 2, 3, 1)
    moved = F.grid_sample(torch.cat([photo, luma - low], 1), grid, padding_mode="border", align_corners=False)
    warped, fine = moved[:, :3], moved[:, 3:]
    content = (after * planes[:, SHARE] + planes[:, PAINT]).clamp(-1.0, 1.0)
    return warped + planes[:, MASK] * (content + planes[:, DETAIL] * fine - warped)


def _full(plane: Tensor, side: int) -> Tensor:
    return F.interpolate(plane, size=(side, side), mode="bilinear", align_corners=False) if plane.shape[-1] != side else plane


def objective(fields: Tensor, examples: Examples, weights: CompositorWeights) -> dict[str, Tensor]:
    """Named scalars, with their weighted sum as "loss"; `fields` as for `drawn`."""
    edited, target = drawn(examples.photo, examples.after, fields), examples.target
    change = ((target - examples.photo).abs().mean(1, keepdim=True) > _CHANGE).float()
    focus = 1.0 + weights.changed * F.avg_pool2d(F.max_pool2d(change, 5, 1, 2), 9, 1, 4)
    focus = focus * (1.0 + weights.real * examples.real)
    terms = {"pixel": ((edited - target).abs() * focus).mean()}
    edges = zip(_edges(edited), _edges(target), strict=True)
    terms["gradient"] = torch.stack([(a - b).abs().mean() for a, b in edges]).sum() * weights.gradient
    small = [F.avg_pool2d(each, 8) for each in (edited, target)]
    terms["coarse"] = ((small[0] - small[1]).abs() * F.avg_pool2d(focus, 8)).mean() * weights.coarse
    flow, mask = fields[:, FLOW].float() * FLOW_UNIT, fields[:, MASK].float()
    cell = examples.flow.shape[-1] // flow.shape[-1]
    known, true = F.avg_pool2d(examples.seen, cell), F.avg_pool2d(examples.flow, cell)
    moving = 1.0 + 8.0 * (true.norm(dim=1, keepdim=True) / 0.02).clamp(max=1.0)
    terms["flow"] = ((flow - true).norm(dim=1, keepdim=True) * known * moving * (1.0 - examples.styled)).mean() * weights.flow
    terms["smooth"] = torch.stack([each.abs().mean() for each in _edges(flow)]).sum() * weights.smooth * flow.shape[-1] / 64.0
    terms["paint"] = (mask * (1.0 - examples.styled)).mean() * weights.paint
    return {"loss": torch.stack(list(terms.values())).sum(), **{name: value.detach() for name, value in terms.items()}}


def _edges(picture: Tensor) -> tuple[Tensor, Tensor]:
    return picture[..., 1:, :] - picture[..., :-1, :], picture[..., 1:] - picture[..., :-1]
