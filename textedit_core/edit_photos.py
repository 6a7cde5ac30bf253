"""Editing photo files: one, or one after another with networks that are loaded once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from numpy.typing import ArrayLike

from textedit_core.checkpoints.networks import CheckpointNetworks
from textedit_core.checkpoints.store import open_checkpoint
from textedit_core.errors import UsageError
from textedit_core.face_editor import Edits, FaceEditor, checked_strengths
from textedit_core.face_networks import FaceNetworks
from textedit_core.open_networks import open_bundle_networks
from textedit_core.photos import open_photo, save_photo
from textedit_core.photos.limits import check_output

# Takes one line for people: what a written file has lost against its photo.
Say = Callable[[str], None]


def edit_photo(
    photo_path: Path,
    edits: Edits,
    out_path: Path,
    checkpoint: Path | None = None,
    bundle: Path | None = None,
    landmarks: ArrayLike | None = None,
    strip_metadata: bool = False,
    mark: bool = True,
    say: Say = lambda line: None,
) -> dict[str, float]:
    """Edits one photo file and writes the result with the photo's own colours, depth and metadata.

    Args:
        photo_path: any image that `photos.open_photo` reads.
        edits: strengths by prompt id, see `EditSession.edit`.
        out_path: image to write, atomically; the suffix selects the format.
        checkpoint: checkpoint folder; None is the embedded reference, unless there is a bundle.
        bundle: bundle directory or stored zip, to edit with the very files that a phone would run.
        landmarks: [5,2] in pixels of the upright photo; None takes the central square.
        strip_metadata: drop EXIF, XMP, IPTC and comments.
        mark: say in the file that a trained model changed part of the picture.
        say: takes a line for each thing that reading or writing has left behind.

    Returns:
        The strength that was used, by prompt id.

    Raises:
        UserError: unreadable photo, checkpoint or bundle, bad landmarks, unwritable output.
        UsageError: unknown prompt, strength out of range, or both a checkpoint and a bundle.
    """
    with opened_networks(checkpoint, bundle) as networks:
        # Cheap checks first: a misspelt prompt or folder should not cost the loading of networks.
        used = checked_strengths(networks, edits)
        check_output(out_path)
        photo = open_photo(photo_path)
        check_output(out_path, photo.image.size)
        session = FaceEditor(networks).photo(photo.image, landmarks)
        notes = save_photo(photo, session.edit(used), out_path, strip_metadata=strip_metadata, mark=mark)
    for note in (*photo.notes, *notes):
        say(f"{photo_path.name}: {note}")
    return used


def opened_networks(checkpoint: Path | None, bundle: Path | None) -> contextlib.AbstractContextManager[FaceNetworks]:
    """The networks of a checkpoint (None: the embedded reference) or of a bundle, as a context.

    Raises:
        UsageError: both are given.
    """
    if bundle is None:
        return contextlib.nullcontext(CheckpointNetworks(open_checkpoint(checkpoint)))
    if checkpoint is not None:
        raise UsageError(f"checkpoint {str(checkpoint)!r} and bundle {str(bundle)!r} exclude each other; give one of them")
    return open_bundle_networks(bundle)
