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
ANDROID_APP = "textedit.demo"


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


@pytest.fixture
def adb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `adb` that notes its arguments in `calls` and runs the device's scripts here, with `device` for its storage.

    The device's `am` is a script too: it says what `said` holds and copies the files of `answer` to where the app leaves its own.
    """
    folder = tmp_path / "bin"
    files = folder / "device" / "Android" / "data" / ANDROID_APP / "files"
    for each in (files, folder / "am", folder / "answer"):
        each.mkdir(parents=True)
    (folder / "said").write_text("Status: ok\nComplete\n")
    (folder / "answer" / "benchmark.json").write_text(json.dumps(device_result("android")))
    here = shlex.quote(str(folder))
    scripts = {
        "am/am": f'echo "am $@" >> {here}/calls\ncat {here}/said\ncp {here}/answer/* {shlex.quote(str(files))}/',
        "adb": f"""here() {{ printf %s "$1" | sed "s|/sdcard/|"{here}"/device/|g"; }}
if [ "$1" = -s ]; then echo "device $2" >> {here}/calls; shift 2; fi
if [ "$1" = shell ]; then PATH={here}/am:$PATH exec sh -c "$(here "$2")"; fi
[ "$1" = pull ] && cp "$(here "$2")" "$3\"""",
    }
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def test_an_android_app_is_started_anew_and_its_result_pulled(adb: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "phone.json"
    older = adb / "device" / "Android" / "data" / ANDROID_APP / "files" / "benchmark-error.txt"
    older.write_text("of an earlier run")
    assert main(["device", "--android", str(out), "--device", "emulator-5554"]) == 0
    assert json.loads(out.read_text()) == device_result("android")
    # The median of 9.25 and 9.75.
    assert "9.50 ms" in capsys.readouterr().out
    calls = (adb / "calls").read_text().splitlines()
    assert f"am start -S -W -n {ANDROID_APP}/.BenchmarkActivity --ez run true" in calls
    assert calls.count("device emulator-5554") == 4, "every call names the device"


def test_an_android_app_that_is_missing_or_fails_says_why(adb: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (adb / "answer" / "benchmark.json").unlink()
    (adb / "answer" / "benchmark-error.txt").write_text("textedit.core.BundleException: report.html does not match its sha256\n")
    assert main(["device", "--android", str(tmp_path / "phone.json")]) == 1
    assert capsys.readouterr().err.endswith("failed with status 1: textedit.core.BundleException: report.html does not match its sha256\n")
    (adb / "said").write_text("Error type 3\nError: Activity class {textedit.demo/.BenchmarkActivity} does not exist.\n")
    assert main(["device", "--android", str(tmp_path / "phone.json")]) == 1
    reason = "Error: Activity class {textedit.demo/.BenchmarkActivity} does not exist."
    assert capsys.readouterr().err == f"error: `adb shell am start -S ...` failed with status 1: {reason}\n"
    assert not (tmp_path / "phone.json").exists()


def test_results_of_a_device_and_a_desktop_are_not_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    desktop = device_result("android")
    _desktop(desktop)
    for name, document in (("phone", device_result("android")), ("desktop", desktop)):
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    assert main(["report", str(tmp_path / "phone.json"), str(tmp_path / "desktop.json"), "--out", str(tmp_path / "report")]) == 2
    assert "different kinds of machines" in capsys.readouterr().err


def test_the_android_app_is_the_one_of_the_project(repository: Path) -> None:
    app = repository / "android_demo" / "app"
    build = (app / "build.gradle.kts").read_text("utf8")
    assert f'applicationId = "{ANDROID_APP}"' in build and f'namespace = "{ANDROID_APP}"' in build
    source = (app / "src/main/kotlin/textedit/demo/BenchmarkViewModel.kt").read_text("utf8")
    calls = " ".join(sum(COLLECTORS["android"].commands(None, Path("x")), []))
    agreed = {"run": "--ez run true", "benchmark.json": "files/benchmark.json", "benchmark-error.txt": "files/benchmark-error.txt"}
    for name, call in agreed.items():
        assert call in calls and f'"{name}"' in source
