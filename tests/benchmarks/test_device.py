"""Results taken off a phone: the platform's tool is called as it should be, and what it brings is checked before it is stored."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.device import COLLECTORS
from benchmarks.results import Document
from tests.contracts.measures import device_result

APP = "org.textedit.GalleryDemo"


@pytest.fixture
def xcrun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `xcrun` that notes its arguments in `calls`, copies `result.json` to what --destination names, and ends with `status`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "xcrun"
    script.write_text(
        f"""#!/bin/sh
cd {shlex.quote(str(folder))}
echo "$@" >> calls
case "$*" in *launch*) cat said >&2; exit "$(cat status)";; esac
while [ "$1" != --destination ]; do shift; done
cp result.json "$2"
"""
    )
    script.chmod(0o755)
    (folder / "status").write_text("0")
    (folder / "said").write_text("")
    (folder / "result.json").write_text(json.dumps(device_result("ios")))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def test_the_result_is_measured_fetched_and_stored(xcrun: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "iphone.json"
    assert main(["device", "--ios", str(out), "--device", "phone"]) == 0
    assert json.loads(out.read_text()) == device_result("ios")
    assert "31.457 MB" in capsys.readouterr().out
    launch, copy = (xcrun / "calls").read_text().splitlines()
    assert launch == f"devicectl device process launch --device phone --terminate-existing --console {APP} --benchmark"
    head = f"devicectl device copy from --device phone --domain-type appDataContainer --domain-identifier {APP}"
    assert copy.startswith(f"{head} --source Documents/benchmark.json --destination /")


def test_an_app_that_fails_says_why(xcrun: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (xcrun / "status").write_text("1")
    (xcrun / "said").write_text("Launched application.\nerror: no model\n")
    assert main(["device", "--ios", str(tmp_path / "iphone.json"), "--device", "phone"]) == 1
    assert capsys.readouterr().err == "error: `xcrun devicectl device process launch ...` failed with status 1: error: no model\n"
    assert not (tmp_path / "iphone.json").exists()


def _desktop(document: Document) -> None:
    document["machine"]["kind"] = "desktop"


def _without_samples(document: Document) -> None:
    document["measurements"][0]["samples"] = []


@pytest.mark.parametrize(("damage", "message"), [(_desktop, "not of device on ios"), (_without_samples, "breaks result.schema.json")])
def test_other_documents_are_not_stored(
    damage: object, message: str, xcrun: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = device_result("ios")
    damage(document)  # type: ignore[operator]
    (xcrun / "result.json").write_text(json.dumps(document))
    assert main(["device", "--ios", str(tmp_path / "iphone.json"), "--device", "phone"]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "iphone.json").exists()


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["device", "--ios", str(tmp_path / "iphone.json")]) == 2
    assert "`xcrun devicectl list devices` lists the names" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["device", "--ios", str(tmp_path / "iphone.json"), "--device", "phone"]) == 1
    assert capsys.readouterr().err == "error: xcrun is not installed; it comes with Xcode 16 on a Mac\n"


def test_the_ios_app_is_the_one_of_the_project(repository: Path) -> None:
    project = repository / "ios_demo" / "GalleryDemo" / "GalleryDemo.xcodeproj" / "project.pbxproj"
    assert f"PRODUCT_BUNDLE_IDENTIFIER = {APP};" in project.read_text()
    assert APP in " ".join(sum(COLLECTORS["ios"].commands("phone", Path("x")), []))
