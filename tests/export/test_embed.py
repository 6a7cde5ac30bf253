"""A bundle put into an app project: where the app looks for it, whole or not at all."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from export.__main__ import main
from export.bundle import open_bundle
from export.bundle_files import walk_files
from export.embed import PROJECTS, embed
from export.signing import public_key_base64
from tests.contracts.trust import OWNER, as_ios, bundle_files, write_folder
from tests.export.test_manifest import sample
from textedit_core.checkpoints.store import Checkpoint
from textedit_core.errors import UsageError, UserError


@pytest.fixture(params=PROJECTS)
def target(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def project(target: str, tmp_path: Path) -> Path:
    """A folder that has what tells such a project."""
    return write_folder(tmp_path / "app", {str(PROJECTS[target].marker): b""})


@pytest.fixture
def made(target: str, tmp_path: Path) -> Path:
    """A signed bundle for the target."""
    manifest = dataclasses.replace(as_ios(sample()), target=target)
    return write_folder(tmp_path / "demo.textedit", bundle_files(manifest, OWNER))


def test_the_copy_is_the_bundle(made: Path, project: Path, target: str) -> None:
    place = embed(made, project)
    assert place == project / PROJECTS[target].place
    assert {path: (place / path).read_bytes() for path in walk_files(place)} == {p: (made / p).read_bytes() for p in walk_files(made)}
    with open_bundle(place, public_key_base64(OWNER)):
        pass


def test_a_newer_bundle_takes_the_place_of_the_older(made: Path, project: Path, target: str) -> None:
    place = embed(made, project)
    newer = write_folder(made.parent / "new.textedit", bundle_files(dataclasses.replace(as_ios(sample()), target=target)))
    embed(newer, project)
    assert set(walk_files(place)) == set(walk_files(newer))
    assert [path.name for path in place.parent.iterdir()] == [place.name], "nothing is left beside it"


def test_a_damaged_bundle_leaves_what_was_embedded(made: Path, project: Path) -> None:
    place = embed(made, project)
    (made / "report.html").write_bytes(b"<p>REPORT\n")
    with pytest.raises(UserError, match=r"report\.html does not match"):
        embed(made, project)
    with open_bundle(place):
        pass


def test_a_folder_that_is_no_project(made: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a project for"):
        embed(made, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.textedit"]


def test_the_projects_of_this_repository_are_known(repository: Path, target: str) -> None:
    folder = repository / f"{target}_demo"
    assert (folder / PROJECTS[target].marker).is_file()
    assert (folder / PROJECTS[target].place.parent).is_dir()


@pytest.mark.parametrize("target", ["onnx", "all"])
def test_targets_without_a_project(target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--target", target, "--embed", str(tmp_path), "--dry-run"]) == 2
    assert "--embed takes one target that has a project" in capsys.readouterr().err


def test_the_command_exports_and_embeds(checkpoint: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = write_folder(tmp_path / "app", {str(PROJECTS["ios"].marker): b""})
    flags = ["--target", "ios", "--prompts", "smile", "--parity-faces", "2", "--json"]
    given = ["--checkpoint", str(checkpoint.directory), "--out", str(tmp_path / "out"), "--embed", str(project)]
    assert main([*flags, *given]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["embedded"] == str(project / PROJECTS["ios"].place)
    with open_bundle(summary["embedded"]) as opened:
        assert opened.manifest.target == "ios"
