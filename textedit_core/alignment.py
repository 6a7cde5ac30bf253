"""From a photo to an aligned face crop: five landmarks and a similarity; `pasting` has the way back.

The crop follows the construction of the FFHQ data set (Karras et al. 2019, appendix A): its horizontal axis is the
mean of the line between the eyes and the normal of the line from eyes to mouth, its size the larger of two multiples
of those lengths. Landmarks are the eye centres, the nose tip and the mouth corners, left and right as seen in the
image, in pixels with the origin at the top left corner of the photo.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from textedit_core.errors import UsageError, UserError

LANDMARK_NAMES = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
# Mean landmarks of rendered faces that were cropped by REFERENCE_CROP, as fractions of the crop's side, symmetrised.
ALIGNMENT_TEMPLATE: tuple[tuple[float, float], ...] = (
    (0.375, 0.500),
    (0.625, 0.500),
    (0.500, 0.669),
    (0.390, 0.759),
    (0.610, 0.759),
)
# Where ArcFace's recognisers expect the same landmarks, as fractions of their 112 px: insightface's five points, which are counted from the
# centre of the first pixel.
ARCFACE_TEMPLATE: tuple[tuple[float, float], ...] = (
    (38.7946 / 112, 52.1963 / 112),
    (74.0318 / 112, 52.0014 / 112),
    (56.5252 / 112, 72.2366 / 112),
    (42.0493 / 112, 92.8655 / 112),
    (71.2299 / 112, 92.7041 / 112),
)
# A distance below this many pixels leaves the direction of the face to rounding errors.
_MIN_DISTANCE = 2.0
# A face can reach beyond its photo, but a crop this many times larger than the photo is a mistake in the landmarks.
_MAX_CROP_TO_PHOTO = 3.0
# Pixels of context around the crop for the bicubic filter.
_CONTEXT = 3


@dataclass(frozen=True)
class CropRule:
    """Where a crop lies relative to eyes and mouth.

    Attributes:
        eye_factor: half the crop's side in distances between the eyes.
        mouth_factor: half the crop's side in distances from eyes to mouth; the larger of the two counts.
        margin: factor on that size.
        drop: distance of the crop's centre below the eyes, in distances from eyes to mouth.
    """

    eye_factor: float = 2.0
    mouth_factor: float = 1.8
    margin: float = 1.0
    drop: float = 0.1


# The published rule, for networks that were trained on FFHQ.
FFHQ_CROP = CropRule()
# The rule of the rendered face world: a little tighter, and centred on the eyes so that the hair stays inside.
REFERENCE_CROP = CropRule(margin=0.98, drop=0.0)


@dataclass(frozen=True)
class CropTransform:
    """A similarity from the crop, as the unit square with y down, to photo pixels.

    Attributes:
        origin: photo position [x, y] of the crop's top left corner.
        axis: photo vector [x, y] along the crop's top edge; its length is the crop's side in photo pixels.
    """

    origin: tuple[float, float]
    axis: tuple[float, float]

    @property
    def side(self) -> float:
        """Side of the crop in photo pixels."""
        return math.hypot(*self.axis)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The similarity [2,3]: photo = matrix @ [u, v, 1]."""
        (x, y), (a, b) = self.origin, self.axis
        return np.array([[a, -b, x], [b, a, y]])

    def to_photo(self, points: ArrayLike) -> NDArray[np.float64]:
        """Maps points [N,2] of the unit crop to photo pixels [N,2]."""
        return np.asarray(points, dtype=np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]

    def to_crop(self, points: ArrayLike) -> NDArray[np.float64]:
        """Maps photo pixels [N,2] to points of the unit crop [N,2]."""
        return (np.asarray(points, dtype=np.float64) - self.matrix[:, 2]) @ self.matrix[:, :2] / self.side**2


