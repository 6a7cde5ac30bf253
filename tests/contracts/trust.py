"""Vectors of what a reader believes: signatures, whole tiny bundles, and updates of an installed one."""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from export.bundle import open_bundle
from export.bundle_files import walk_files
from export.manifest import MANIFEST_FILE, SIGNATURE_FILE, FileEntry, GoldenCase, Manifest, SignatureEntry, serialise
from export.signing import check_signature, public_key_base64, sign
from export.update import apply_update
from tests.export.test_manifest import sample, vector_sample
from textedit_core.errors import TexteditError
from textedit_core.hashing import sha256_of_file

# Fixed private keys, so that the same vectors are written again; they sign nothing else.
OWNER = ec.derive_private_key(0x5EED_0001, ec.SECP256R1())
STRANGER = ec.derive_private_key(0x5EED_0002, ec.SECP256R1())
# Order of the curve (SEC 2, secp256r1).
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
Files = dict[str, bytes]


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def signatures() -> dict[str, Any]:
    """DER signatures of a message by a key in base64 DER: believed or not."""
    message = "a manifest, in ASCII and in ümläuts\n".encode()
    good = sign(OWNER, message)
    r, s = decode_dss_signature(good)
    owner = public_key_base64(OWNER)
    other_curve = ec.derive_private_key(0x5EED_0003, ec.SECP384R1())
    spki = other_curve.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    flipped = bytes([message[0] ^ 1]) + message[1:]
    cases = [
        ("valid", owner, message, good, True),
        ("the empty message", owner, b"", sign(OWNER, b""), True),
        ("the other of the two values of s", owner, message, encode_dss_signature(r, ORDER - s), True),
        ("by another key", owner, message, sign(STRANGER, message), False),
        ("key of another signer", public_key_base64(STRANGER), message, good, False),
        ("flipped byte in the message", owner, flipped, good, False),
        ("flipped bit in the signature", owner, message, good[:-1] + bytes([good[-1] ^ 1]), False),
        ("truncated signature", owner, message, good[:-1], False),
        ("byte after the signature", owner, message, good + b"\0", False),
        ("empty signature", owner, message, b"", False),
        ("r is zero", owner, message, encode_dss_signature(0, s), False),
        ("s is zero", owner, message, encode_dss_signature(r, 0), False),
        ("s is the order", owner, message, encode_dss_signature(r, ORDER), False),
        ("s plus the order", owner, message, encode_dss_signature(r, s + ORDER), False),
        ("key on P-384", _text(spki), message, other_curve.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)), False),
        ("key with a point off the curve", _off_curve(owner), message, good, False),
        ("truncated key", _text(base64.b64decode(owner)[:-1]), message, good, False),
        ("key that is not base64", "?" + owner[1:], message, good, False),
    ]
    return {"cases": [_signature_case(*case) for case in cases]}


def _off_curve(key: str) -> str:
    raw = bytearray(base64.b64decode(key))
    raw[-1] ^= 1
    return _text(bytes(raw))


def _signature_case(name: str, key: str, message: bytes, signature: bytes, valid: bool) -> dict[str, Any]:
    try:
        check_signature(key, message, signature, name)
        believed = True
    except TexteditError:
        believed = False
    assert believed is valid, name
    return {"name": name, "public_key": key, "message": _text(message), "signature": _text(signature), "valid": valid}


def write_folder(root: Path, files: Files, links: dict[str, str] | None = None) -> Path:
    """Makes a folder of these files and links, and returns it."""
    for path, raw in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(raw)
    for path, target in (links or {}).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)
    return root


def _files(root: Path) -> Files:
    return {path: (root / path).read_bytes() for path in walk_files(root)}


def _sealed(manifest: Manifest, files: Files, key: Any | None = None) -> Files:
    with tempfile.TemporaryDirectory() as folder:
        root = write_folder(Path(folder), {path: raw for path, raw in files.items() if path not in (MANIFEST_FILE, SIGNATURE_FILE)})
        write_manifest(root, manifest, key)
        return _files(root)


def write_manifest(root: Path, manifest: Manifest, key: Any | None = None) -> None:
    """Lists what lies in a folder and writes its manifest and signature, as `seal` does, also where `seal` would refuse the bundle."""
    files = tuple(FileEntry(path, size, sha256_of_file(root / path)) for path, size in walk_files(root).items())
    signature = None if key is None else SignatureEntry(public_key_base64(key))
    raw = serialise(replace(manifest, files=files, signature=signature))
    (root / MANIFEST_FILE).write_bytes(raw)
    if key is not None:
        (root / SIGNATURE_FILE).write_bytes(sign(key, raw))


def as_ios(manifest: Manifest) -> Manifest:
    """The same for target ios, its networks directories as Core ML packages are."""
    parts = tuple(replace(part, file=f"models/{part.part}.mlpackage") for part in manifest.parts)
    files = {part.part: part.file for part in parts}
    prompts = tuple(replace(prompt, file=files[prompt.part]) for prompt in manifest.prompts)
    golden = (GoldenCase("decoder", "golden/w_plus.f32", "golden/image.f32", (1, 3, 8, 8), 45.0),)
    runtime = replace(manifest.runtime, name="Core ML", backend="ML Program", min_os="iOS 17.0")
    return replace(manifest, target="ios", runtime=runtime, parts=parts, prompts=prompts, golden=golden)


