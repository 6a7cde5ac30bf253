"""Spectacles that are built on the head that wears them: rims, bridge, temples and lenses from a few points of the face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from textedit_core.synthetic.assets import Wavefront
from textedit_core.synthetic.meshes import Points, RenderMesh

Array = NDArray[np.float64]
_ROUND, _SIDES, _LENS_RINGS = 44, 8, 4
_BRIDGE_POINTS, _TEMPLE_POINTS = 9, 14
# Where the temples run, on the left half of the unmorphed base mesh: side of the brow, temple, top of the ear, behind it.
_SIDE_PLACES = np.array([[0.66, 7.42, 0.99], [0.70, 7.42, 0.80], [0.73, 7.42, 0.56], [0.69, 7.25, 0.26]])
# The part of the face that the rims must stay in front of: half width, lowest and highest height, least depth.
_ORBIT = (0.72, 6.95, 7.62, 0.95)
_CLEARANCE = 0.015
_CURVE, _TILT = 0.28, 0.10


@dataclass(frozen=True)
class FrameStyle:
    """Proportions of one frame; lengths are in distances between the eyes.

    Attributes:
        half_width, half_height: of the opening of a lens.
        squareness: exponent of the superellipse that the opening follows; 2 is round.
        taper: how much wider the opening is at its top than at its middle.
        droop: how far the outer bottom is pulled out and down.
        below: how far the middle of a lens lies below the pupil.
        rim, rim_depth: half thickness of the rims across and along the line of sight.
        temple, temple_height: half thickness of the temples across and up.
        bridge: height of the bridge above the middle of the lenses, in half heights.
        metal: strength of the highlight.
    """

    half_width: float
    half_height: float
    squareness: float
    taper: float
    droop: float
    below: float
    rim: float
    rim_depth: float
    temple: float
    temple_height: float
    bridge: float
    metal: float


# In the order of scene.GLASSES without its first entry.
FRAME_STYLES: tuple[FrameStyle, ...] = (
    FrameStyle(0.385, 0.365, 2.0, 0.0, 0.0, 0.05, 0.018, 0.020, 0.016, 0.022, 0.45, 1.0),
    FrameStyle(0.420, 0.250, 4.5, 0.02, 0.0, 0.06, 0.024, 0.026, 0.018, 0.034, 0.55, 0.5),
    FrameStyle(0.405, 0.310, 3.2, 0.10, 0.0, 0.05, 0.045, 0.036, 0.026, 0.052, 0.50, 0.25),
    FrameStyle(0.425, 0.360, 2.5, 0.08, 0.06, 0.10, 0.016, 0.018, 0.015, 0.022, 0.62, 1.0),
)


def _grid_quads(rows: int, columns: int, start: int, *, closed_rows: bool) -> NDArray[np.int64]:
    """Quads between rings of `columns` vertices each; the columns are always closed."""
    row = np.arange(rows if closed_rows else rows - 1)[:, None]
    column = np.arange(columns)[None]
    after, beside = (row + 1) % rows, (column + 1) % columns
    corners = [row * columns + column, after * columns + column, after * columns + beside, row * columns + beside]
    return start + np.stack([corner.reshape(-1) for corner in corners], axis=1)


def _tube(path: Array, across: Array, along: Array, thick: float, deep: float) -> Array:
    """Rings [N * _SIDES, 3] around a path [N, 3]; `across` and `along` [N, 3] span the ring planes."""
    angle = 2.0 * np.pi * np.arange(_SIDES) / _SIDES
    ring = thick * np.cos(angle)[None, :, None] * across[:, None] + deep * np.sin(angle)[None, :, None] * along[:, None]
    return (path[:, None] + ring).reshape(-1, 3)


def _mesh(quads: list[NDArray[np.int64]], count: int) -> RenderMesh:
    faces = np.concatenate(quads)
    mesh = Wavefront(np.zeros((count, 3)), np.zeros((1, 2)), faces, np.zeros_like(faces), ("glasses",) * len(faces))
    return RenderMesh(mesh, np.ones(len(faces), bool), smooth=False)


def _frame_mesh() -> RenderMesh:
    quads, start = [], 0
    parts = [(_ROUND, True)] * 2 + [(_BRIDGE_POINTS, False)] + [(_TEMPLE_POINTS, False)] * 2
    for length, closed in parts:
        quads.append(_grid_quads(length, _SIDES, start, closed_rows=closed))
        start += length * _SIDES
    return _mesh(quads, start)


def _lens_mesh() -> RenderMesh:
    quads = [_grid_quads(_LENS_RINGS, _ROUND, lens * _LENS_RINGS * _ROUND, closed_rows=False) for lens in range(2)]
    return _mesh(quads, 2 * _LENS_RINGS * _ROUND)


def opening(style: FrameStyle) -> Array:
    """Returns the outline [_ROUND, 2] of the opening for the eye at the image right, around its middle."""
    angle = 2.0 * np.pi * np.arange(_ROUND) / _ROUND
    cos, sin = np.cos(angle), np.sin(angle)
    power = 2.0 / style.squareness
    u = style.half_width * np.sign(cos) * np.abs(cos) ** power
    v = style.half_height * np.sign(sin) * np.abs(sin) ** power
    height = v / style.half_height
    u = u * (1.0 + style.taper * height) + style.droop * np.clip(-height, 0.0, 1.0)
    return np.stack([u, v - style.droop * np.clip(u / style.half_width, 0.0, 1.0) * np.clip(-height, 0.0, 1.0)], axis=1)


class Eyewear:
    """Fits spectacles to heads that share the base mesh's topology."""

    def __init__(self, base: Wavefront) -> None:
        """Finds the anchor vertices once, on the unmorphed base mesh."""
        vertices, groups = base.vertices, np.array(base.groups)
        body = np.unique(base.faces[groups == "body"])
        self._eyes = [np.unique(base.faces[groups == f"joint-{side}-eye"]) for side in ("r", "l")]
        tree = cKDTree(vertices[body])
        mirror = np.array([-1.0, 1.0, 1.0])
        self.sides = [body[tree.query(_SIDE_PLACES * flip)[1]] for flip in (mirror, np.ones(3))]
        width, low, high, front = _ORBIT
        x, y, z = vertices[body].T
        self.orbit = body[(np.abs(x) < width) & (y > low) & (y < high) & (z > front)]
        self.frame, self.lenses = _frame_mesh(), _lens_mesh()

    def fit(self, style: FrameStyle, points: Points) -> tuple[Points, Points]:
        """Builds spectacles for a head.

        Args:
            style: proportions.
            points: [V, 3] base mesh positions of the head.

        Returns:
            Control points of `frame` and of `lenses`, float32 [N, 3], in the space of `points`.
        """
        place = _Placement(style, np.stack([points[index].mean(axis=0) for index in self._eyes]).astype(np.float64))
        place.put_before(points[self.orbit].astype(np.float64))
        frame = [place.rim(side) for side in (-1, 1)] + [place.bridge()]
        frame += [place.temple(points[index].astype(np.float64), sign) for index, sign in zip(self.sides, (-1, 1), strict=True)]
        lenses = np.concatenate([place.lens(side) for side in (-1, 1)])
        return np.concatenate(frame).astype(np.float32), lenses.astype(np.float32)


