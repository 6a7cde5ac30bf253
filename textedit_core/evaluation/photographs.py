"""Edits of real photographs against the same people's real smiles: pairs of photographs, and one row of figures per way of editing.

Everything is looked at in the crop of the photograph at rest, laid over the photograph of the smile by the pair's similarity.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from textedit_core.alignment import cut_out
from textedit_core.checkpoints.networks import CheckpointNetworks
from textedit_core.checkpoints.store import Checkpoint, open_checkpoint
from textedit_core.config import Prompt
from textedit_core.errors import UsageError, UserError
from textedit_core.evaluation.bootstrap import estimate, estimate_ratio
from textedit_core.evaluation.onnx_recogniser import OnnxRecogniser, open_recogniser
from textedit_core.evaluation.photo_measures import (
    MOUTH,
    SIDE,
    Picture,
    mouth_psnr,
    pushed,
    share_of_way,
    structure_distance,
    tracked,
    unchanged,
)
from textedit_core.evaluation.photo_table import write_photo_sheet
from textedit_core.evaluation.photo_ways import REAL_SMILE, Edited, Model, Person, cut_person, models_of
from textedit_core.evaluation.rows import opened_bundle
from textedit_core.face_editor import FaceEditor, checked_strength
from textedit_core.photo_pairs import PhotoPair, read_pairs
from textedit_core.photo_sheet import sheet_size
from textedit_core.photos.limits import check_output

# Of which the best is looked for, as far as the prompt takes them.
STRENGTHS = (0.5, 0.75, 1.0, 1.25, 1.5)
_USUAL = 1.0
# How far the real smile moves the corners, in square pixels: by what a person counts where all motion is pooled.
_LENGTH = "way_length"


@dataclass(frozen=True)
class PhotoRequest:
    """What `evaluate --photos` was asked to do.

    Attributes:
        photos: folder of pairs, see `photo_pairs`.
        checkpoint: checkpoint folder; None is the embedded reference.
        bundles: exported bundles of this checkpoint whose compositors are measured too.
        prompt: whose edit is compared with the changed photograph.
        recogniser: an ONNX face recogniser, a second opinion on identity.
        people: how many of the pairs at most.
        everyone: also those that the compositor was trained on, with figures of their own; otherwise they are left out.
        sheet: a picture to write, a row per person.
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


@dataclass
class _Row:
    """What one way of editing made, by person: figures by name, and the crop at the usual strength."""

    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    pictures: dict[str, Picture] = field(default_factory=dict)

    def note(self, person: Person, **values: float) -> None:
        self.figures.setdefault(person.pair.name, {}).update(values)

    def estimates(self, people: Sequence[str], seed: int) -> dict[str, Any]:
        """Means over people with intervals, by figure."""

        def values(name: str) -> list[float]:
            return [self.figures[person].get(name, np.nan) for person in people]

        names = dict.fromkeys(name for person in people for name in self.figures[person])
        found = {name: estimate(values(name), seed) for name in names if name != _LENGTH}
        if _LENGTH in names:
            lengths = np.array(values(_LENGTH))
            found["pooled_motion"] = estimate_ratio(lengths * values("corner_motion"), lengths, seed)
        return found


@dataclass(frozen=True)
class _Setting:
    """What all rows share: the prompt, its strengths, the one whose picture is looked at, and who recognises people."""

    prompt: str
    strengths: tuple[float, ...]
    usual: float
    recogniser: OnnxRecogniser | None


def evaluate_photographs(request: PhotoRequest) -> dict[str, Any]:
    """Measures every way of editing and returns one JSON document.

    Its `rows` are of the `people` whom the compositor was not trained on, `rows_trained_on` of the others.

    Raises:
        UserError: the pairs, the checkpoint, a bundle or the recogniser are missing or damaged, a bundle is of another checkpoint or
            has no compositor, the sheet cannot be written, or nobody is left to measure.
        UsageError: unknown prompt, less than one person, or a bundle that does not take the strengths.
    """
    checkpoint = open_checkpoint(request.checkpoint)
    setting = _setting(request, checkpoint.prompt(request.prompt))
    trained = trained_people(checkpoint)
    pairs = _chosen(request, trained)
    with contextlib.ExitStack() as stack:
        bundles = [stack.enter_context(opened_bundle(path, checkpoint.checkpoint_id)) for path in request.bundles]
        models = models_of(CheckpointNetworks(checkpoint), bundles)
        _check(request, setting, models, len(pairs))
        people = (cut_person(pair, checkpoint.config.crop) for pair in track(pairs, "photographs", console=Console(stderr=True)))
        rows = measured(people, models, setting)
    if request.sheet is not None:
        write_photo_sheet({name: row.pictures for name, row in rows.items()}, request.sheet)
    groups = [[pair.name for pair in pairs if (pair.name in trained) == known] for known in (False, True)]
    strange, known = ({name: row.estimates(group, request.seed) for name, row in rows.items()} for group in groups)
    return {
        "checkpoint_id": checkpoint.checkpoint_id,
        "prompt": setting.prompt,
        "strength": setting.usual,
        "strengths": list(setting.strengths),
        "people": groups[0],
        "trained_on": groups[1],
        "landmarked": [pair.name for pair in pairs if pair.changed_points is not None],
        "recogniser": None if setting.recogniser is None else setting.recogniser.card,
        "rows": strange,
        "rows_trained_on": known,
    }


