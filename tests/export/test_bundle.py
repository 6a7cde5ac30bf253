"""Bundles on disk: what a reader refuses before any runtime runs, signatures, zips, and writing that is all or nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from export import bundle_files
from export.bundle import open_bundle, seal, staged
from export.bundle_files import walk_files
from export.bundle_zip import write_zip
from export.manifest import SIGNATURE_FILE
from export.signing import load_private_key, load_public_key
from tests.contracts.trust import write_manifest
from tests.export.test_manifest import sample
from textedit_core.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sealed bundle whose networks are ten bytes each: enough for every check that runs nothing."""
    root = tmp_path / "demo.textedit"
    for path in ("models/encoder.onnx", "models/editors/smile.onnx", "models/decoder.onnx", "golden/input.png", "golden/w_plus.f32"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(bytes(10))
    seal(root, sample())
    return root


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """A private and a public key as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = tmp_path / "key.pem", tmp_path / "public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def refused(path: Path, message: str, public_key: str | None = None) -> None:
    """Asserts that opening fails with one line that matches."""
    with pytest.raises(UserError, match=message) as caught, open_bundle(path, public_key):
        pass
    assert "\n" not in str(caught.value)


def test_opens_what_was_sealed(folder: Path) -> None:
    with open_bundle(folder) as opened:
        assert opened.manifest.name == "demo"
        assert {entry.path for entry in opened.manifest.files} == set(walk_files(folder)) - {"bundle.json"}


def test_a_flipped_byte_in_any_file_is_named(folder: Path, keys: tuple[Path, Path]) -> None:
    seal(folder, sample(), load_private_key(keys[0]))
    for path in walk_files(folder):
        whole = (folder / path).read_bytes()
        for position in (0, len(whole) // 2, len(whole) - 1):
            (folder / path).write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
            refused(folder, re.escape(path))
        (folder / path).write_bytes(whole)
    with open_bundle(folder):
        pass


def test_missing_unlisted_truncated_and_linked_files_are_named(folder: Path) -> None:
    model = folder / "models/decoder.onnx"
    model.unlink()
    refused(folder, r"models/decoder\.onnx is missing")
    model.write_bytes(bytes(9))
    refused(folder, r"models/decoder\.onnx has 9 bytes; bundle\.json lists 10")
    model.unlink()
    model.symlink_to(folder / "models/encoder.onnx")
    refused(folder, r"models/decoder\.onnx is a link")
    model.unlink()
    model.write_bytes(bytes(10))
    (folder / "models/extra.onnx").write_bytes(b"x")
    refused(folder, r"models/extra\.onnx is in the bundle but not listed")


def test_a_linked_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder / "golden", tmp_path / "elsewhere")
    (folder / "golden").symlink_to(tmp_path / "elsewhere")
    refused(folder, "golden is a link")


def test_no_bundle(tmp_path: Path) -> None:
    refused(tmp_path / "nothing", "does not exist")
    refused(tmp_path, r"bundle\.json is missing")


def test_size_bombs_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_files, "MAX_TOTAL_BYTES", 40)
    refused(folder, "the limits are")


def test_signature(folder: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    public = load_public_key(keys[1])
    refused(folder, "not signed", public)
    seal(folder, sample(), load_private_key(keys[0]))
    first = (folder / SIGNATURE_FILE).read_bytes()
    with open_bundle(folder, public):
        pass
    seal(folder, sample(), load_private_key(keys[0]))
    assert (folder / SIGNATURE_FILE).read_bytes() == first, "RFC 6979 signatures depend on key and message alone"
    other = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "other.pem").write_bytes(other)
    refused(folder, "signed by another key", load_public_key(tmp_path / "other.pem"))
    (folder / SIGNATURE_FILE).unlink()
    refused(folder, r"bundle\.json\.sig is missing")


def test_resealing_by_a_stranger_breaks_the_signature(folder: Path, keys: tuple[Path, Path]) -> None:
    seal(folder, sample(), load_private_key(keys[0]))
    raw, signature = (folder / "bundle.json").read_bytes(), (folder / SIGNATURE_FILE).read_bytes()
    (folder / "models/encoder.onnx").write_bytes(b"0123456789")
    stranger = ec.generate_private_key(ec.SECP256R1())
    seal(folder, sample(), stranger)
    refused(folder, "another key", load_public_key(keys[1]))
    (folder / SIGNATURE_FILE).write_bytes(signature)
    refused(folder, r"bundle\.json\.sig is not a signature")
    (folder / "bundle.json").write_bytes(raw)
    refused(folder, r"models/encoder\.onnx")


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_bad_keys_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.pem").write_bytes(content)
    for load in (load_private_key, load_public_key):
        with pytest.raises(UserError, match=r"bad\.pem"):
            load(tmp_path / "bad.pem")


def test_zip_round_trip_is_deterministic(folder: Path, tmp_path: Path) -> None:
    write_zip(folder, tmp_path / "a.zip")
    os.utime(folder / "bundle.json", (1, 1))
    write_zip(folder, tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with open_bundle(tmp_path / "a.zip") as opened:
        assert opened.manifest.name == "demo"


def hostile_zip(path: Path, name: str, mode: int = stat.S_IFREG | 0o644, method: int = zipfile.ZIP_STORED) -> Path:
    """A zip with one member of ten bytes."""
    info = zipfile.ZipInfo(name)
    info.external_attr, info.compress_type = mode << 16, method
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, bytes(10))
    return path


def test_hostile_zips_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zipped = tmp_path / "z.zip"
    for name in ("../evil", "/evil", "a/../../evil"):
        refused(hostile_zip(zipped, name), "unsafe path")
    refused(hostile_zip(zipped, "link", stat.S_IFLNK | 0o777), "link is a link")
    refused(hostile_zip(zipped, "a", method=zipfile.ZIP_DEFLATED), "a is compressed")
    zipped.write_bytes(b"PK but no zip")
    refused(zipped, "not a readable bundle zip")
    monkeypatch.setattr(bundle_files, "MAX_TOTAL_BYTES", 5)
    refused(hostile_zip(zipped, "a"), "the limits are")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["z.zip"]


def test_overlapping_members_are_refused(folder: Path, tmp_path: Path) -> None:
    # Ten directory records share one member's thousand bytes.
    zipped = tmp_path / "z.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("a", bytes(1000))
        for number in range(9):
            clone = zipfile.ZipInfo(f"b{number}")
            clone.file_size = clone.compress_size = 1000
            clone.header_offset = clone.CRC = 0
            archive.filelist.append(clone)
    refused(zipped, "more than the archive itself")


def test_staging_leaves_nothing_behind(tmp_path: Path) -> None:
    final = tmp_path / "out" / "x.textedit"
    with pytest.raises(RuntimeError), staged(final) as root:
        (root / "half").write_bytes(b"x")
        raise RuntimeError
    assert list((tmp_path / "out").iterdir()) == []
    full = OSError(28, "No space left on device")
    with pytest.raises(UserError, match=r"x\.textedit.*No space left on device"), staged(final):
        raise full
    assert list((tmp_path / "out").iterdir()) == []


def test_staging_replaces_bundles_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    with staged(folder) as root:
        (root / "bundle.json").write_text("new")
    assert walk_files(folder) == {"bundle.json": 3}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.textedit"]
    (tmp_path / "precious").mkdir()
    with pytest.raises(UserError, match="exists and is not a bundle"), staged(tmp_path / "precious"):
        pass


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write .*file"), staged(tmp_path / "file" / "x.textedit"):
        pass


def test_references_to_unlisted_parts_are_refused(folder: Path) -> None:
    (folder / "golden/w_plus.f32").unlink()
    (folder / "bundle.json").unlink()
    write_manifest(folder, sample())
    refused(folder, "golden case for 'encoder'")
    assert json.loads((folder / "bundle.json").read_text())["golden"]
