"""Shards: tar files in the layout of the WebDataset library, each complete and listed with its hash, or absent.

A sample is a set of files whose names share what stands before the first dot: `000123.png`, `000123.json`. Any WebDataset reader takes
them; what is needed here is read without one.
"""

from __future__ import annotations

import io
import json
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from textedit_core.atomic import write_bytes
from textedit_core.errors import UserError
from textedit_core.hashing import sha256_of, sha256_of_file

SHARD_FOLDER = "shards"
Sample = dict[str, bytes]


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file of a rendering so that it is either complete or absent.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    try:
        write_bytes(path, data)
    except UserError as error:
        raise UserError(f"{error}; what is complete is kept, the same command goes on") from None


def shard_bytes(samples: Iterable[tuple[str, Sample]], *, compress: bool = False) -> bytes:
    """Packs samples (key, {extension: content}) as a tar file; the same samples make the same bytes."""
    import webdataset

    stream = io.BytesIO()
    # Fixed owner and time: a shard's hash must tell its content only.
    with webdataset.TarWriter(stream, user="", group="", mode=0o644, encoder=False, mtime=0) as writer:
        for key, sample in samples:
            writer.write({"__key__": key, **sample})
    return _deflated(stream.getvalue()) if compress else stream.getvalue()


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return packer.compress(data) + packer.flush()


def unpack_shard(data: bytes, name: str) -> dict[str, Sample]:
    """Returns the samples of a tar file by key, in their order.

    Raises:
        UserError: it is damaged.
    """
    samples: dict[str, Sample] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as archive:
            for member in archive:
                key, _, extension = member.name.partition(".")
                content = archive.extractfile(member)
                assert content is not None
                samples.setdefault(key, {})[extension] = content.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise UserError(f"{name!r} is damaged ({error}); the same render command draws it again") from None
    return samples


def read_listed_shard(folder: Path, entry: dict[str, Any]) -> dict[str, Sample]:
    """Returns the samples of a shard listed in an index, after checking its hash.

    Args:
        folder: the dataset folder.
        entry: `name` and `sha256`, as `listed` made them.

    Raises:
        UserError: the shard is missing or damaged.
    """
    path = folder / SHARD_FOLDER / entry["name"]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{str(path)!r} cannot be read ({error.strerror}); the same render command draws it again") from None
    if sha256_of(data) != entry["sha256"]:
        raise UserError(f"{str(path)!r} is damaged: its sha256 differs from the index; the same render command draws it again")
    return unpack_shard(data, str(path))


def listed(path: Path, samples: int) -> dict[str, Any]:
    """Returns the index entry of a complete shard."""
    return {"name": path.name, "samples": samples, "sha256": sha256_of_file(path)}


def read_index(folder: Path, name: str, version: int) -> dict[str, Any]:
    """Returns a folder's index of shards.

    Args:
        folder: written by `render`.
        name: dataset.json or counterfactuals.json.
        version: the `format_version` that is understood.

    Raises:
        UserError: the index is missing, damaged, of another version, or not finished.
    """
    path = folder / name
    try:
        index: dict[str, Any] = json.loads(path.read_text("utf8"))
        found = index["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{str(path)!r} is missing or damaged ({error}); render the folder, or name another one") from None
    if found != version:
        raise UserError(f"{str(path)!r} has format_version {found}, not {version}; render it again into a new folder")
    if not index["complete"]:
        raise UserError(f"the rendering of {str(folder)!r} is not finished; finish it with the same render command")
    return index


def dataset_hash(index: dict[str, Any]) -> str:
    """Returns 16 hex digits that name the content of all shards of an index."""
    digests = "".join(entry["sha256"] for entry in index["shards"])
    return sha256_of(digests.encode())[:16]
