"""Camera matrices (column vectors, OpenGL clip space) and the aligned portrait crop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from textedit_core.synthetic.meshes import Points

Matrix = NDArray[np.float64]
_TANGENT = np.tan(np.radians(7.0))
_DEPTH_RANGE = 4.0
# The crop is this much of the FFHQ rule (Karras et al., 2019), and moved up to keep the hair.
_MARGIN = 0.98
_RAISE = 0.10


@dataclass(frozen=True)
class Portrait:
    """A camera that looks at one head.

    Attributes:
        model: [4, 4] turns the head.
        view_projection: [4, 4] world to clip space, with the crop.
        eye: camera position.
        centre: crop centre in the world.
        near, far: clip distances.
        landmarks: [5, 2] image positions in units of the image side, origin top left.
    """

    model: Matrix
    view_projection: Matrix
    eye: NDArray[np.float64]
    centre: NDArray[np.float64]
    near: float
    far: float
    landmarks: NDArray[np.float64]


def head_rotation(yaw: float, pitch: float, pivot: NDArray[np.float64]) -> Matrix:
    """Turns by yaw (positive to the image right) and pitch (positive down), degrees, about a pivot."""
    y, p = np.radians([yaw, pitch])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    model = np.eye(4)
    model[:3, :3] = nod @ turn
    model[:3, 3] = pivot - model[:3, :3] @ pivot
    return model


def look_at(eye: NDArray[np.float64], target: NDArray[np.float64]) -> Matrix:
    """Returns the world-to-camera matrix with y up."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    view = np.eye(4)
    view[:3, :3] = np.stack([right, np.cross(right, forward), -forward])
    view[:3, 3] = -view[:3, :3] @ eye
    return view


def orthographic(half: float, near: float, far: float) -> Matrix:
    """Returns a square orthographic projection."""
    depth = far - near
    return np.array(
        [[1 / half, 0, 0, 0], [0, 1 / half, 0, 0], [0, 0, -2 / depth, -(far + near) / depth], [0, 0, 0, 1]]
    )


def perspective(tangent: float, near: float, far: float) -> Matrix:
    """Returns a square perspective projection for the tangent of half the field of view."""
    depth = far - near
    return np.array(
        [
            [1 / tangent, 0, 0, 0],
            [0, 1 / tangent, 0, 0],
            [0, 0, -(far + near) / depth, -2 * far * near / depth],
            [0, 0, -1, 0],
        ]
    )


def _project(matrix: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64]:
    clip = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ matrix.T
    return clip[:, :2] / clip[:, 3:]


def _crop(flat: NDArray[np.float64]) -> Matrix:
    """FFHQ alignment (Karras et al., 2019) of landmarks [5, 2], y up, as a clip-space similarity."""
    eyes, mouth = flat[:2].mean(axis=0), flat[3:].mean(axis=0)
    across, down = flat[1] - flat[0], mouth - eyes
    axis = across + np.array([-down[1], down[0]])
    axis *= _MARGIN * max(np.hypot(*across) * 2.0, np.hypot(*down) * 1.8) / np.hypot(*axis)
    centre = eyes + (0.1 - _RAISE) * down
    scale = 1.0 / float(axis @ axis)
    crop = np.eye(4)
    crop[0, :2], crop[1, :2] = scale * axis, scale * np.array([-axis[1], axis[0]])
    crop[:2, 3] = -crop[:2, :2] @ centre
    return crop


def portrait(landmarks: Points, yaw: float, pitch: float, framing: Points | None = None) -> Portrait:
    """Places a camera so that eyes and mouth land at the same image positions for every head.

    Args:
        landmarks: [5, 3] eyes, nose, mouth corners of the unturned head.
        yaw: degrees.
        pitch: degrees.
        framing: [5, 3] landmarks of another expression of the same head, which decide the crop in place of `landmarks`.
    """
    points = (landmarks if framing is None else framing).astype(np.float64)
    eyes = points[:2].mean(axis=0)
    model = head_rotation(yaw, pitch, np.array([0.0, eyes[1] - 0.2, 0.2]))
    world = points @ model[:3, :3].T + model[:3, 3]
    centre = world[:2].mean(axis=0)
    half = 2.0 * float(np.linalg.norm(points[1] - points[0]))
    distance = half / _TANGENT
    eye = centre + np.array([0.0, 0.0, distance])
    near, far = distance - _DEPTH_RANGE, distance + _DEPTH_RANGE
    straight = perspective(_TANGENT, near, far) @ look_at(eye, centre)
    view_projection = _crop(_project(straight, world)) @ straight
    flat = _project(view_projection, landmarks.astype(np.float64) @ model[:3, :3].T + model[:3, 3])
    image = np.stack([flat[:, 0] * 0.5 + 0.5, 0.5 - flat[:, 1] * 0.5], axis=1)
    return Portrait(model, view_projection, eye, centre, near, far, image)
