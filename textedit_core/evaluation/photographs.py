"""Edits of real photographs against the same people's real smiles: pairs of photographs, and one row of figures per way of editing.

Everything is looked at in the crop of the photograph at rest, laid over the photograph of the smile by the pair's similarity.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import track

from textedit_core.alignment import CropTransform, crop_face, cut_out
from textedit_core.checkpoints.networks import CheckpointNetworks
from textedit_core.checkpoints.store import Checkpoint, open_checkpoint
from textedit_core.compositor.composition import Overlay, compose
from textedit_core.errors import UserError
from textedit_core.evaluation.bootstrap import estimate
from textedit_core.evaluation.onnx_recogniser import OnnxRecogniser, open_recogniser
from textedit_core.evaluation.photo_measures import MOUTH, SIDE, Picture, corner_motion, motion, mouth_psnr, structure_distance, unchanged
from textedit_core.face_editor import FaceEditor
from textedit_core.face_networks import FaceNetworks
from textedit_core.open_networks import open_bundle_networks
from textedit_core.pasting import paste_back
from textedit_core.photo_pairs import PhotoPair, read_pairs
from textedit_core.photos import open_photo

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

# Of the 189 points the corners of the mouth.
_CORNERS = (87, 93)
STRENGTHS = (0.5, 0.75, 1.0, 1.25, 1.5)


@dataclass(frozen=True)
class PhotoRequest:
    """What `evaluate --photos` was asked to do.

    Attributes:
        photos: folder of pairs, see `photo_pairs`.
        checkpoint: checkpoint folder; None is the embedded reference.
        bundles: exported bundles whose compositors are measured too.
        prompt: whose edit is compared with the changed photograph.
        recogniser: an ONNX face recogniser, a second opinion on identity.
        people: how many of the pairs at most.
        everyone: also those that the compositor was trained on; otherwise they are left out.
        sheet: a picture to write, a column per person.
        seed: of the bootstrap.
    """

    photos: Path
    checkpoint: Path | None = None
    bundles: tuple[Path, ...] = ()
    prompt: str = "smile"
    recogniser: Path | None = None
    people: int | None = None
    everyone: bool = False
    sheet: Path | None = None
    seed: int = 0


@dataclass(frozen=True)
class Person:
    """One pair, cut out.

    Attributes:
        pair: the photographs.
        photo: the whole photograph at rest.
        transform: where its crop lies.
        rest, answer: the crops, uint8 [S,S,3]; the answer is the real smile.
    """

    pair: PhotoPair
    photo: Image.Image
    transform: CropTransform
    rest: Picture
    answer: Picture


# The whole photograph edited at a strength.
Way = Callable[[Person, float], Image.Image]


@dataclass
class _Row:
    """What one way of editing made of everybody: figures by name, one per person, and the crops at strength 1."""

    figures: dict[str, list[float]] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)

    def note(self, **values: float) -> None:
        for name, value in values.items():
            self.figures.setdefault(name, []).append(value)


def evaluate_photographs(request: PhotoRequest) -> dict[str, Any]:
    """Measures every way of editing and returns one JSON document.

    Raises:
        UserError: the pairs, the checkpoint, a bundle or the recogniser are missing or damaged, or nobody is left to measure.
        UsageError: unknown prompt.
    """
    checkpoint = open_checkpoint(request.checkpoint)
    checkpoint.prompt(request.prompt)
    trained = trained_people(checkpoint)
    pairs = [pair for pair in read_pairs(request.photos) if request.everyone or pair.name not in trained][: request.people]
    if not pairs:
        raise UserError(f"the compositor was trained on everybody of {str(request.photos)!r}; --everyone measures them all the same")
    recogniser = None if request.recogniser is None else open_recogniser(request.recogniser)
    with contextlib.ExitStack() as stack:
        opened: list[AbstractContextManager[FaceNetworks]] = [open_bundle_networks(path) for path in request.bundles]
        bundles = [stack.enter_context(each) for each in opened]
        rows = measured(pairs, ways_of(CheckpointNetworks(checkpoint), bundles, request.prompt), recogniser, checkpoint)
    if request.sheet is not None:
        _write_sheet(rows, request.sheet)
    return {
        "checkpoint_id": checkpoint.checkpoint_id,
        "prompt": request.prompt,
        "people": [pair.name for pair in pairs],
        "trained_on": sorted(trained & {pair.name for pair in pairs}),
        "strengths": list(STRENGTHS),
        "recogniser": None if recogniser is None else recogniser.card,
        "rows": {name: {key: estimate(values, request.seed) for key, values in row.figures.items()} for name, row in rows.items()},
    }


def trained_people(checkpoint: Checkpoint) -> set[str]:
    """Names of the people that the checkpoint's compositor was trained on."""
    return set(checkpoint.provenance.get("compositor", {}).get("people", []))


def ways_of(networks: FaceNetworks, bundles: Sequence[FaceNetworks], prompt: str) -> dict[str, Way]:
    """Every way of editing by its name, the compositor's last."""
    pasting = FaceEditor(_Pasting(networks))
    ways: dict[str, Way] = {
        "no edit": lambda person, strength: person.photo,
        "pasted": lambda person, strength: _pasted(pasting, person, prompt, strength, keep_detail=False),
        "change added": lambda person, strength: _pasted(pasting, person, prompt, strength, keep_detail=True),
        "flow between the decodes": lambda person, strength: _flowed(pasting, person, prompt, strength),
    }
    for each in (networks, *bundles):
        if each.has_compositor:
            ways[f"compositor, {each.name}"] = _composed(FaceEditor(each), prompt)
    return ways


