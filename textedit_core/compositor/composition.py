"""An edit drawn on the photo itself: the photo moved by the compositor's flow, painted where its mask says so, at the photo's own size.

Only pixels that change are computed, band by band, so that the memory does not grow with the photo. Pixels that neither move nor are
painted keep their bytes. The Kotlin and Swift readers of a bundle do the same arithmetic to one grey level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from textedit_core.alignment import CropTransform
from textedit_core.compositor.network import DETAIL, FLOW, FLOW_UNIT, MASK, PAINT, SHARE
from textedit_core.pasting import covered_box
from textedit_core.pixels import LUMA

Plane = NDArray[np.float32]
_LUMA = np.array(LUMA, np.float32)
# Catmull and Rom 1974: the cubic of Keys 1981 with a = -0.5.
_CUBIC = -0.5
# Pixels that are computed at a time.
_BAND_PIXELS = 1 << 17


@dataclass(frozen=True)
class Overlay:
    """What one edit does to one photo, in its crop.

    Attributes:
        flow: [M,M,2] float32, x right and y down in fractions of the crop's side, from the edited picture's place to the photo's.
        mask: [M,M] float32, 0 the photo to 1 what is painted.
        detail: [M,M] float32, share of the photo's fine luminance on the paint.
        share: [M,M] float32, share of the decode in the paint.
        paint: [M,M,3] float32, -1 to 1, the rest of the paint.
        after: [R,R,3] float32, -1 to 1, the decode after the edit.
        low: [M,M] float32, 0 to 255: the luminance of the photo's crop, of which what is finer counts as fine.
    """

    flow: Plane
    mask: Plane
    detail: Plane
    share: Plane
    paint: Plane
    after: Plane
    low: Plane


def overlay(fields: Tensor, after: Tensor, crop: Image.Image) -> Overlay:
    """Brings the compositor's answer for one crop into the form that `compose` reads.

    Args:
        fields: float [1,8,M,M], as the compositor gave them.
        after: float [1,3,R,R], the decode after the edit.
        crop: the RGB crop that the compositor looked at; its side is a multiple of M.
    """
    planes = fields[0].float().cpu().numpy()
    decode = np.ascontiguousarray(after[0].float().clamp(-1.0, 1.0).cpu().numpy().transpose(1, 2, 0))
    flow = np.ascontiguousarray(planes[FLOW].transpose(1, 2, 0)) * np.float32(FLOW_UNIT)
    paint = np.ascontiguousarray(planes[PAINT].transpose(1, 2, 0))
    mask, detail, share = (planes[each][0] for each in (MASK, DETAIL, SHARE))
    low = lowered(np.asarray(crop, np.float32) @ _LUMA, len(mask))
    return Overlay(flow, mask, detail, share, paint, decode, low)


def lowered(luma: Plane, side: int) -> Plane:
    """Box means of a square [S,S] as [side,side]; S is a multiple of `side`."""
    cell = len(luma) // side
    return luma.reshape(side, cell, side, cell).mean((1, 3), dtype=np.float32)


def compose(photo: Image.Image, drawn: Overlay, transform: CropTransform) -> Image.Image:
    """Draws an edit on a photo.

    Args:
        photo: RGB, the one that was cropped; left unchanged.
        drawn: what the edit does.
        transform: where the crop lies in the photo.

    Returns:
        A new RGB photo of the same size.
    """
    box = covered_box(transform, photo.size)
    width = box[2] - box[0]
    if width <= 0 or box[3] <= box[1]:
        return photo.copy()
    source = np.asarray(photo)
    result = source.copy()
    lines = max(1, _BAND_PIXELS // width)
    for top in range(box[1], box[3], lines):
        bottom = min(box[3], top + lines)
        _compose_band(source, result, drawn, transform, (box[0], top, box[2], bottom))
    return Image.fromarray(result, "RGB")


def _compose_band(
    source: NDArray[np.uint8], result: NDArray[np.uint8], drawn: Overlay, transform: CropTransform, box: tuple[int, int, int, int]
) -> None:
    columns, rows = np.meshgrid(np.arange(box[0], box[2]), np.arange(box[1], box[3]))
    places = np.stack([columns.ravel(), rows.ravel()], -1)
    units = transform.to_crop(places + 0.5)
    inside = ((units >= 0.0) & (units < 1.0)).all(-1)
    places, units = places[inside], units[inside]
    flow, mask = bilinear(drawn.flow, units), bilinear(drawn.mask, units)
    changed = (mask > 0.0) | (flow != 0.0).any(-1)
    if not changed.any():
        return
    places, units, flow, mask = places[changed], units[changed], flow[changed], mask[changed]
    values = cubic(source, places + flow @ transform.matrix[:, :2].T)
    painted = mask > 0.0
    units, flow, cover, photo = units[painted], flow[painted], mask[painted][:, None], values[painted]
    fine = photo @ _LUMA - bilinear(drawn.low, units + flow)
    content = bilinear(drawn.after, units) * bilinear(drawn.share, units)[:, None] + bilinear(drawn.paint, units)
    paint = (np.clip(content, -1.0, 1.0) + 1.0) * 127.5 + (bilinear(drawn.detail, units) * fine)[:, None]
    values[painted] = photo + cover * (paint - photo)
    result[places[:, 1], places[:, 0]] = np.floor(values + 0.5).clip(0.0, 255.0).astype(np.uint8)


def bilinear(grid: Plane, units: NDArray[np.float64]) -> Plane:
    """Reads a square grid [S,S] or [S,S,C] at places [N,2] (x, y as fractions of its side), clamped at its edges: [N] or [N,C]."""
    side = len(grid)
    position = np.clip(units * side - 0.5, 0.0, side - 1.0)
    first = np.minimum(position.astype(np.intp), max(side - 2, 0))
    share = (position - first).astype(np.float32)
    following = np.minimum(first + 1, side - 1)
    flat = grid.reshape(side * side, -1)
    x, y = share[:, :1], share[:, 1:]

    def line(number: NDArray[np.intp]) -> Plane:
        left, right = (flat.take(number * side + column, axis=0) for column in (first[:, 0], following[:, 0]))
        return left + (right - left) * x

    above, below = line(first[:, 1]), line(following[:, 1])
    read: Plane = above + (below - above) * y
    return read[:, 0] if grid.ndim == 2 else read


def cubic(photo: NDArray[np.uint8], places: NDArray[np.float64]) -> Plane:
    """Reads a photo [H,W,3] uint8 at places [N,2] (x, y from the centre of its first pixel) by Catmull-Rom's cubic: [N,3] float32.

    Beyond its edges the photo goes on with its outermost pixels; results may leave 0 to 255.
    """
    height, width = photo.shape[:2]
    whole = np.floor(places)
    across, down = (_weights((places[:, axis] - whole[:, axis]).astype(np.float32)) for axis in (0, 1))
    first = whole.astype(np.int32)
    columns = [np.clip(first[:, 0] + step, 0, width - 1) for step in range(-1, 3)]
    flat = photo.reshape(-1, 3)
    total = np.zeros((len(places), 3), np.float32)
    for step, share in zip(range(-1, 3), down, strict=True):
        start = np.clip(first[:, 1] + step, 0, height - 1) * np.int32(width)
        for column, weight in zip(columns, across, strict=True):
            total += flat.take(start + column, axis=0) * (weight * share)[:, None]
    return total


def _weights(t: Plane) -> tuple[Plane, Plane, Plane, Plane]:
    """Weights of the pixels at -1, 0, 1 and 2 for places t in [0, 1) after pixel 0."""

    def near(d: Plane) -> Plane:
        return ((_CUBIC + 2.0) * d - (_CUBIC + 3.0)) * d * d + 1.0

    def far(d: Plane) -> Plane:
        return ((_CUBIC * d - 5.0 * _CUBIC) * d + 8.0 * _CUBIC) * d - 4.0 * _CUBIC

    return far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)
