"""One real photograph through encode, edit and paste-back: what the model does with a face from outside its world."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from textedit_core.alignment import CropTransform, landmark_template
from textedit_core.evaluation.panel import Judges, Recogniser, Shown, psnr_db, show
from textedit_core.evaluation.request import EvaluateRequest
from textedit_core.evaluation.verdicts import VERDICTS
from textedit_core.face_editor import FaceEditor
from textedit_core.face_networks import FaceNetworks
from textedit_core.photos import open_photo

LABEL = "out of domain"
# Eileen Collins, photographed by NASA, in the public domain; carried by scikit-image.
SOURCE = "skimage.data.astronaut(): Eileen Collins, NASA, public domain"
# Read off the picture by eye, in pixels: eye centres, nose tip, mouth corners.
ASTRONAUT_LANDMARKS = ((203.7, 101.2), (247.0, 103.3), (224.2, 126.7), (203.7, 140.8), (243.7, 141.7))
# In sides of the crop.
_SURROUNDINGS = 1.0 / 3.0

Captioned = list[tuple[str, Image.Image]]


def check_photograph(
    request: EvaluateRequest, networks: FaceNetworks, prompts: tuple[str, ...], judges: Judges, recogniser: Recogniser | None = None
) -> tuple[dict[str, Any], Captioned]:
    """Edits the photograph with every prompt.

    Returns:
        The block of the report, which says why when there is no photograph, and captioned pictures: the photo, its crop, the
        reconstruction, and per prompt the surroundings of the edited face, pasted whole and as a change.

    Raises:
        UserError: the request's photo cannot be read or its landmarks do not fit.
    """
    photo, source = _photograph(request)
    if photo is None:
        return {"label": LABEL, "source": SOURCE, "available": False, "reason": source}, []
    landmarks = ASTRONAUT_LANDMARKS if request.photo is None else request.landmarks
    session = FaceEditor(networks).photo(photo, landmarks)
    crops = [session.crop, session.reconstruct_crop(), *(session.edit_crop({prompt: None}) for prompt in prompts)]
    shown = show(judges, _pixels(crops, networks.pixels.size), recogniser, landmark_template(networks.crop))
    box = _around(session.transform, photo.size)
    surroundings = photo.crop(box)
    pictures: Captioned = [("photo", photo), ("around the face", surroundings), ("aligned crop", crops[0]), ("reconstruction", crops[1])]
    for prompt in prompts:
        pictures.append((f"{prompt}, pasted", session.edit({prompt: None}).crop(box)))
        pictures.append((f"{prompt}, change only", session.edit({prompt: None}, keep_detail=True).crop(box)))
    return {"label": LABEL, "source": source, "available": True, **_figures(shown, prompts)}, pictures


def _around(transform: CropTransform, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box of the photo, in pixels, that shows the pasted face with a third of its side around it."""
    corners = transform.to_photo([[-_SURROUNDINGS, -_SURROUNDINGS], [1.0 + _SURROUNDINGS, 1.0 + _SURROUNDINGS]])
    (left, top), (right, bottom) = corners.min(0).clip(0), corners.max(0).clip(0, size)
    return int(left), int(top), int(right), int(bottom)


def _photograph(request: EvaluateRequest) -> tuple[Image.Image | None, str]:
    """The photograph with its source, or None with the reason."""
    if not request.out_of_domain:
        return None, "it was not asked for"
    if request.photo is not None:
        return open_photo(request.photo).image, request.photo.name
    try:
        from skimage.data import astronaut
    except ImportError:
        return None, "scikit-image, which carries the photograph, is not installed"
    return Image.fromarray(astronaut()), SOURCE


def _pixels(crops: list[Image.Image], size: int) -> Tensor:
    """The crops as uint8 [N,3,size,size]."""
    resized = [np.asarray(crop if crop.size == (size, size) else crop.resize((size, size), Image.Resampling.LANCZOS)) for crop in crops]
    return torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).contiguous()


def _figures(shown: Shown, prompts: tuple[str, ...]) -> dict[str, Any]:
    """PSNR and identity of the reconstruction (row 1) against the crop (row 0), and what the judges say of each edit (rows 2 on)."""
    edits: dict[str, Any] = {}
    for row, prompt in enumerate(prompts, start=2):
        edits[prompt] = _cosines(shown, row, 1, "to_reconstruction") | _cosines(shown, row, 0, "to_photo")
        if prompt in VERDICTS:
            score, success = VERDICTS[prompt].score(shown.attributes), VERDICTS[prompt].success(shown.attributes)
            edits[prompt] |= {"score_before": float(score[1]), "score": float(score[row]), "success": bool(success[row])}
    psnr = float(psnr_db(shown.images[:1], shown.images[1:2])[0])
    return {"reconstruction": {"psnr_db": psnr, **_cosines(shown, 1, 0, "cosine")}, "edits": edits}


def _cosines(shown: Shown, row: int, other: int, name: str) -> dict[str, float]:
    """How alike two pictures are to the identity judge, and to the recogniser if there is one."""
    opinions = {"identity": shown.identity, "recogniser": shown.recognised}
    return {f"{who}_{name}": float(each[row] @ each[other]) for who, each in opinions.items() if each is not None}
