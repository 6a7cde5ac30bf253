"""Locks that end with their process: the system lets go of them when it dies, however it dies, so that none is left behind."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

from textedit_core.errors import UserError

# Some cluster file systems are mounted without locks. Writing goes on there, unguarded.
NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})


def try_lock(path: Path) -> int | None:
    """Creates and locks a file, without waiting.

    The lock belongs to the returned descriptor, not to the process: a second call is refused in the same process too.

    Returns:
        The descriptor, which holds the lock until it is closed; None where another one holds it.

    Raises:
        OSError: the file cannot be created, or its file system has no locks (`NO_LOCKS`).
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its holder may have deleted the file after it was opened here. A lock on what has no name guards nothing.
            if _is_at(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def sole_writer(path: str | Path) -> Iterator[None]:
    """Lets one process at a time change a file or folder; the lock file `.NAME.lock` beside it is there only meanwhile.

    Whoever reads something in order to change it takes the lock before reading, or the change of another is lost.

    Args:
        path: what is changed; it need not exist yet. A link counts as what it leads to.

    Raises:
        UserError: another process is changing it, or the folder around it cannot be written.
    """
    final = Path(os.path.realpath(path))
    lock = final.with_name(f".{final.name}.lock")
    descriptor = _locked(lock, path)
    try:
        yield
    finally:
        if descriptor is not None:
            lock.unlink(missing_ok=True)
            os.close(descriptor)


def _locked(lock: Path, path: str | Path) -> int | None:
    """The descriptor of the lock; None where the file system has no locks."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = try_lock(lock)
    except OSError as error:
        if error.errno in NO_LOCKS:
            lock.unlink(missing_ok=True)
            return None
        raise UserError(f"cannot write {str(path)!r}: {error.strerror or error}") from None
    if descriptor is None:
        raise UserError(f"{str(path)!r} is being written by {_holder(lock)}; wait until that ends, then give the same command again")
    # Who holds it is for the message of the next one, no reason to fail: on a full disk the lock holds without.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {platform.node()} since {time.strftime('%Y-%m-%d %H:%M:%S')}".encode())
    return descriptor


def _holder(lock: Path) -> str:
    try:
        return lock.read_text("utf8") or "another process"
    except OSError:
        return "another process"