def parse_landmarks(text: str) -> NDArray[np.float64]:
    """Reads five ``x,y`` pairs separated by spaces, in pixels and in the order of LANDMARK_NAMES, as [5,2].

    Raises:
        UsageError: not five pairs of numbers.
    """
    try:
        points = np.array([[float(number) for number in pair.split(",")] for pair in text.split()])
    except ValueError:
        points = np.empty(0)
    if points.shape != (5, 2):
        raise UsageError(f"landmarks '{text}' are not five x,y pairs; give {' '.join(LANDMARK_NAMES)} as 'x,y x,y ...'")
    return points


def landmark_template(rule: CropRule) -> NDArray[np.float64]:
    """Where the mean face's landmarks come to lie in a crop of `rule`, [5,2] as fractions of the side."""
    measured = np.array(ALIGNMENT_TEMPLATE)
    if rule == REFERENCE_CROP:
        return measured
    # Both rules crop the same face; thousandths of the crop's side stand for the pixels of its photo.
    face, size = measured * 1000, (1000, 1000)
    return _face_square(face, size, rule).to_crop(_face_square(face, size, REFERENCE_CROP).to_photo(measured))


def similarity_between(points: ArrayLike, template: ArrayLike) -> CropTransform:
    """The crop in which `points` [N,2], in pixels, come nearest to `template` [N,2], fractions of the side, by least squares in the crop.

    The least squares of Umeyama 1991 for five points that need no mirroring, as insightface aligns faces.
    """
    # As complex numbers a similarity is crop = factor * photo + offset.
    photo, crop = (np.asarray(each, dtype=np.float64) @ np.array([1.0, 1.0j]) for each in (points, template))
    centred = photo - photo.mean()
    factor = np.vdot(centred, crop - crop.mean()) / np.vdot(centred, centred).real
    axis, origin = 1.0 / factor, photo.mean() - crop.mean() / factor
    return CropTransform((float(origin.real), float(origin.imag)), (float(axis.real), float(axis.imag)))


def crop_face(
    photo: Image.Image, landmarks: ArrayLike | None, size: int, rule: CropRule = REFERENCE_CROP
) -> tuple[Image.Image, CropTransform]:
    """Cuts an aligned face out of a photo. Where the crop leaves the photo, the photo is mirrored at its edge.

    Args:
        photo: RGB, upright.
        landmarks: [5,2] in pixels in the order of LANDMARK_NAMES; None takes the largest central square, for a photo
            that is a portrait already.
        size: side of the crop in pixels.
        rule: where the crop lies.

    Returns:
        The RGB crop of size x size and where it came from.

    Raises:
        UserError: landmarks outside the photo, swapped, or too close together to give a direction.
    """
    transform = _central_square(photo.size) if landmarks is None else _face_square(landmarks, photo.size, rule)
    return cut_out(photo, transform, size), transform


def cut_out(photo: Image.Image, transform: CropTransform, size: int) -> Image.Image:
    """The square of a photo that `transform` describes as an RGB crop of size x size, antialiased, mirrored where it leaves the photo."""
    region, offset, scale = _shrunk_region(photo, transform, size)
    # Crop pixel -> region pixel: first to the photo, then into the region, which begins at `offset`.
    to_photo = transform.matrix @ np.diag([1 / size, 1 / size, 1.0])
    to_region = np.diag(scale) @ (to_photo - np.column_stack([np.zeros((2, 2)), offset]))
    return resampled(region, (size, size), to_region)


