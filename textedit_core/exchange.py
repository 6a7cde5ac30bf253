"""Two paths change places in one step, so that a reader finds one or the other at each, and never nothing."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

# renameat2(2) and renamex_np(2): both files stay, under each other's name.
_RENAME_EXCHANGE = _RENAME_SWAP = 2
_AT_FDCWD = -100


def exchange(first: Path, second: Path) -> bool:
    """Has two files or folders of one file system change places.

    Returns:
        Whether they have. Where not, nothing has changed: the system or the file system cannot do it, or the paths are at fault, as any
        other way of renaming them will tell.
    """
    names = os.fsencode(first), os.fsencode(second)
    library = ctypes.CDLL(None)
    # A C library from before 2018 has no renameat2.
    if sys.platform.startswith("linux") and hasattr(library, "renameat2"):
        return library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0
    if sys.platform == "darwin":
        return library.renamex_np(*names, _RENAME_SWAP) == 0
    return False
