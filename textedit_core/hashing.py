"""SHA-256, by which every file of a checkpoint, a bundle and a dataset is known."""

from __future__ import annotations

import hashlib
from pathlib import Path

from textedit_core.errors import UserError

_BLOCK = 1 << 20


def sha256_of(data: bytes) -> str:
    """SHA-256 of bytes in lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file of any size in lower-case hex.

    Raises:
        UserError: the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise UserError(f"cannot read {str(path)!r}: {error.strerror or error}") from None
    return digest.hexdigest()
