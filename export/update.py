"""An installed bundle becomes a newer one. What both share need not travel, so that a new prompt is as small as its own files."""

from __future__ import annotations

import shutil
from pathlib import Path

from export.bundle import Bundle, changing, open_bundle, read_manifest, unpacked
from export.bundle_files import walk_files
from export.bundle_zip import write_zip
from export.manifest import Manifest
from textedit_core.errors import UserError


def apply_update(installed: Path, update: Path, public_key: str | None = None) -> Manifest:
    """Puts an update in the place of an installed bundle, which stays as it is until the new one is whole and checked.

    An update is the newer bundle, less any files that the installed one lists with the same hash.

    Args:
        installed: bundle directory.
        update: directory, or a stored zip of its contents.
        public_key: base64 DER public key that must have signed the update; None is the signer of the installed bundle, if it has one.

    Raises:
        UserError: the update is of another model or target, or the bundle that it would make is not one that `open_bundle` takes.
    """
    with changing(installed) as (old, root), unpacked(update) as source:
        new = read_manifest(source)
        _require_successor(old.manifest, new)
        signer = old.manifest.signature
        _gather(old, source, new, root)
        with open_bundle(root, public_key or (None if signer is None else signer.public_key)) as made:
            return made.manifest


def write_update(old: Path, new: Path, archive: Path) -> None:
    """Packs what a newer bundle has and an older one has not as a stored zip: the manifest, its signature, and the files that changed.

    Raises:
        UserError: a bundle is damaged, they are of different models or targets, or the archive cannot be written.
    """
    with open_bundle(old) as before, open_bundle(new) as after:
        _require_successor(before.manifest, after.manifest)
        write_zip(after.root, archive, _shared(before.manifest, after.manifest))


def _shared(old: Manifest, new: Manifest) -> frozenset[str]:
    """Those files of a newer bundle that an older one lists with the same hash: what an update need not bring."""
    known = {(entry.path, entry.sha256) for entry in old.files}
    return frozenset(entry.path for entry in new.files if (entry.path, entry.sha256) in known)


def _require_successor(old: Manifest, new: Manifest) -> None:
    if (new.name, new.target) != (old.name, old.target):
        raise UserError(f"the update is for {new.name} on {new.target}; installed is {old.name} on {old.target}")


def _gather(old: Bundle, source: Path, new: Manifest, root: Path) -> None:
    brought = walk_files(source)
    kept = _shared(old.manifest, new) - set(brought)
    for origin, paths in ((source, brought), (old.root, kept)):
        for path in paths:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin / path, root / path)
