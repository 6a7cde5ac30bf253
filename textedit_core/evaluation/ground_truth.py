"""The counterfactual groups that an evaluation works on, in memory: sources, partners, where the backdrop is, and the labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from textedit_core.errors import UserError
from textedit_core.evaluation.request import MIN_GROUPS
from textedit_core.synthetic.counterfactual_set import CounterfactualGroup, Member


class Groups(Protocol):
    """What the evaluation asks of a counterfactual set; `CounterfactualSet` is the real one."""

    edits: tuple[str, ...]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> CounterfactualGroup: ...


@dataclass(frozen=True)
class GroundTruth:
    """N groups at C pixels.

    Attributes:
        identities: int [N], the person of each group.
        sources: uint8 [N,3,C,C].
        partners: by edit, uint8 [N,3,C,C].
        source_background: bool [N,C,C], where the source shows its backdrop.
        backgrounds: by edit, bool [N,C,C], where neither source nor partner has the figure.
        source_labels: N dicts of attributes.
        partner_labels: by edit, N dicts.
    """

    identities: NDArray[np.int64]
    sources: Tensor
    partners: dict[str, Tensor]
    source_background: Tensor
    backgrounds: dict[str, Tensor]
    source_labels: list[dict[str, Any]]
    partner_labels: dict[str, list[dict[str, Any]]]

    def __len__(self) -> int:
        return len(self.sources)


def load_groups(groups: Groups, count: int | None, edits: Sequence[str], size: int) -> GroundTruth:
    """Reads `count` groups, spread evenly over the set; about 0.2 MB per picture at 256 px.

    Args:
        groups: the set.
        count: how many; None takes all.
        edits: the partners to read; those that the set lacks are left out.
        size: C, the side of the pictures in memory, in pixels.

    Raises:
        UserError: fewer than MIN_GROUPS are asked for or there, or more than there are.
    """
    wanted = len(groups) if count is None else count
    if wanted < MIN_GROUPS:
        raise UserError(f"{wanted} counterfactual groups are too few for an interval; give at least {MIN_GROUPS}")
    if wanted > len(groups):
        raise UserError(f"the counterfactual set has {len(groups)} groups, fewer than --groups {wanted}; render more")
    loaded = [groups[index] for index in spread(len(groups), wanted)]
    present = [edit for edit in edits if edit in groups.edits]
    partners = {edit: [group.partners[edit] for group in loaded] for edit in present}
    sources = [group.source for group in loaded]
    backdrop = _backgrounds(sources, size)
    return GroundTruth(
        np.array([group.identity for group in loaded]),
        _pictures(sources, size),
        {edit: _pictures(members, size) for edit, members in partners.items()},
        backdrop,
        {edit: backdrop & _backgrounds(members, size) for edit, members in partners.items()},
        [member.attributes for member in sources],
        {edit: [member.attributes for member in members] for edit, members in partners.items()},
    )


def spread(available: int, count: int) -> list[int]:
    """`count` different indices, spread evenly over 0 to available - 1; all of them when there are fewer."""
    count = min(count, available)
    return [index * available // count for index in range(count)]


def _pictures(members: Iterable[Member], size: int) -> Tensor:
    side = (size, size)
    images = (Image.fromarray(member.image) for member in members)
    arrays = [np.asarray(image if image.size == side else image.resize(side, Image.Resampling.LANCZOS)) for image in images]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()


def _backgrounds(members: Iterable[Member], size: int) -> Tensor:
    """Where no figure is. A pixel of a smaller picture is background only if all that it covers is."""
    masks = torch.from_numpy(np.stack([member.figure for member in members])).float().unsqueeze(1)
    return torch.nn.functional.adaptive_max_pool2d(masks, size).squeeze(1) == 0.0