def trained_people(checkpoint: Checkpoint) -> set[str]:
    """Names of the people that the checkpoint's compositor was trained on."""
    return set(checkpoint.provenance.get("compositor", {}).get("people", []))


def strengths_of(prompt: Prompt) -> tuple[tuple[float, ...], float]:
    """The strengths that are tried, rising and within the prompt's range, and the usual one: 1, or the default where 1 is out of range."""

    def fits(strength: float) -> bool:
        return prompt.strength_min <= strength <= prompt.strength_max

    usual = _USUAL if fits(_USUAL) else prompt.strength_default
    return tuple(sorted({usual, *filter(fits, STRENGTHS)})), usual


def _setting(request: PhotoRequest, prompt: Prompt) -> _Setting:
    return _Setting(prompt.id, *strengths_of(prompt), None if request.recogniser is None else open_recogniser(request.recogniser))


def _chosen(request: PhotoRequest, trained: set[str]) -> list[PhotoPair]:
    if request.people is not None and request.people < 1:
        raise UsageError(f"{request.people} people leave nothing to measure; give 1 or more")
    pairs = [pair for pair in read_pairs(request.photos) if request.everyone or pair.name not in trained][: request.people]
    if not pairs:
        raise UserError(f"the compositor was trained on everybody of {str(request.photos)!r}; --everyone measures them all the same")
    return pairs


def _check(request: PhotoRequest, setting: _Setting, models: Sequence[Model], people: int) -> None:
    """Asks before any work whether every model takes the edits, and whether the sheet can be written."""
    for model in models:
        for strength in setting.strengths:
            checked_strength(model.networks.prompt(setting.prompt), strength)
    if request.sheet is not None:
        check_output(request.sheet, sheet_size(people, sum(len(model.ways) for model in models)))


def measured(people: Iterable[Person], models: Sequence[Model], setting: _Setting) -> dict[str, _Row]:
    """Edits everybody in every way, at every strength, and notes what comes of it; the last row is the real smile itself."""
    rows = {name: _Row() for model in models for name in model.ways} | {REAL_SMILE: _Row()}
    for person in people:
        for model in models:
            session = FaceEditor(model.networks).photo(person.photo, person.pair.landmarks)
            for name, way in model.ways.items():
                edits = {strength: way(session, setting.prompt, strength) for strength in setting.strengths}
                _note_edits(rows[name], person, edits, setting)
        _note_picture(rows[REAL_SMILE], person, person.answer, setting)
        if not person.landmarked:
            # Against itself the way that was found in this picture says nothing.
            rows[REAL_SMILE].note(person, corner_motion=np.nan, right_direction=np.nan)
    return rows


def _note_edits(row: _Row, person: Person, edits: dict[float, Edited], setting: _Setting) -> None:
    crops = {strength: np.asarray(cut_out(edited.photo, person.transform, SIDE)) for strength, edited in edits.items()}
    usual, crop = edits[setting.usual], crops[setting.usual]
    _note_picture(row, person, crop, setting)
    # Who would rather not have the edit leaves the slider at 0.
    best = max(mouth_psnr(each, person.answer) for each in (person.rest, *crops.values()))
    reached, resting = mouth_psnr(crop, person.answer), mouth_psnr(person.rest, person.answer)
    row.note(person, psnr_db=reached, psnr_gain_db=reached - resting, best_psnr_db=best)
    row.note(person, unchanged_pixels=unchanged(person.photo, usual.photo))
    if usual.flow is not None:
        row.note(person, field_motion=share_of_way(pushed(person.corners / SIDE, usual.flow) * SIDE, person.way)[0])


def _note_picture(row: _Row, person: Person, crop: Picture, setting: _Setting) -> None:
    row.pictures[person.pair.name] = crop
    share, right = share_of_way(tracked(person.corners, person.rest, crop), person.way)
    row.note(person, corner_motion=share, right_direction=right, **{_LENGTH: float(np.square(person.way).sum())})
    row.note(person, structure_distance=structure_distance(crop[MOUTH], person.answer[MOUTH]))
    if setting.recogniser is not None:
        pictures = torch.from_numpy(np.stack([person.rest, crop])).permute(0, 3, 1, 2)
        embeddings = setting.recogniser.embed(pictures, person.transform.to_crop(person.pair.landmarks))
        row.note(person, identity=float(embeddings[0] @ embeddings[1]))
