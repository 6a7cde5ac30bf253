"""The apps' timing programs, with a program in their place that answers what they answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.apps import measure
from benchmarks.request import AppsRequest
from textedit_core.errors import UsageError, UserError

# One answer for every subcommand; its times are 30, 1 and 2 ms.
JAVA = """#!{python}
import json, sys
kind = next(each for each in ("plain", "tuned", "composed", "drag", "photo", "save") if each in sys.argv)
open({log!r}, "a").write(kind + " " + sys.argv[sys.argv.index("-cp") + 1] + "\\n")
times = {{"plain": 30.0, "tuned": 1.0}}
answers = {{
    "composed": {{"compose_1100": [2.0, 2.0]}},
    "drag": {{"pictures_per_second": 25.0, "in_order": True, "last_is_last": True}},
    "photo": {{}},
    "save": {{"seconds": 1.0, "peak_bytes": 300000000}},
}}
print(json.dumps(answers.get(kind) or {{"paste_1100": [times.get(kind, 0)] * 2}}))
"""


def folder(path: Path) -> Path:
    libraries = path / "tools/node_modules/kotlin-compiler/lib"
    libraries.mkdir(parents=True)
    for jar in (path / "core.jar", libraries / "kotlin-stdlib.jar", libraries / "kotlinx-coroutines-core-jvm.jar"):
        jar.touch()
    return path


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs, log = tmp_path / "bin", tmp_path / "calls"
    programs.mkdir()
    (programs / "java").write_text(JAVA.format(python=sys.executable, log=str(log)))
    (programs / "java").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}")
    return log


def figures(document: dict[str, Any]) -> dict[str, bool | None]:
    return {entry["id"]: entry.get("met") for entry in document["figures"]}


def test_the_kotlin_core_is_compared_with_an_older_one_in_turn(tmp_path: Path, calls: Path) -> None:
    new, old = folder(tmp_path / "new"), folder(tmp_path / "old")
    document = measure(AppsRequest(android=new, android_before=old, rounds=2, processes=2))
    ran = [line.split(" ") for line in calls.read_text().splitlines()]
    assert [kind for kind, _ in ran] == ["plain", "tuned", "composed"] * 2 + ["drag", "photo", "save"]
    assert all(path.startswith(str((old if kind == "plain" else new) / "core.jar")) for kind, path in ran)
    met = figures(document)
    drawn = met.pop("kotlin_compose_1100")
    assert drawn is None, "no goal was set for it"
    assert met == {"kotlin_paste_1100": True, "kotlin_drag": True, "kotlin_drag_in_order": True, "kotlin_save_memory": False}
    (ratio,) = (entry for entry in document["figures"] if entry["id"] == "kotlin_paste_1100")
    assert ratio["samples"] == [30.0] * 4


def test_the_swift_core_answers_in_one_document(tmp_path: Path) -> None:
    answer = {
        "measurements": [
            {"id": "paste_1100", "form": form, "unit": "ms", "samples": [time]} for form, time in (("plain", 16.0), ("tuned", 4.0))
        ],
        "drags": [{"pictures_per_second": 30.0, "in_order": True, "last_is_last": False}],
        "save": {"seconds": 2.0, "peak_bytes": 150_000_000},
    }
    program = tmp_path / "EditorTimings"
    program.write_text(f"#!{sys.executable}\nprint({json.dumps(json.dumps(answer))})\n")
    program.chmod(0o755)
    met = figures(measure(AppsRequest(ios=program, rounds=1)))
    assert met == {"swift_paste_1100": False, "swift_drag": True, "swift_drag_in_order": False, "swift_save_memory": True}


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--android FOLDER"):
        measure(AppsRequest())
    with pytest.raises(UserError, match="core.jar is missing; run `android_demo/check"):
        measure(AppsRequest(android=tmp_path))
    with pytest.raises(UserError, match="not there"):
        measure(AppsRequest(ios=tmp_path / "none"))
    failing = tmp_path / "fails"
    failing.write_text("#!/bin/sh\necho 'error: forms differ' >&2\nexit 1\n")
    failing.chmod(0o755)
    with pytest.raises(UserError, match="status 1: error: forms differ"):
        measure(AppsRequest(ios=failing))