class _Pasting:
    """A model's networks less its compositor."""

    has_compositor, guide_side = False, 0

    def __init__(self, networks: FaceNetworks) -> None:
        self._networks = networks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._networks, name)


def _composed(editor: FaceEditor, prompt: str) -> Way:
    return lambda person, strength: editor.photo(person.photo, person.pair.landmarks).edit({prompt: strength})


def _pasted(editor: FaceEditor, person: Person, prompt: str, strength: float, keep_detail: bool) -> Image.Image:
    session = editor.photo(person.photo, person.pair.landmarks)
    reconstruction = session.reconstruct_crop() if keep_detail else None
    return paste_back(person.photo, session.edit_crop({prompt: strength}), person.transform, reconstruction)


def _flowed(editor: FaceEditor, person: Person, prompt: str, strength: float) -> Image.Image:
    """The photograph moved as the decode moves, by optical flow: what needs no compositor."""
    session = editor.photo(person.photo, person.pair.landmarks)
    before, after = (np.asarray(each) for each in (session.reconstruct_crop(), session.edit_crop({prompt: strength})))
    flow = motion(after, before) / np.float32(len(after))
    zero = np.zeros((1, 1), np.float32)
    colours = np.zeros((1, 1, 3), np.float32)
    return compose(person.photo, Overlay(flow, zero, zero, zero, colours, colours, zero), person.transform)


def measured(
    pairs: Sequence[PhotoPair], ways: dict[str, Way], recogniser: OnnxRecogniser | None, checkpoint: Checkpoint
) -> dict[str, _Row]:
    """Edits everybody in every way, at every strength, and notes what comes of it; the last row is the real smile itself."""
    rows = {name: _Row() for name in (*ways, "the real smile")}
    for pair in track(pairs, "photographs", console=Console(stderr=True)):
        person = cut_person(pair, checkpoint)
        for name, way in ways.items():
            edited = {strength: way(person, strength) for strength in (STRENGTHS if name != "no edit" else (1.0,))}
            crops = {strength: np.asarray(cut_out(photo, person.transform, SIDE)) for strength, photo in edited.items()}
            _note(rows[name], person, crops[1.0], recogniser)
            best = max(mouth_psnr(crop, person.answer) for crop in crops.values())
            # Who would rather not have the edit leaves the slider at 0.
            rows[name].note(psnr_db=mouth_psnr(crops[1.0], person.answer), best_psnr_db=max(best, mouth_psnr(person.rest, person.answer)))
            rows[name].note(unchanged_pixels=unchanged(person.photo, edited[1.0]))
        _note(rows["the real smile"], person, person.answer, recogniser)
    return rows


def cut_person(pair: PhotoPair, checkpoint: Checkpoint) -> Person:
    """Opens and crops one pair."""
    photo = open_photo(pair.rest).image
    crop, transform = crop_face(photo, pair.landmarks, SIDE, checkpoint.config.crop)
    answer = cut_out(open_photo(pair.changed).image, pair.carried(transform), SIDE)
    return Person(pair, photo, transform, np.asarray(crop), np.asarray(answer))


def _note(row: _Row, person: Person, crop: Picture, recogniser: OnnxRecogniser | None) -> None:
    row.pictures.append(crop)
    row.note(structure_distance=structure_distance(crop[MOUTH], person.answer[MOUTH]))
    corners = person.transform.to_crop(person.pair.points[list(_CORNERS)]) * SIDE
    share, right = corner_motion(corners, person.rest, person.answer, crop)
    row.note(corner_motion=share, right_direction=right)
    if recogniser is not None:
        pictures = torch.from_numpy(np.stack([person.rest, crop])).permute(0, 3, 1, 2)
        embeddings = recogniser.embed(pictures, person.transform.to_crop(person.pair.landmarks))
        row.note(identity=float(embeddings[0] @ embeddings[1]))


def _write_sheet(rows: dict[str, _Row], path: Path) -> None:
    from textedit_core.atomic import replacing_file

    lines = [np.concatenate(row.pictures, 1) for row in rows.values()]
    with replacing_file(path) as draft:
        Image.fromarray(np.concatenate(lines)).save(draft, format="PNG" if path.suffix.lower() == ".png" else "JPEG", quality=92)


_COLUMNS = {
    "psnr_db": ("PSNR, dB", 1.0, 2),
    "best_psnr_db": ("best strength, dB", 1.0, 2),
    "structure_distance": ("structure", 1.0, 3),
    "corner_motion": ("corners move, %", 100.0, 0),
    "right_direction": ("right way, %", 100.0, 0),
    "identity": ("identity", 1.0, 3),
    "unchanged_pixels": ("pixels unchanged, %", 100.0, 1),
}


def format_photographs(report: dict[str, Any]) -> str:
    """The report as a Markdown table: means with 95% intervals, one line per way of editing."""
    rows = report["rows"]
    shown = [key for key in _COLUMNS if any(key in figures for figures in rows.values())]
    count = len(report["people"])
    head = f"{count} {'person' if count == 1 else 'people'}, {report['prompt']}, {report['checkpoint_id']}"
    if report["trained_on"]:
        head += f"; the compositor was trained on {len(report['trained_on'])} of them"
    lines = [head, "", "| | " + " | ".join(_COLUMNS[key][0] for key in shown) + " |", "|---|" + "---|" * len(shown)]
    for name, figures in rows.items():
        lines.append(f"| {name} | " + " | ".join(_cell(figures.get(key), *_COLUMNS[key][1:]) for key in shown) + " |")
    return "\n".join(lines)


def _cell(found: dict[str, float] | None, scale: float, digits: int) -> str:
    if found is None:
        return ""
    value, low, high = (scale * found[key] for key in ("value", "low", "high"))
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
