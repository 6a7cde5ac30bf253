"""Many photos, one or several prompts: a failed photo costs one line, and a second run does only what is not done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image
from rich.console import Console
from rich.progress import track

from textedit_core.edit_journal import EditJournal
from textedit_core.errors import TexteditError, UsageError, UserError
from textedit_core.face_editor import EditSession, FaceEditor, checked_strengths
from textedit_core.face_networks import FaceNetworks
from textedit_core.hashing import sha256_of, sha256_of_file
from textedit_core.photo_sheet import CELL, save_sheet, sheet_size
from textedit_core.photos import Photo, open_photo, save_photo
from textedit_core.photos.limits import check_output

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".avif", ".heic", ".heif", ".bmp")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Batch:
    """What to do with many photos.

    Attributes:
        photos: the files, each once; `listed` finds them.
        prompts: ids; with several the result's name ends in the prompt's.
        out: folder for the results, made if missing; None writes the sheet alone.
        strength: for every prompt; None is each prompt's default.
        sheet: picture to write with a row per photo and a column per prompt.
        landmarks: [5,2] in pixels of the upright photo, for a single photo only.
        strip_metadata: drop EXIF, XMP, IPTC and comments.
        mark: say in each file that a trained model changed part of the picture.
    """

    photos: Sequence[Path]
    prompts: Sequence[str]
    out: Path | None
    strength: float | None = None
    sheet: Path | None = None
    landmarks: ArrayLike | None = None
    strip_metadata: bool = False
    mark: bool = True


@dataclass
class Outcome:
    """What became of a batch: files that were written, files that an earlier run had finished, and why photos failed."""

    written: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)


def listed(paths: Iterable[Path]) -> list[Path]:
    """The photos that files and folders stand for, in order, each once; a folder stands for the photos that lie in it.

    Raises:
        UserError: a path does not exist, or a folder holds no photo.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise UserError(f"photo {str(path)!r} does not exist")
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES and p.is_file()) if path.is_dir() else [path]
        # Others' hidden files ("._IMG_1.jpg") are no photos.
        photos = [photo for photo in inside if photo == path or not photo.name.startswith(".")]
        if not photos:
            raise UserError(f"folder {str(path)!r} holds no photo ({', '.join(PHOTO_SUFFIXES)})")
        for photo in photos:
            found.setdefault(photo.resolve(), photo)
    return list(found.values())


def edit_batch(networks: FaceNetworks, batch: Batch, say: Say) -> Outcome:
    """Edits photo by photo; see `Batch`.

    Args:
        networks: of a checkpoint or a bundle; loaded once, when the first photo needs them.
        batch: what to do.
        say: takes one line for each failure and for each thing that a written file has lost.

    Raises:
        UserError: the folder or the sheet cannot be written.
        UsageError: unknown prompt, strength out of range, landmarks for several photos, or results that would overwrite each other.
    """
    return _Run(networks, batch, say).all()


