"""The picture path of the phone apps on this machine: their cores, timed by their own programs, against the cores of an older checkout."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.request import AppsRequest
from benchmarks.results import Document, Recorder, require_counts
from textedit_core.errors import UsageError, UserError

_CONTRACTS = Path(__file__).resolve().parents[1] / "tests/contracts"
_TIMINGS = "textedit.core.PictureTimingsKt"
# What a save of 48 megapixels may take of the heap; a JVM that needs more ends with an error.
_SAVE_HEAP_MB = 200
_TIMEOUT_S = 600


def measure(request: AppsRequest) -> Document:
    """Runs the timing programs of the cores that are given, older and newer in turn.

    Raises:
        UsageError: neither core is given.
        UserError: a program is missing or fails.
    """
    require_counts(rounds=request.rounds, processes=request.processes)
    if request.android is None and request.ios is None:
        raise UsageError("give --android FOLDER, where android_demo/check has worked, or --ios PROGRAM, the built EditorTimings")
    settings = {"rounds": request.rounds, "processes": request.processes}
    recorder = Recorder("apps", {"model": "picture path of the apps"}, settings, [])
    if request.android is not None:
        _measure_kotlin(recorder, request, request.android)
    if request.ios is not None:
        _measure_swift(recorder, request, request.ios)
    return recorder.finish()


def _measure_kotlin(recorder: Recorder, request: AppsRequest, work: Path) -> None:
    before = [] if request.android_before is None else [request.android_before / "core.jar"]
    samples: dict[str, list[float]] = {}
    for _ in range(request.processes):
        for form, older in (("plain", before), ("tuned", []), ("composed", [])):
            times = _java(work, [form, str(request.rounds)], first=older)
            for name, values in times.items():
                samples.setdefault(f"kotlin_{name}_{form}", []).extend(values)
    for name, values in samples.items():
        recorder.measure(name, "kotlin", "ms", values, threads=1)
    _compare(recorder, "kotlin", "paste_1100", at_least=15.0)
    text = "kotlin: an edit drawn under a face of 1100 pixels, over pasting it"
    recorder.ratio("kotlin_compose_1100", text, "kotlin_compose_1100_composed", "kotlin_paste_1100_tuned")
    _record_drag(recorder, "kotlin", _java(work, ["drag"]))
    with tempfile.TemporaryDirectory() as folder:
        photo, saved = str(Path(folder, "photo.jpg")), str(Path(folder, "saved.jpg"))
        _java(work, ["photo", photo])
        _record_save(recorder, "kotlin", _java(work, ["save", photo, saved], heap_mb=_SAVE_HEAP_MB))


def _measure_swift(recorder: Recorder, request: AppsRequest, program: Path) -> None:
    result = _run([str(program), "--rounds", str(request.rounds), "--threads", "1"])
    for entry in result["measurements"]:
        recorder.measure(f"swift_{entry['id']}_{entry['form']}", "swift", entry["unit"], entry["samples"], threads=1)
    _compare(recorder, "swift", "paste_1100", at_least=8.0)
    for drag in result["drags"][:1]:
        _record_drag(recorder, "swift", drag)
    _record_save(recorder, "swift", result["save"])


def _compare(recorder: Recorder, core: str, name: str, at_least: float) -> None:
    plain, tuned = f"{core}_{name}_plain", f"{core}_{name}_tuned"
    recorder.ratio(f"{core}_{name}", f"{core}: a face of 1100 pixels pasted, plain over tuned", plain, tuned, at_least=at_least)


def _record_drag(recorder: Recorder, core: str, drag: dict[str, Any]) -> None:
    facts = {
        f"{core}_drag": ("pictures a second while a slider moves", "images/s", drag["pictures_per_second"], 20.0),
        f"{core}_drag_in_order": ("in order, the last one the last", "count", int(drag["in_order"] and drag["last_is_last"]), 1.0),
    }
    for name, (text, unit, value, goal) in facts.items():
        recorder.measure(name, f"{core} {text}", unit, [value])
        recorder.conclude(name, f"{core}: {text}", unit, [value], [name], at_least=goal)


def _record_save(recorder: Recorder, core: str, save: dict[str, Any]) -> None:
    name = f"{core}_save_memory"
    recorder.measure(name, f"{core} save", "bytes", [save["peak_bytes"]])
    recorder.measure(f"{core}_save", f"{core} save of 48 megapixels", "s", [save["seconds"]])
    recorder.conclude(name, f"{core}: memory of a save of 48 megapixels", "bytes", [save["peak_bytes"]], [name], at_most=200e6)


def _java(work: Path, arguments: list[str], first: list[Path] | None = None, heap_mb: int = 1500) -> dict[str, Any]:
    """Runs the Kotlin core's timing program; classes of `first` stand before its own."""
    libraries = work / "tools/node_modules/kotlin-compiler/lib"
    jars = [*(first or []), work / "core.jar", libraries / "kotlin-stdlib.jar", libraries / "kotlinx-coroutines-core-jvm.jar"]
    missing = next((jar for jar in jars if not jar.exists()), None)
    if missing is not None:
        raise UserError(f"{missing} is missing; run `android_demo/check FOLDER` and give that folder")
    path = ":".join(map(str, jars))
    return _run(["java", f"-Xmx{heap_mb}m", f"-Dtextedit.contracts={_CONTRACTS}", "-cp", path, _TIMINGS, *arguments])


def _run(command: list[str]) -> dict[str, Any]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except FileNotFoundError:
        raise UserError(f"{command[0]} is not there; install or build it") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{command[0]} did not end within {_TIMEOUT_S} s") from None
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise UserError(f"{command[0]} failed with status {done.returncode}: {lines[0] if lines else 'it said nothing'}")
    try:
        result: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise UserError(f"{command[0]} printed no JSON: {done.stdout[:80]!r}") from None
    return result
