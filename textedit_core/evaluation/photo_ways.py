"""Ways of getting an edit onto a photograph, and the people that they are tried on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from textedit_core.alignment import CropRule, CropTransform, crop_face, cut_out
from textedit_core.compositor.composition import Overlay, compose
from textedit_core.errors import UserError
from textedit_core.evaluation.photo_measures import SIDE, Picture, Vectors, tracked
from textedit_core.face_editor import EditSession
from textedit_core.face_networks import FaceNetworks
from textedit_core.optical_flow import optical_flow
from textedit_core.pasting import paste_back
from textedit_core.photo_pairs import PhotoPair
from textedit_core.photos import open_photo

NO_EDIT, REAL_SMILE = "no edit", "the real smile"


@dataclass(frozen=True)
class Person:
    """One pair, cut out.

    Attributes:
        pair: the photographs.
        photo: the whole photograph at rest.
        transform: where its crop lies.
        rest, answer: the crops, uint8 [S,S,3]; the answer is the real smile.
        corners: of the mouth at rest, [2,2] in pixels of the crop.
        way: how far the real smile moves them, [2,2] in pixels of the crop.
        landmarked: whether `way` follows from landmarks of both photographs; otherwise optical flow finds it in the crops.
    """

    pair: PhotoPair
    photo: Image.Image
    transform: CropTransform
    rest: Picture
    answer: Picture
    corners: Vectors
    way: Vectors
    landmarked: bool


@dataclass(frozen=True)
class Edited:
    """What a way of editing made.

    Attributes:
        photo: the whole photograph, edited.
        flow: [M,M,2] float32 as in `composition.Overlay`, where the way moves the photograph by a field.
    """

    photo: Image.Image
    flow: NDArray[np.float32] | None = None


# Edits the photograph of a session by a prompt at a strength.
Way = Callable[[EditSession, str, float], Edited]


@dataclass(frozen=True)
class Model:
    """Networks and, by the name of their row, the ways of editing that are measured with them."""

    networks: FaceNetworks
    ways: dict[str, Way]


def models_of(networks: FaceNetworks, bundles: Sequence[FaceNetworks]) -> list[Model]:
    """Every way of editing, the compositors last.

    Raises:
        UserError: a bundle has no compositor, or two have the same name.
    """
    plain: dict[str, Way] = {NO_EDIT: _untouched, "pasted": _pasted, "change added": _added, "flow between the decodes": _flowed}
    if networks.has_compositor:
        plain[_composed_name(networks)] = _composed
    names = [bundle.name for bundle in bundles]
    for bundle in bundles:
        if not bundle.has_compositor:
            raise UserError(f"bundle {bundle.name} has no compositor, and nothing else of it is measured on photographs; leave it out")
        if names.count(bundle.name) > 1:
            raise UserError(f"two bundles are {bundle.name}; give one of each target and precision")
    return [Model(networks, plain), *(Model(bundle, {_composed_name(bundle): _composed}) for bundle in bundles)]


def cut_person(pair: PhotoPair, rule: CropRule) -> Person:
    """Opens and crops one pair.

    Raises:
        UserError: a photo cannot be read, or its landmarks are of no face; the message names the photo.
    """
    photo = open_photo(pair.rest).image
    try:
        crop, transform = crop_face(photo, pair.landmarks, SIDE, rule)
    except UserError as error:
        raise UserError(f"{str(pair.rest)!r}: {error}") from None
    rest, answer = np.asarray(crop), np.asarray(cut_out(open_photo(pair.changed).image, pair.carried(transform), SIDE))
    corners, known = transform.to_crop(pair.corners) * SIDE, pair.corner_motion(transform)
    way = tracked(corners, rest, answer) if known is None else known * SIDE
    return Person(pair, photo, transform, rest, answer, corners, way, known is not None)


def _composed_name(networks: FaceNetworks) -> str:
    return f"compositor, {networks.name}"


def _untouched(session: EditSession, prompt: str, strength: float) -> Edited:
    return Edited(session.photo)


def _pasted(session: EditSession, prompt: str, strength: float) -> Edited:
    return Edited(paste_back(session.photo, session.edit_crop({prompt: strength}), session.transform))


def _added(session: EditSession, prompt: str, strength: float) -> Edited:
    return Edited(paste_back(session.photo, session.edit_crop({prompt: strength}), session.transform, session.reconstruct_crop()))


def _flowed(session: EditSession, prompt: str, strength: float) -> Edited:
    """The photograph moved as the decode moves, by optical flow: what needs no compositor."""
    before, after = (np.asarray(each) for each in (session.reconstruct_crop(), session.edit_crop({prompt: strength})))
    flow = optical_flow(after, before) / np.float32(len(after))
    zero = np.zeros((1, 1), np.float32)
    colours = np.zeros((1, 1, 3), np.float32)
    return Edited(compose(session.photo, Overlay(flow, zero, zero, zero, colours, colours, zero), session.transform), flow)


def _composed(session: EditSession, prompt: str, strength: float) -> Edited:
    drawn = session.drawn({prompt: strength})
    return Edited(compose(session.photo, drawn, session.transform), drawn.flow)
