"""Bundles on disk: reading with every check before any runtime sees a byte, and writing that is all or nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from export import signing
from export.bundle_files import check_budget, walk_files
from export.bundle_zip import extract_stored_zip
from export.graphs import TEXT_EDITOR
from export.manifest import (
    MANIFEST_FILE,
    MAX_MANIFEST_BYTES,
    SIGNATURE_FILE,
    FileEntry,
    Manifest,
    SignatureEntry,
    parse,
    serialise,
)
from export.vectors import check_vectors
from textedit_core.atomic import replacing_folder
from textedit_core.errors import UserError
from textedit_core.file_lock import sole_writer
from textedit_core.hashing import sha256_of_file

BUNDLE_SUFFIX = ".textedit"


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle whose manifest, file sizes and hashes have been checked."""

    root: Path
    manifest: Manifest

    def file(self, path: str) -> Path:
        """Where a listed file, or the directory of a Core ML package, lies on this machine."""
        return self.root / path


@contextlib.contextmanager
def open_bundle(path: str | Path, public_key: str | None = None) -> Iterator[Bundle]:
    """Opens a bundle directory or stored zip after checking everything that can be checked without running it.

    Args:
        path: `NAME.textedit`, a directory or a stored zip of its contents.
        public_key: base64 DER public key that must have signed the bundle; None accepts any signer or none.

    Raises:
        UserError: naming the file that is missing, unlisted, damaged, too large, linked or unsafely named.
    """
    with unpacked(Path(path)) as root:
        yield _checked(root, public_key)


@contextlib.contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """A bundle directory itself, or a stored zip's contents in a directory that vanishes again; nothing in it is checked yet.

    Raises:
        UserError: it is neither, or the zip is compressed, too large, or has unsafe members.
    """
    if path.is_dir():
        yield path
    elif path.is_file():
        with tempfile.TemporaryDirectory(prefix="textedit-bundle-") as scratch:
            extract_stored_zip(path, Path(scratch))
            yield Path(scratch)
    else:
        raise UserError(f"bundle {str(path)!r} does not exist")


def read_manifest(root: Path) -> Manifest:
    """The manifest of a bundle directory, checked by itself; no other file is looked at.

    Raises:
        UserError: it is missing, too large or damaged.
    """
    return parse(_manifest_bytes(root, walk_files(root)), MANIFEST_FILE)


def _checked(root: Path, public_key: str | None) -> Bundle:
    present = walk_files(root)
    raw = _manifest_bytes(root, present)
    manifest = parse(raw, MANIFEST_FILE)
    _check_signature(root, manifest, raw, present, public_key)
    _check_listing(manifest, present)
    _check_references(manifest)
    for entry in manifest.files:
        if sha256_of_file(root / entry.path) != entry.sha256:
            raise UserError(f"{entry.path} does not match its sha256; the file is damaged or was changed")
    check_vectors(root, manifest)
    return Bundle(root, manifest)


def _manifest_bytes(root: Path, present: dict[str, int]) -> bytes:
    if MANIFEST_FILE not in present:
        raise UserError(f"{str(root)!r} is not a bundle: {MANIFEST_FILE} is missing")
    if present[MANIFEST_FILE] > MAX_MANIFEST_BYTES:
        raise UserError(f"{MANIFEST_FILE} has {present[MANIFEST_FILE]} bytes; a manifest has at most {MAX_MANIFEST_BYTES}")
    return _read(root / MANIFEST_FILE, MANIFEST_FILE)


def _check_signature(root: Path, manifest: Manifest, raw: bytes, present: dict[str, int], public_key: str | None) -> None:
    if manifest.signature is None:
        if SIGNATURE_FILE in present:
            raise UserError(f"{SIGNATURE_FILE} is there but {MANIFEST_FILE} names no signer")
        if public_key is not None:
            raise UserError(f"{MANIFEST_FILE} is not signed; sign it by exporting with --sign KEY.pem")
        return
    if SIGNATURE_FILE not in present:
        raise UserError(f"{SIGNATURE_FILE} is missing; {MANIFEST_FILE} says that it was signed")
    if public_key is not None and public_key != manifest.signature.public_key:
        raise UserError(f"{MANIFEST_FILE} was signed by another key than the one given")
    signing.check_signature(manifest.signature.public_key, raw, _read(root / SIGNATURE_FILE, SIGNATURE_FILE), SIGNATURE_FILE)