class _Run:
    def __init__(self, networks: FaceNetworks, batch: Batch, say: Say) -> None:
        self._networks, self._batch, self._say = networks, batch, say
        self._strengths = checked_strengths(networks, dict.fromkeys(batch.prompts, batch.strength))
        if batch.landmarks is not None and len(batch.photos) > 1:
            raise UsageError(f"landmarks are those of one photo, {len(batch.photos)} are given; leave --landmarks out")
        self._targets = _targets(batch)
        if batch.sheet is not None:
            check_output(batch.sheet, sheet_size(len(batch.photos), len(batch.prompts)))
        self._journal = None if batch.out is None else EditJournal(batch.out)
        self._editor = FaceEditor(networks)
        self._rows: list[tuple[str, list[Image.Image]]] = []
        self._outcome = Outcome()

    def all(self) -> Outcome:
        for path in track(self._batch.photos, "editing", console=Console(stderr=True)):
            try:
                self._one(path)
            except TexteditError as error:
                self._outcome.failed[path] = str(error)
                self._say(f"failed: {path}: {error}")
        if self._batch.sheet is not None and self._rows:
            save_sheet(self._rows, list(self._batch.prompts), self._batch.sheet)
        return self._outcome

    def _one(self, path: Path) -> None:
        source = sha256_of_file(path)
        todo = [prompt for prompt in self._batch.prompts if not self._is_done(path, prompt, source)]
        if not todo and self._batch.sheet is None:
            return
        photo = open_photo(path)
        for prompt in todo:
            check_output(self._targets[path, prompt], photo.image.size)
        for note in photo.notes:
            self._say(f"{path.name}: {note}")
        session = self._editor.photo(photo.image, self._batch.landmarks)
        shown = [session.crop]
        for prompt in self._batch.prompts if self._batch.sheet is not None else todo:
            edited = session.edit({prompt: self._strengths[prompt]})
            shown.append(_crop(edited, session))
            if prompt in todo:
                self._write(photo, prompt, edited, source)
        self._rows.append((path.name, shown))

    def _is_done(self, path: Path, prompt: str, source: str) -> bool:
        target = self._targets.get((path, prompt))
        if target is None or self._journal is None:
            return target is None
        done = self._journal.is_done(target, source, self._settings(prompt))
        if done:
            self._outcome.skipped.append(target)
        return done

    def _write(self, photo: Photo, prompt: str, edited: Image.Image, source: str) -> None:
        assert self._journal is not None
        target = self._targets[photo.path, prompt]
        notes = save_photo(photo, edited, target, strip_metadata=self._batch.strip_metadata, mark=self._batch.mark)
        self._journal.enter(target, source, self._settings(prompt))
        self._outcome.written.append(target)
        for note in notes:
            self._say(f"{target.name}: {note}")

    def _settings(self, prompt: str) -> str:
        """A digest of all that decides what a result looks like, beside its photo."""
        batch = self._batch
        landmarks = None if batch.landmarks is None else np.asarray(batch.landmarks, np.float64).tolist()
        deciding = (self._networks.name, self._networks.checkpoint_id, prompt, self._strengths[prompt])
        return sha256_of(repr((*deciding, batch.strip_metadata, batch.mark, landmarks)).encode())


def _crop(edited: Image.Image, session: EditSession) -> Image.Image:
    """The part of the edited photo that the networks saw, upright in the photo, as a square of the sheet."""
    corners = session.transform.to_photo([[0, 0], [1, 0], [0, 1], [1, 1]])
    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    return edited.crop((round(left), round(top), round(right), round(bottom))).resize((CELL, CELL), Image.Resampling.LANCZOS)


def _targets(batch: Batch) -> dict[tuple[Path, str], Path]:
    """Where each result goes: the photo's name and format, the prompt added where there are several."""
    if batch.out is None:
        return {}
    if batch.out.exists() and not batch.out.is_dir():
        raise UserError(f"cannot write into {str(batch.out)!r}: it is a file; several results need a folder")
    targets: dict[tuple[Path, str], Path] = {}
    sources = {photo.resolve() for photo in batch.photos}
    owners: dict[Path, Path] = {}
    for photo in batch.photos:
        for prompt in batch.prompts:
            name = photo.name if len(batch.prompts) == 1 else f"{photo.stem}_{prompt}{photo.suffix}"
            target = batch.out / name
            if target.resolve() in sources:
                raise UsageError(f"{str(target)!r} is one of the photos; give --out another folder")
            # Many file systems take two names that differ in case for one.
            clash = owners.setdefault(target.with_name(name.lower()), photo)
            if clash != photo:
                raise UsageError(f"{str(clash)!r} and {str(photo)!r} would both become {str(target)!r}; edit them into two folders")
            targets[photo, prompt] = target
    try:
        batch.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {str(batch.out)!r}: {error.strerror or error}") from None
    return targets
