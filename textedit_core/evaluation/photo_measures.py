"""What is measured of an edited photograph: crops of one side, the edited one against the photograph at rest and the real smile."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from textedit_core.compositor.composition import bilinear
from textedit_core.optical_flow import optical_flow
from textedit_core.pixels import LUMA

Picture = NDArray[np.uint8]
Vectors = NDArray[np.float64]
# Everything is measured in crops of this side.
SIDE = 256
# Round the mouth, in pixels of such a crop: lines, columns.
MOUTH = (slice(150, 230), slice(70, 186))
# A corner that moves less than this many pixels says nothing about a direction.
_STILL = 1.0
# Of the search for where a field shows a point.
_STEPS = 30
# Gradient magnitude similarity: the constant of Xue et al. 2014 for 8-bit pictures.
_GMSD_CONSTANT = 170.0


def mouth_psnr(picture: Picture, answer: Picture) -> float:
    """PSNR in dB of the box round the mouth."""
    error = np.square(picture[MOUTH].astype(np.float64) - answer[MOUTH]).mean()
    return float(10.0 * np.log10(255.0**2 / max(error, 1e-6)))


def structure_distance(picture: Picture, answer: Picture) -> float:
    """Gradient magnitude similarity deviation (Xue et al. 2014), 0 for the same; both uint8 [H,W,3]."""
    sizes = []
    for each in (picture, answer):
        tone = ndimage.uniform_filter(each.astype(np.float64) @ np.array(LUMA), 2)[::2, ::2]
        sizes.append(np.hypot(ndimage.prewitt(tone, 0), ndimage.prewitt(tone, 1)) / 3.0)
    similarity = (2.0 * sizes[0] * sizes[1] + _GMSD_CONSTANT) / (sizes[0] ** 2 + sizes[1] ** 2 + _GMSD_CONSTANT)
    return float(similarity.std())


def share_of_way(made: Vectors, true: Vectors) -> tuple[float, float]:
    """How far points go along the way that the real change takes them: share of that way, and 1 if it is the right way.

    Args:
        made, true: motions [2,2] of the corners of the mouth in pixels of the crop, of the edit and of the real change.

    Returns:
        Twice not a number where the real corners hardly move.
    """
    length = float((true * true).sum())
    if length < 2.0 * _STILL**2:
        return float("nan"), float("nan")
    along = float((made * true).sum())
    return along / length, float(along > 0.0)


def tracked(places: Vectors, rest: Picture, changed: Picture) -> Vectors:
    """Motion [N,2] in pixels of what is around places [N,2] of the picture at rest, by optical flow: the median of a small window."""
    flow, windows = optical_flow(rest, changed), []
    for x, y in places.round().astype(int):
        window = flow[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4]
        windows.append(np.median(window.reshape(-1, 2), 0))
    return np.stack(windows).astype(np.float64)


def pushed(places: Vectors, flow: NDArray[np.float32]) -> Vectors:
    """Motion [N,2] that a field gives to points, with nothing to be found in a picture.

    Args:
        places: [N,2] in fractions of the crop's side.
        flow: [M,M,2] in such fractions, from a place of the edited picture to the one whose content is shown there.

    Returns:
        In fractions of the side. The place at which a point is shown is where place + flow is the point; its fixed point is
        reached step by step, which a field that does not fold the picture lets converge.
    """
    moved = np.zeros_like(places)
    for _ in range(_STEPS):
        moved = -bilinear(flow, places + moved).astype(np.float64)
    return moved


def unchanged(before: Image.Image, after: Image.Image) -> float:
    """Share of the pixels of a photo that keep their bytes."""
    return float((np.asarray(before) == np.asarray(after)).all(-1).mean())