def _check_listing(manifest: Manifest, present: dict[str, int]) -> None:
    listed = {entry.path: entry.bytes for entry in manifest.files}
    check_budget(len(listed), sum(listed.values()), MANIFEST_FILE)
    for path, size in listed.items():
        if path not in present:
            raise UserError(f"{path} is missing from the bundle")
        if present[path] != size:
            raise UserError(f"{path} has {present[path]} bytes; {MANIFEST_FILE} lists {size}")
    for path in present:
        if path not in listed and path not in (MANIFEST_FILE, SIGNATURE_FILE):
            raise UserError(f"{path} is in the bundle but not listed in {MANIFEST_FILE}")


def _check_references(manifest: Manifest) -> None:
    listed = {entry.path for entry in manifest.files}
    parts = {part.part: part.file for part in manifest.parts}
    for part, file in parts.items():
        if file not in listed and not any(path.startswith(f"{file}/") for path in listed):
            raise UserError(f"{MANIFEST_FILE} points part {part!r} at {file}, which it does not list")
    for prompt in manifest.prompts:
        if parts.get(prompt.part) != prompt.file:
            raise UserError(f"{MANIFEST_FILE} has no part {prompt.part!r} with file {prompt.file} for prompt {prompt.id!r}")
        if (prompt.vector is None) == (prompt.part == TEXT_EDITOR) or (prompt.vector is not None and prompt.vector not in listed):
            raise UserError(
                f"{MANIFEST_FILE} has vector {prompt.vector} for prompt {prompt.id!r} of part {prompt.part}; a listed file belongs to "
                f"{TEXT_EDITOR}, null to any other part"
            )
    for case in manifest.golden:
        if not {case.input, case.output} <= listed or case.part not in parts:
            raise UserError(f"{MANIFEST_FILE} has a golden case for {case.part!r} whose files it does not list")


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {name}: {error.strerror or error}") from None


def seal(root: Path, manifest: Manifest, private_key: Any | None = None) -> Manifest:
    """Lists and hashes every file below `root`, writes bundle.json and, with a key, bundle.json.sig.

    Returns:
        The full manifest.

    Raises:
        UserError: no reader would take the bundle; nothing is written then.
    """
    for stale in (MANIFEST_FILE, SIGNATURE_FILE):
        (root / stale).unlink(missing_ok=True)
    files = tuple(FileEntry(path, size, sha256_of_file(root / path)) for path, size in walk_files(root).items())
    signer = None if private_key is None else SignatureEntry(signing.public_key_base64(private_key))
    sealed = dataclasses.replace(manifest, files=files, signature=signer)
    raw = serialise(sealed)
    parse(raw, MANIFEST_FILE)
    _check_references(sealed)
    check_vectors(root, sealed)
    (root / MANIFEST_FILE).write_bytes(raw)
    if private_key is not None:
        (root / SIGNATURE_FILE).write_bytes(signing.sign(private_key, raw))
    return sealed


@contextlib.contextmanager
def staged(final: Path) -> Iterator[Path]:
    """Gives an empty directory beside `final` that takes its place when the block ends well, and vanishes when it does not.

    An existing bundle at `final` stays until the new one is complete. Whoever makes the new one out of the old one uses `changing`.

    Raises:
        UserError: the folder cannot be written (missing rights, full disk), another process is writing the bundle, or `final` exists
            and is not a bundle.
    """
    if final.exists() and not (final / MANIFEST_FILE).is_file():
        raise UserError(f"{str(final)!r} exists and is not a bundle; move it away or choose another --out")
    with sole_writer(final), replacing_folder(final) as root:
        yield root


@contextlib.contextmanager
def changing(path: Path) -> Iterator[tuple[Bundle, Path]]:
    """Gives a checked bundle and an empty directory that takes its place when the block ends well; nobody else changes it meanwhile.

    Raises:
        UserError: it is no bundle directory or is damaged, another process is writing it, or the folder around it cannot be written.
    """
    if path.is_file():
        raise UserError(f"{str(path)!r} is a zip; unpack it to change it")
    if not path.is_dir():
        raise UserError(f"bundle {str(path)!r} does not exist")
    # Locked before it is read: what another process is about to add would be lost.
    with sole_writer(path), open_bundle(path) as opened, replacing_folder(path) as root:
        yield opened, root
