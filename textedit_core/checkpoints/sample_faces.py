"""The sample faces of a checkpoint, which an export calibrates and measures with."""

from __future__ import annotations

import shutil
from pathlib import Path

from PIL import Image

from textedit_core.checkpoints.store import Checkpoint, open_checkpoint
from textedit_core.errors import UserError
from textedit_core.photos import open_photo

# One face of three is held out; of more faces than this an export would look at the first ones only.
_HELD_OUT_OF = 3
_MOST = 48
_SIDE = 256
_JPEG_QUALITY = 92


def copy_faces(folder: Path | None, base: Checkpoint | None, out: Path) -> None:
    """Writes out/faces/calibration and out/faces/heldout from a folder of aligned faces, or else from a checkpoint that has some.

    Raises:
        UserError: the folder has fewer than two pictures, or one is unreadable.
    """
    if folder is not None:
        _from_folder(folder, out)
        return
    checkpoint = base if base is not None and base.faces("calibration") else open_checkpoint()
    for split in ("calibration", "heldout"):
        for path in checkpoint.faces(split):
            target = out / "faces" / split / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _from_folder(folder: Path, out: Path) -> None:
    pictures = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))[:_MOST]
    if len(pictures) < 2:
        raise UserError(f"{str(folder)!r} has {len(pictures)} pictures (.jpg, .png); an export needs at least two aligned faces")
    for k, path in enumerate(pictures):
        split = "heldout" if k % _HELD_OUT_OF == _HELD_OUT_OF - 1 or k == len(pictures) - 1 else "calibration"
        target = out / "faces" / split / f"{k:03d}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        open_photo(path).image.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS).save(target, quality=_JPEG_QUALITY)
