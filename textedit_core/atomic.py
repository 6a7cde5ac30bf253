"""Writing that is all or nothing: a file or a folder is made beside its final place and takes that place when it is complete.

What is being made lies in a scratch folder that its process keeps locked. A process that is killed cannot tidy up, but its lock ends with
it: the next one that writes into the same folder tells by the lock that the scratch folder is abandoned, and removes it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from textedit_core.errors import UserError
from textedit_core.file_lock import NO_LOCKS, try_lock

_PREFIX = ".textedit-writing-"
# What lies in a scratch folder: the lock, the draft under its final name, and what it replaces while the two change places.
_OWNER, _NEW, _OLD = "owner", "new", "old"


@contextlib.contextmanager
def replacing_file(path: str | Path) -> Iterator[Path]:
    """Gives the path of a draft, which takes the place of `path` when the block ends well and vanishes when it does not.

    The draft has the final name, and so its suffix. Folders on the way are created. A link stays, and the file that it leads to is
    replaced. The mode of an existing file is kept; a new one has the usual mode.

    Raises:
        UserError: the file cannot be written (missing rights, full disk), or `path` is no plain file. Every OSError of the block is
            taken for such a failure.
    """
    final = Path(os.path.realpath(path))
    if final.exists() and not final.is_file():
        raise UserError(f"cannot write {str(path)!r}: it is not a plain file; choose another name")
    with _reported(path), _scratch_beside(final) as scratch:
        draft = scratch / _NEW / final.name
        yield draft
        # Some libraries write files that only their owner can read.
        draft.chmod(stat.S_IMODE((final if final.exists() else scratch / _OWNER).stat().st_mode))
        os.replace(draft, final)


@contextlib.contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Gives an empty folder that takes the place of `path` when the block ends well and vanishes when it does not.

    An existing folder stays until the new one is complete, and its mode is kept. A link stays, and the folder that it leads to is
    replaced. What may be replaced is for the caller to check.

    Raises:
        UserError: the folder cannot be written (missing rights, full disk), or `path` is a file. Every OSError of the block is taken for
            such a failure.
    """
    final = Path(os.path.realpath(path))
    if final.exists() and not final.is_dir():
        raise UserError(f"cannot write {str(path)!r}: it is not a folder; choose another name")
    with _reported(path), _scratch_beside(final) as scratch:
        draft = scratch / _NEW / final.name
        draft.mkdir()
        yield draft
        if final.exists():
            draft.chmod(stat.S_IMODE(final.stat().st_mode))
            (scratch / _OLD).mkdir()
            os.rename(final, scratch / _OLD / final.name)
        # If this fails, or the process ends here, `_discard` puts the old folder back.
        os.rename(draft, final)


def write_bytes(path: str | Path, data: bytes) -> None:
    """Writes a whole file; see `replacing_file`."""
    with replacing_file(path) as draft:
        draft.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    """Writes a whole file as UTF-8; see `replacing_file`."""
    write_bytes(path, text.encode())


def sweep(folder: Path) -> None:
    """Removes what killed processes have left in `folder`; what a living one is writing stays. Every writer here does so by itself."""
    for scratch in folder.glob(f"{_PREFIX}*"):
        # Another user's leftovers, and those that another process is sweeping right now, are not ours to remove.
        with contextlib.suppress(OSError):
            if {entry.name for entry in scratch.iterdir()} <= {_OWNER, _NEW, _OLD}:
                _remove_if_abandoned(scratch)


def _remove_if_abandoned(scratch: Path) -> None:
    owner = try_lock(scratch / _OWNER)
    if owner is None:
        return
    try:
        _discard(scratch)
    finally:
        os.close(owner)


def _discard(scratch: Path) -> None:
    """Removes a scratch folder, after putting back what was to be replaced if nothing has taken its place."""
    for retired in (scratch / _OLD).glob("*"):
        home = scratch.parent / retired.name
        if not home.exists():
            os.rename(retired, home)
    shutil.rmtree(scratch, ignore_errors=True)


@contextlib.contextmanager
def _scratch_beside(final: Path) -> Iterator[Path]:
    final.parent.mkdir(parents=True, exist_ok=True)
    sweep(final.parent)
    scratch, owner = _claimed(final.parent)
    try:
        (scratch / _NEW).mkdir()
        yield scratch
    finally:
        _discard(scratch)
        if owner is not None:
            os.close(owner)


def _claimed(folder: Path) -> tuple[Path, int | None]:
    """A new scratch folder and the lock on it; no lock where the file system has none, and there nothing is ever swept."""
    while True:
        scratch = Path(tempfile.mkdtemp(dir=folder, prefix=_PREFIX))
        try:
            owner = try_lock(scratch / _OWNER)
        except FileNotFoundError:
            # Another process swept the folder before the lock was there: its time to be mistaken for an abandoned one.
            continue
        except OSError as error:
            if error.errno in NO_LOCKS:
                return scratch, None
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        if owner is not None:
            return scratch, owner


@contextlib.contextmanager
def _reported(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # The draft's own name would say nothing to a user; that of another file, such as one that was to be copied, does.
        other = "" if error.filename is None or _PREFIX in str(error.filename) else f": {str(error.filename)!r}"
        raise UserError(f"cannot write {str(path)!r}: {error.strerror or error}{other}") from None