def _contents(manifest: Manifest) -> Files:
    """Networks of a few bytes, vectors and golden values: enough for every check that runs nothing."""
    files: Files = {"report.html": b"<p>report\n", "golden/w_plus.f32": bytes(32), "golden/image.f32": bytes(768)}
    for part in manifest.parts:
        files[f"{part.file}/Manifest.json"] = b"{}\n"
        files[f"{part.file}/Data/weights/weight.bin"] = f"weights of {part.part}\n".encode()
    for prompt in manifest.prompts:
        if prompt.vector is not None:
            files[prompt.vector] = np.array([0.5, -0.25, 0.125, 1.0], "<f4").tobytes()
    return files


def bundle_files(manifest: Manifest, key: Any | None = None) -> Files:
    """A sealed bundle that fits a manifest, by path."""
    return _sealed(manifest, _contents(manifest), key)


def _edited(files: Files, edit: Callable[[dict[str, Any]], None]) -> Files:
    """A manifest changed by someone who knows how to make its digest fit again."""
    values = json.loads(files[MANIFEST_FILE])
    edit(values)
    values["manifest_sha256"] = ""
    blank = json.dumps(values, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    values["manifest_sha256"] = hashlib.sha256(blank.encode()).hexdigest()
    return {**files, MANIFEST_FILE: (json.dumps(values, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()}


def _entry(values: dict[str, Any], path: str) -> dict[str, Any]:
    return next(entry for entry in values["files"] if entry["path"] == path)


def _without(files: Files, *paths: str) -> Files:
    return {path: raw for path, raw in files.items() if path not in paths}


def _flipped(files: Files, path: str) -> Files:
    raw = files[path]
    return {**files, path: bytes([raw[0] ^ 1]) + raw[1:]}


def bundles() -> dict[str, Any]:
    """Whole bundles: taken, or refused with a message that has these words in it."""
    vector, weight = "vectors/sketch.f32", "models/decoder.mlpackage/Data/weights/weight.bin"
    manifest = as_ios(vector_sample())
    plain, small, signed = bundle_files(manifest), bundle_files(as_ios(sample())), bundle_files(manifest, OWNER)
    owner, stranger = public_key_base64(OWNER), public_key_base64(STRANGER)
    not_finite = np.array([0.5, np.nan, 0.125, 1.0], "<f4").tobytes()
    upside = bundle_files(replace(manifest, prompts=tuple(replace(p, vector=None) for p in manifest.prompts)))
    cases: list[tuple[str, Files, dict[str, str], str | None, str | None]] = [
        ("an own editor and a prompt as vector", plain, {}, None, None),
        ("own editors alone", small, {}, None, None),
        ("signed, and the signer is known", signed, {}, owner, None),
        ("signed, and no signer is known", signed, {}, None, None),
        ("signed by another than the known signer", signed, {}, stranger, "signed by another key"),
        ("not signed, though a signer is known", plain, {}, owner, "is not signed"),
        ("signature is missing", _without(signed, SIGNATURE_FILE), {}, None, "is missing"),
        ("signature of an unsigned manifest", {**plain, SIGNATURE_FILE: signed[SIGNATURE_FILE]}, {}, None, "names no signer"),
        ("manifest edited after signing", _edited(signed, lambda v: v.update(name="other")), {}, None, "is not a signature of"),
        ("no manifest", _without(plain, MANIFEST_FILE), {}, None, "is not a bundle"),
        ("manifest with a flipped byte", _flipped(plain, MANIFEST_FILE), {}, None, "bundle.json"),
        ("missing file", _without(plain, weight), {}, None, "is missing from the bundle"),
        ("file that is not listed", {**plain, "models/extra.bin": b"x"}, {}, None, "not listed in bundle.json"),
        ("hidden file that is not listed", {**plain, "models/.DS_Store": b"x"}, {}, None, "not listed in bundle.json"),
        ("file of another size", {**plain, weight: b"short"}, {}, None, "bytes; bundle.json lists"),
        ("file with a flipped byte", _flipped(plain, weight), {}, None, "does not match its sha256"),
        ("link in the place of a file", _without(plain, weight), {weight: "../../../encoder.mlpackage/Manifest.json"}, None, "is a link"),
        ("link that is not listed", plain, {"models/link": "../report.html"}, None, "is a link"),
        ("path out of the bundle", _edited(small, lambda v: _entry(v, weight).update(path="../weight.bin")), {}, None, "unsafe path"),
        ("1 GiB and one byte", _edited(small, lambda v: _entry(v, weight).update(bytes=2**30 + 1)), {}, None, "the limits are"),
        ("part without a file", _edited(small, lambda v: v["parts"][0].update(file="models/no.bin")), {}, None, "does not list"),
        ("prompt without a part", _edited(small, lambda v: v["prompts"][0].update(part="editors/no")), {}, None, "has no part"),
        ("vector of a prompt with an own editor", _edited(plain, lambda v: v["prompts"][0].update(vector=vector)), {}, None, "has vector"),
        ("no vector for the text editor", upside, {}, None, "has vector"),
        ("golden case without a file", _edited(small, lambda v: v["golden"][0].update(input="golden/no.f32")), {}, None, "golden case"),
        ("vector too short", _sealed(manifest, {**plain, vector: bytes(12)}), {}, None, "takes 16"),
        ("vector that is not finite", _sealed(manifest, {**plain, vector: not_finite}), {}, None, "not finite"),
        ("unknown field", _edited(small, lambda v: v["prompts"][0].update(note="x")), {}, None, "schema at prompts/0"),
    ]
    return {"contents": _by_hash(*(files for _, files, *_ in cases)), "cases": [_bundle_case(*case) for case in cases]}


def _by_hash(*folders: Files) -> dict[str, str]:
    """What the files hold, by the start of the SHA-256 that stands for it in the cases: a text as it is, other bytes after "base64:"."""
    return {_hash(raw): _as_text(raw) for files in folders for raw in files.values()}


def _as_text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return "base64:" + _text(raw)
    return "base64:" + _text(raw) if "\0" in text else text


def _hash(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:12]


def _hashes(files: Files) -> dict[str, str]:
    return {path: _hash(raw) for path, raw in files.items()}


def _bundle_case(name: str, files: Files, links: dict[str, str], key: str | None, refused: str | None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        root = write_folder(Path(folder), files, links)
        _expect(name, refused, lambda: open_bundle(root, key).__enter__())
    return {"name": name, "files": _hashes(files), "links": links, "public_key": key, "refused": refused}


def _expect(name: str, refused: str | None, run: Callable[[], object]) -> None:
    try:
        run()
    except TexteditError as error:
        assert refused is not None and refused in str(error), (name, str(error))
        return
    assert refused is None, name


def updates() -> dict[str, Any]:
    """An installed bundle and an update of it: what is installed afterwards, or why it is refused and all stays as it was."""
    small, large = as_ios(sample()), as_ios(vector_sample())
    installed, newer = bundle_files(small), bundle_files(large)
    signed, signed_newer = bundle_files(small, OWNER), bundle_files(large, OWNER)
    fresh = {path: raw for path, raw in newer.items() if installed.get(path) != raw}
    signed_fresh = {path: raw for path, raw in signed_newer.items() if signed.get(path) != raw}
    vector = "vectors/sketch.f32"
    owner, stranger = public_key_base64(OWNER), public_key_base64(STRANGER)
    by_stranger = bundle_files(large, STRANGER)
    cases: list[tuple[str, Files, Files, str | None, str | None]] = [
        ("a prompt more, whole bundle", installed, newer, None, None),
        ("a prompt more, changed files alone", installed, fresh, None, None),
        ("a prompt less, manifest alone", newer, {MANIFEST_FILE: installed[MANIFEST_FILE]}, None, None),
        ("the same again", installed, installed, None, None),
        ("signed by the same key", signed, signed_fresh, None, None),
        ("signed by the key that the app knows", installed, signed_fresh, owner, None),
        ("signed by another than the installed bundle", signed, by_stranger, None, "signed by another key"),
        ("signed by another than the app knows", installed, by_stranger, owner, "signed by another key"),
        ("a change of signer that the app asks for", signed, by_stranger, stranger, None),
        ("not signed, though the installed bundle is", signed, newer, None, "is not signed"),
        ("flipped byte in a new file", installed, _flipped(fresh, vector), None, "does not match its sha256"),
        ("a new file left out", installed, _without(fresh, vector), None, "is missing from the bundle"),
        ("a file that is not listed", installed, {**fresh, "models/extra.bin": b"x"}, None, "not listed in bundle.json"),
        ("no manifest", installed, _without(fresh, MANIFEST_FILE), None, "is not a bundle"),
        ("damaged manifest", installed, _flipped(fresh, MANIFEST_FILE), None, "bundle.json"),
        ("another model", installed, bundle_files(replace(large, name="other")), None, "the update is for other"),
        ("another target", installed, bundle_files(replace(large, target="android")), None, "the update is for demo on android"),
    ]
    return {"contents": _by_hash(*(files for case in cases for files in case[1:3])), "cases": [_update_case(*c) for c in cases]}


def _update_case(name: str, installed: Files, update: Files, key: str | None, refused: str | None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        root, source = write_folder(Path(folder, "installed.textedit"), installed), write_folder(Path(folder, "update"), update)
        _expect(name, refused, lambda: apply_update(root, source, key))
        after = _files(root)
    assert refused is None or after == installed, name
    files = {"installed": _hashes(installed), "update": _hashes(update), "result": _hashes(after) if refused is None else None}
    return {"name": name, **files, "public_key": key, "refused": refused}