def _central_square(size: tuple[int, int]) -> CropTransform:
    side = min(size)
    return CropTransform(((size[0] - side) // 2, (size[1] - side) // 2), (float(side), 0.0))


def _face_square(landmarks: ArrayLike, size: tuple[int, int], rule: CropRule) -> CropTransform:
    points = _checked(landmarks, size)
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    across, down = points[1] - points[0], mouth - eyes
    axis = across + np.array([down[1], -down[0]])
    half = rule.margin * max(rule.eye_factor * np.hypot(*across), rule.mouth_factor * np.hypot(*down))
    if 2 * half > _MAX_CROP_TO_PHOTO * max(size):
        raise UserError(f"landmarks ask for a crop of {2 * half:.0f} px in a photo of {size[0]}x{size[1]}; check them")
    axis *= half / np.hypot(*axis)
    corner = eyes + rule.drop * down - axis - np.array([-axis[1], axis[0]])
    return CropTransform((float(corner[0]), float(corner[1])), (2 * float(axis[0]), 2 * float(axis[1])))


def _checked(landmarks: ArrayLike, size: tuple[int, int]) -> NDArray[np.float64]:
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (5, 2):
        names = ", ".join(LANDMARK_NAMES)
        raise UserError(f"landmarks have shape {list(points.shape)}; expected 5 points x,y: {names}")
    for name, (x, y) in zip(LANDMARK_NAMES, points, strict=True):
        if not (0 <= x <= size[0] and 0 <= y <= size[1]):
            raise UserError(f"landmark {name} at {x:g},{y:g} lies outside the photo of {size[0]}x{size[1]} px")
    across, down = points[1] - points[0], points[3:].mean(axis=0) - points[:2].mean(axis=0)
    if min(np.hypot(*across), np.hypot(*down)) < _MIN_DISTANCE:
        raise UserError(f"landmarks coincide: eyes {across} apart, mouth {down} below; give the points of one face")
    # The mouth lies clockwise of the line from the left to the right eye, however the head is turned.
    if across[0] * down[1] - across[1] * down[0] <= 0:
        raise UserError("landmarks are swapped: left and right are meant as seen in the image; exchange the eyes")
    return points


def _shrunk_region(
    photo: Image.Image, transform: CropTransform, size: int
) -> tuple[Image.Image, NDArray[np.float64], NDArray[np.float64]]:
    """Returns the part of the photo under the crop, antialiased to at most the crop's scale and mirrored at the edges.

    Returns:
        The region, the photo position [x, y] of its corner, and its scale [x, y] in region pixels per photo pixel.
    """
    # Shrinking before padding bounds the memory by the crop's size, whatever the size of the photo.
    shrink = min(1.0, size / transform.side)
    wanted = bounds_of(transform, _CONTEXT / shrink)
    x0, y0, x1, y1 = clipped(wanted, photo.size)
    width, height = (max(1, math.ceil(extent * shrink)) for extent in (x1 - x0, y1 - y0))
    small = photo.resize((width, height), Image.Resampling.BICUBIC, box=(x0, y0, x1, y1))
    scale = np.array([width / (x1 - x0), height / (y1 - y0)])
    before = np.ceil(np.maximum(0.0, np.array([x0, y0]) - wanted[:2]) * scale).astype(int)
    after = np.ceil(np.maximum(0.0, np.array(wanted[2:]) - [x1, y1]) * scale).astype(int)
    padding = ((before[1], after[1]), (before[0], after[0]), (0, 0))
    padded = np.pad(np.asarray(small), padding, mode="symmetric")
    return Image.fromarray(padded), np.array([x0, y0]) - before / scale, scale


def bounds_of(transform: CropTransform, context: float) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a crop in the photo, in pixels, with so many pixels of context on every side."""
    corners = transform.to_photo([[0, 0], [1, 0], [0, 1], [1, 1]])
    low, high = corners.min(axis=0) - context, corners.max(axis=0) + context
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def clipped(bounds: Sequence[float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Whole pixels that cover the bounds, as far as a picture of this size has them; empty where it has none."""
    x0, y0 = (max(0, math.floor(value)) for value in bounds[:2])
    x1, y1 = (min(limit, math.ceil(value)) for value, limit in zip(bounds[2:], size, strict=True))
    return x0, y0, x1, y1


def resampled(image: Image.Image, size: tuple[int, int], matrix: NDArray[np.float64]) -> Image.Image:
    """Bicubic resampling: output pixel p shows the input at ``matrix @ [p, 1]``, black outside."""
    # In float: on 8-bit images Pillow's transform truncates, and every pass would darken by half a level.
    coefficients = tuple(float(value) for value in matrix.ravel())
    bands = [
        band.convert("F").transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
        for band in image.split()
    ]
    rounded = [np.asarray(band).round().clip(0, 255).astype(np.uint8) for band in bands]
    return Image.merge(image.mode, [Image.fromarray(band) for band in rounded])
