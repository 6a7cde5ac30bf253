"""The rows of an evaluation beside the checkpoint's own: their names, the mean direction, exported bundles."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from textedit_core.errors import UserError
from textedit_core.face_networks import FaceNetworks
from textedit_core.open_networks import open_bundle_networks

# Names of rows that have no networks of their own.
GROUND_TRUTH = "ground truth"
ORACLE = "oracle"
NO_EDIT = "no edit"
MEAN_DIRECTION = "mean direction"


def mean_directions(source: Tensor, partner: Tensor, identities: NDArray[np.int64]) -> Tensor:
    """The classic baseline: the mean of w_plus(partner) - w_plus(source), for every group over the other half of the people.

    Cross-fitting in two folds keeps a group, and every other picture of its person, out of the direction that edits it.

    Args:
        source: w_plus of the sources, [N,L,D].
        partner: w_plus of the partners, [N,L,D].
        identities: the person of each group, [N].

    Returns:
        delta_w [N,L,D].

    Raises:
        UserError: all groups are of one person.
    """
    people = np.unique(identities)
    if len(people) < 2:
        raise UserError(f"all {len(identities)} counterfactual groups show person {people[0]}; the mean direction needs two people or more")
    fold = torch.from_numpy(np.searchsorted(people, identities) % 2)
    difference = partner - source
    means = torch.stack([difference[fold == side].mean(0) for side in (0, 1)])
    return means[1 - fold]


@contextlib.contextmanager
def opened_bundle(path: Path, checkpoint_id: str) -> Iterator[FaceNetworks]:
    """Opens a bundle of the checkpoint that is evaluated.

    Raises:
        UserError: no installed package runs bundles, the bundle is damaged, or it was exported from another checkpoint.
    """
    with open_bundle_networks(path) as networks:
        if networks.checkpoint_id != checkpoint_id:
            origin = f"bundle {str(path)!r} was exported from {networks.checkpoint_id}"
            raise UserError(f"{origin}, not from {checkpoint_id}; name its --checkpoint")
        yield networks
