"""Opens what an edit runs on: a checkpoint here, a bundle through the package that announces itself as able to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

from textedit_core.checkpoints.networks import CheckpointNetworks
from textedit_core.checkpoints.store import INDEX_NAME, open_checkpoint
from textedit_core.errors import UserError
from textedit_core.face_networks import FaceNetworks

# Core knows no bundle; the package that reads one announces itself here.
ENTRY_GROUP, ENTRY_NAME = "textedit.networks", "bundle"


@contextlib.contextmanager
def open_networks(path: str | Path | None = None) -> Iterator[FaceNetworks]:
    """Opens a checkpoint folder or a bundle, whichever `path` is; None is the embedded reference checkpoint.

    Raises:
        UserError: there is nothing at `path`, it is neither, or it is damaged.
    """
    if path is None or Path(path, INDEX_NAME).is_file():
        yield CheckpointNetworks(open_checkpoint(path))
    elif not Path(path).exists():
        raise UserError(f"{str(path)!r} does not exist; give a checkpoint folder or a bundle")
    else:
        with open_bundle_networks(path) as networks:
            yield networks


@contextlib.contextmanager
def open_bundle_networks(path: str | Path) -> Iterator[FaceNetworks]:
    """Opens a bundle, a directory or a stored zip.

    Raises:
        UserError: no installed package runs bundles, or the bundle is missing or damaged.
    """
    found = entry_points(group=ENTRY_GROUP, name=ENTRY_NAME)
    if not found:
        raise UserError(f"no installed package runs bundles (entry point {ENTRY_GROUP}: {ENTRY_NAME}); install this project with pip")
    with next(iter(found)).load()(Path(path)) as networks:
        yield networks