class _Placement:
    """One frame on one head: turns frame coordinates (u to the image right, v up, in eye distances) into positions."""

    def __init__(self, style: FrameStyle, eyes: Array) -> None:
        self.style = style
        self.middle = eyes.mean(axis=0)
        self.unit = float(np.linalg.norm(eyes[1] - eyes[0]))
        self.outline = opening(style)
        self.depth = 0.0

    def _shape(self, u: Array, v: Array) -> Array:
        # Frames wrap a little around the face and lean forward at the top.
        return np.asarray(self.unit * (_TILT * v - _CURVE * u * u))

    def at(self, u: Array, v: Array) -> Array:
        """Positions [N, 3] on the frame's surface."""
        x, y = self.middle[0] + self.unit * u, self.middle[1] + self.unit * (v - self.style.below)
        return np.stack([x, y, self.depth + self._shape(u, v)], axis=1)

    def outer(self, side: int) -> tuple[Array, Array]:
        """Outline (u, v) of one opening; side is -1 image left, 1 image right."""
        return side * (0.515 + self.outline[:, 0]), self.outline[:, 1]

    def put_before(self, face: Array) -> None:
        """Moves the frame just in front of the face points [N, 3] behind its rims."""
        tree = cKDTree(face[:, :2])
        needed = []
        for side in (-1, 1):
            u, v = self.outer(side)
            place = self.at(u, v)
            behind = face[tree.query(place[:, :2])[1], 2]
            # Rims rest on the sides of the nose: there they may sink in by their thickness.
            nose = np.abs(u) < 0.24
            needed.append(np.where(nose, behind - 0.06 * self.unit, behind) - place[:, 2])
        self.depth = float(np.max(needed)) + _CLEARANCE + self.style.rim_depth * self.unit

    def rim(self, side: int) -> Array:
        """Rings of one rim."""
        u, v = self.outer(side)
        path = self.at(u, v)
        forward = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0)
        normal = np.stack([forward[:, 1], -forward[:, 0], np.zeros(_ROUND)], axis=1)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        depth = np.tile([0.0, 0.0, 1.0], (_ROUND, 1))
        # The rim lies outside of the opening.
        path = path + self.style.rim * self.unit * normal * side
        return _tube(path, normal, depth, self.style.rim * self.unit, self.style.rim_depth * self.unit)

    def bridge(self) -> Array:
        """Rings of the arch over the nose."""
        height = self.style.bridge * self.style.half_height
        right_u, right_v = self.outer(1)
        inner = right_u + 10.0 * np.abs(right_v - height)
        end = float(right_u[np.argmin(inner)]) + 0.5 * self.style.rim
        t = np.linspace(-1.0, 1.0, _BRIDGE_POINTS)
        path = self.at(end * t, height + 0.04 * (1.0 - t * t))
        path[:, 2] += 0.05 * self.unit * (1.0 - t * t)
        up, ahead = np.tile([0.0, 1.0, 0.0], (_BRIDGE_POINTS, 1)), np.tile([0.0, 0.0, 1.0], (_BRIDGE_POINTS, 1))
        return _tube(path, up, ahead, 1.1 * self.style.rim * self.unit, self.style.rim_depth * self.unit)

    def temple(self, anchors: Array, side: int) -> Array:
        """Rings from the outer rim past the anchors [4, 3] to behind the ear; always outside of them."""
        u, v = self.outer(side)
        corner = int(np.argmax(side * u + 0.9 * v))
        start = self.at(u[corner : corner + 1], v[corner : corner + 1])[0]
        gap = (_CLEARANCE + self.style.temple * self.unit) * np.array([side, 0.0, 0.0])
        hinge = start + self.unit * np.array([side * (self.style.rim + 0.03), 0.0, -0.08])
        hinge[0] = side * max(side * hinge[0], side * (anchors[0] + gap)[0] - 0.04)
        ear = anchors[2] + gap
        stops = [start, hinge]
        for anchor in anchors[:2]:
            share = (hinge[2] - anchor[2]) / (hinge[2] - ear[2])
            straight = hinge + share * (ear - hinge)
            straight[0] = side * max(side * straight[0], side * (anchor + gap)[0])
            stops.append(straight)
        path = _resampled(np.stack([*stops, ear, anchors[3] + gap]), _TEMPLE_POINTS)
        forward = np.gradient(path, axis=0)
        forward /= np.linalg.norm(forward, axis=1, keepdims=True)
        up = np.array([0.0, 1.0, 0.0]) - forward * forward[:, 1:2]
        up /= np.linalg.norm(up, axis=1, keepdims=True)
        return _tube(path, np.cross(up, forward), up, self.style.temple * self.unit, self.style.temple_height * self.unit)

    def lens(self, side: int) -> Array:
        """Rings of one lens from its rim to near its middle, bulging a little."""
        u, v = self.outer(side)
        rings = []
        for ring in range(_LENS_RINGS):
            share = 1.0 - ring / (_LENS_RINGS - 0.98)
            centre = u.mean() + share * (u - u.mean()), v.mean() + share * (v - v.mean())
            points = self.at(*centre)
            points[:, 2] += 0.05 * self.unit * (1.0 - share * share)
            rings.append(points)
        return np.concatenate(rings)


def _resampled(path: Array, count: int) -> Array:
    """Points [count, 3] evenly spaced along a polyline [N, 3]."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    return np.stack([np.interp(np.linspace(0.0, length[-1], count), length, path[:, k]) for k in range(3)], axis=1)
