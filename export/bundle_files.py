"""The files below a bundle's root: plain ones only, and not without limit."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from textedit_core.errors import UserError

# Far above any bundle of phone networks, far below what exhausts a server that receives one.
MAX_FILES = 4096
MAX_TOTAL_BYTES = 1024**3


def walk_files(root: Path) -> dict[str, int]:
    """Maps each regular file below `root` (POSIX path) to its size in bytes, sorted by path.

    Raises:
        UserError: a link, socket or other special file lies below `root`, or there are too many files.
    """
    found: dict[str, int] = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(folder, name)
            mode = path.lstat().st_mode
            relative = path.relative_to(root).as_posix()
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise UserError(f"{relative} is a link or special file; a bundle holds plain files only")
            if stat.S_ISREG(mode):
                found[relative] = path.lstat().st_size
        check_budget(len(found), sum(found.values()), str(root))
    return dict(sorted(found.items()))


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a directory."""
    return path.stat().st_size if path.is_file() else sum(walk_files(path).values())


def check_budget(count: int, total: int, source: str) -> None:
    """Refuses more files or bytes than a bundle has.

    Raises:
        UserError: naming `source`, what it announces and the limits.
    """
    if count > MAX_FILES or total > MAX_TOTAL_BYTES:
        raise UserError(f"{source} announces {count} files and {total} bytes; the limits are {MAX_FILES} and {MAX_TOTAL_BYTES}")
