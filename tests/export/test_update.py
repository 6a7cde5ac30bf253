"""Updates as zips: what they leave out, what they make of an installed bundle. What is refused is in tests/contracts/updates.json."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from export.__main__ import main
from export.bundle_files import walk_files
from tests.contracts.trust import OWNER, STRANGER, as_ios, bundle_files, write_folder
from tests.export.test_manifest import sample, vector_sample


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A signed bundle with one prompt."""
    return write_folder(tmp_path / "old.textedit", bundle_files(as_ios(sample()), OWNER))


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """The same with a second prompt, a vector."""
    return write_folder(tmp_path / "new.textedit", bundle_files(as_ios(vector_sample()), OWNER))


def test_an_update_brings_only_what_changed(old: Path, new: Path, tmp_path: Path) -> None:
    archive = tmp_path / "update.zip"
    assert main(["pack", str(new), "--since", str(old), "--out", str(archive), "--json"]) == 0
    editor = "models/text_editor.mlpackage"
    changed = {"bundle.json", "bundle.json.sig", "vectors/sketch.f32", f"{editor}/Manifest.json", f"{editor}/Data/weights/weight.bin"}
    assert set(zipfile.ZipFile(archive).namelist()) == changed


def test_an_update_makes_the_newer_bundle(old: Path, new: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / "update.zip"
    assert main(["pack", str(new), "--since", str(old), "--out", str(archive), "--json"]) == 0
    capsys.readouterr()
    assert main(["update", str(old), str(archive), "--json"]) == 0
    (made,) = json.loads(capsys.readouterr().out)["bundles"]
    assert made["prompts"] == ["smile", "sketch"] and made["signed"]
    assert _contents(old) == _contents(new)


def test_an_update_by_a_stranger_changes_nothing(old: Path, new: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, pem = _contents(old), tmp_path / "stranger.pem"
    pem.write_bytes(STRANGER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert main(["update", str(old), str(new), "--public-key", str(pem)]) == 1
    assert "was signed by another key" in capsys.readouterr().err
    assert _contents(old) == before


def _contents(root: Path) -> dict[str, bytes]:
    return {path: (root / path).read_bytes() for path in walk_files(root)}


def test_bundles_of_different_models_have_no_update(old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_folder(tmp_path / "other.textedit", bundle_files(replace(as_ios(sample()), name="other"), OWNER))
    assert main(["pack", str(other), "--since", str(old), "--out", str(tmp_path / "update.zip")]) == 1
    assert "the update is for other on ios; installed is demo on ios" in capsys.readouterr().err
    assert not (tmp_path / "update.zip").exists()
