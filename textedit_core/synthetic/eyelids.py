"""Closes eyes exactly: the closing targets are modelled for average lids, so their weight is measured on each head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from textedit_core.synthetic.assets import Target, Wavefront
from textedit_core.synthetic.geometry import ETHNICITIES
from textedit_core.synthetic.meshes import Points

# Edges of the upper and of the lower lid of the left eye on the unmorphed base mesh, outside to inside.
_UPPER = np.array([[0.384, 7.324, 1.401], [0.349, 7.330, 1.408], [0.311, 7.332, 1.411], [0.272, 7.323, 1.406]])
_LOWER = np.array([[0.384, 7.246, 1.392], [0.349, 7.241, 1.402], [0.311, 7.240, 1.405], [0.272, 7.243, 1.404]])
# The lids overlap by this much, in base mesh units (decimetres), so that no white shines through.
_OVERLAP = 0.004
_STRONGEST = 2.0


class Eyelids:
    """Finds lid edges on the base mesh and the weight that makes them meet."""

    def __init__(self, base: Wavefront, targets: Mapping[str, Target]) -> None:
        """Finds the vertices, and how far each variant of the closing target moves them."""
        body = np.unique(base.faces[np.array(base.groups) == "body"])
        tree = cKDTree(base.vertices[body])
        self.edges: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        self._speeds: dict[str, NDArray[np.float64]] = {}
        for side, sign in (("left", 1.0), ("right", -1.0)):
            upper, lower = (body[tree.query(places * [sign, 1.0, 1.0])[1]] for places in (_UPPER, _LOWER))
            self.edges[side] = upper, lower
            closing = [targets[f"expression/{name}/eye-{side}-closure"] for name in ETHNICITIES]
            self._speeds[side] = np.stack([_height(target, lower) - _height(target, upper) for target in closing])

    def gap(self, points: Points, side: str) -> NDArray[np.float64]:
        """Returns the height [4] of the opening between the lids of the "left" or "right" eye; 0 or less is closed."""
        upper, lower = self.edges[side]
        return (points[upper, 1] - points[lower, 1]).astype(np.float64)

    def closing_weights(self, points: Points, ethnicity: Sequence[float], amount: float) -> dict[str, float]:
        """Returns target weights that close the open eyes of a head by `amount`, 0 to 1."""
        weights = {}
        for side, speeds in self._speeds.items():
            speed = np.maximum(np.asarray(ethnicity) @ speeds, 1e-3)
            full = float(np.clip(np.max((self.gap(points, side) + _OVERLAP) / speed), 0.0, _STRONGEST))
            for name, share in zip(ETHNICITIES, ethnicity, strict=True):
                weights[f"expression/{name}/eye-{side}-closure"] = amount * full * share
        return weights


def _height(target: Target, vertices: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far a target raises each of some vertices."""
    moved = np.zeros(int(max(target.index.max(), vertices.max())) + 1)
    moved[target.index] = target.delta[:, 1]
    return np.asarray(moved[vertices])
