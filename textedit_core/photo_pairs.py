"""Pairs of photographs of one person, at rest and changed, with landmarks: the only edits of real photographs whose answer is known.

The layout is that of the face sets of the Face Research Lab: `neutral/NAME`, `smiling/NAME` and `landmarks.json`, which holds for each
neutral photo 189 `points` and `to_smiling`, the similarity [2,3] that carries them onto the smiling photo. If it also holds the `points` of
a smiling photo, the true motion of the face is known without looking for it in the pictures.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from textedit_core.alignment import CropRule, CropTransform, crop_face, cut_out
from textedit_core.errors import UserError
from textedit_core.photos import open_photo

LANDMARKS_NAME = "landmarks.json"
REST, CHANGED = "neutral", "smiling"
# Of the 189 points: the pupils, both sides of the nose's tip, the corners of the mouth.
_PUPILS, _NOSE, _MOUTH = (0, 1), (54, 60), (87, 93)
_POINTS = 189
# `to_smiling` is written with a few decimals; its two columns may differ from a similarity's by this share.
_ROUNDING = 1e-3


@dataclass(frozen=True)
class PhotoPair:
    """Two photographs of one person.

    Attributes:
        name: file name without its suffix: who it is.
        rest, changed: the photos.
        points: [189,2] float64 in pixels of the photo at rest.
        to_changed: [2,3] float64, carries places of the photo at rest to the changed one, so that only the expression differs.
        changed_points: [189,2] float64 in pixels of the changed photo; None where the folder does not tell.
    """

    name: str
    rest: Path
    changed: Path
    points: NDArray[np.float64]
    to_changed: NDArray[np.float64]
    changed_points: NDArray[np.float64] | None = None

    @property
    def corners(self) -> NDArray[np.float64]:
        """The corners of the mouth [2,2] in the photo at rest."""
        return self.points[list(_MOUTH)]

    def corner_motion(self, transform: CropTransform) -> NDArray[np.float64] | None:
        """By the landmarks of both photos, how far the change moves the corners [2,2], in fractions of a crop's side; None if unknown."""
        if self.changed_points is None:
            return None
        return self.carried(transform).to_crop(self.changed_points[list(_MOUTH)]) - transform.to_crop(self.corners)

    @property
    def landmarks(self) -> NDArray[np.float64]:
        """The five landmarks [5,2] of the photo at rest, as `alignment` wants them."""
        points = self.points
        return np.stack([points[_PUPILS[0]], points[_PUPILS[1]], points[list(_NOSE)].mean(0), points[_MOUTH[0]], points[_MOUTH[1]]])

    def crops(self, size: int, rule: CropRule) -> tuple[Image.Image, Image.Image]:
        """The aligned face at rest and changed, RGB [size x size], the changed one laid onto the other."""
        crop, transform = crop_face(open_photo(self.rest).image, self.landmarks, size, rule)
        return crop, cut_out(open_photo(self.changed).image, self.carried(transform), size)

    def carried(self, transform: CropTransform) -> CropTransform:
        """The same crop in the changed photo."""
        linear, offset = self.to_changed[:, :2], self.to_changed[:, 2]
        origin, axis = linear @ transform.origin + offset, linear @ transform.axis
        return CropTransform((float(origin[0]), float(origin[1])), (float(axis[0]), float(axis[1])))


def read_pairs(folder: Path) -> list[PhotoPair]:
    """Lists the pairs of a folder by name.

    Raises:
        UserError: there is no landmarks.json, it is damaged, there are no pairs, or a photo is missing.
    """
    path = folder / LANDMARKS_NAME
    try:
        listed = json.loads(path.read_text("utf8"))
        pairs = [_pair(folder, name, listed) for name, entry in sorted(listed.items()) if "to_smiling" in entry]
    except FileNotFoundError:
        raise UserError(f"{str(folder)!r} has no {LANDMARKS_NAME}; a folder of pairs holds {REST}/, {CHANGED}/ and that file") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{str(path)!r} cannot be read as landmarks: {type(error).__name__} {error}") from None
    if not pairs:
        raise UserError(f"{str(path)!r} lists no photo with 'to_smiling'; there are no pairs to learn from or to measure")
    return pairs


def _pair(folder: Path, name: str, listed: dict[str, dict[str, object]]) -> PhotoPair:
    points, matrix = _numbers(name, "points", listed, (_POINTS, 2)), _numbers(name, "to_smiling", listed, (2, 3))
    (a, b, _), (c, d, _) = matrix
    if max(abs(a - d), abs(b + c)) > _ROUNDING * np.hypot(a, c) or not np.hypot(a, c) > 0.0:
        raise UserError(f"{LANDMARKS_NAME}: to_smiling of {name} turns or scales unevenly; expected a similarity [[a,-b,x],[b,a,y]]")
    rest, changed = folder / name, folder / CHANGED / Path(name).name
    for photo in (rest, changed):
        if not photo.is_file():
            raise UserError(f"{str(photo)!r} is missing; {LANDMARKS_NAME} lists it")
    smiling = f"{CHANGED}/{changed.name}"
    changed_points = _numbers(smiling, "points", listed, (_POINTS, 2)) if smiling in listed else None
    return PhotoPair(rest.stem, rest, changed, points, matrix, changed_points)


def _numbers(name: str, key: str, listed: dict[str, dict[str, object]], shape: tuple[int, int]) -> NDArray[np.float64]:
    found = np.array(listed[name][key], np.float64)
    if found.shape != shape or not np.isfinite(found).all():
        raise UserError(f"{LANDMARKS_NAME}: {key} of {name} are {list(found.shape)}; expected finite numbers {list(shape)}")
    return found
