"""The renderer's benchmark: a few tiny images through the real renderer, and the pace that follows from its processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.render import _record, measure
from benchmarks.request import RenderRequest
from benchmarks.results import Recorder, validate
from textedit_core.errors import UsageError


def test_images_are_drawn_and_timed(asset_tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moderngl = pytest.importorskip("moderngl", reason="moderngl is missing")
    try:
        moderngl.create_standalone_context(backend="egl").release()
    except Exception as error:  # the driver decides what is raised
        pytest.skip(f"no EGL context: {error}")
    out = tmp_path / "render.json"
    arguments = ["render", "--assets", asset_tree, "--images", 3, "--workers", 1, "--resolution", 32, "--json", out]
    assert main([str(argument) for argument in arguments]) == 0
    document = json.loads(out.read_text())
    validate(document)
    assert document["settings"] == {"images": 3, "workers": 1, "resolution": 32, "assets": "tree"}
    assert document["machine"]["graphics"]
    assert "all processes together" in capsys.readouterr().out


def test_missing_assets_exit_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["render", "--assets", str(tmp_path), "--images", "2", "--workers", "1"]) == 1
    assert "has no makehuman/data" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "value"), [("images", 0), ("workers", 0), ("resolution", 4)])
def test_numbers_too_small_are_usage_errors(tmp_path: Path, name: str, value: int) -> None:
    with pytest.raises(UsageError, match=str(value)):
        measure(RenderRequest(tmp_path, **{name: value}))


def test_every_process_needs_an_image(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--images 2 is too small for 3 processes"):
        measure(RenderRequest(tmp_path, images=2, workers=3))


def test_the_pace_is_that_of_all_processes_together() -> None:
    recorder = Recorder("render", {"model": "face renderer"}, {}, ("numpy",))
    times = {"draw": [80.0, 90.0], "stylise": [], "encode": [10.0, 10.0]}
    parts = [
        {"started": 100.0, "ended": 101.0, "spent": 0.2, "ready": 2.0, "times": times},
        {"started": 100.5, "ended": 102.0, "spent": 0.2, "ready": 3.0, "times": times},
    ]
    _record(recorder, parts)
    document = recorder.finish()
    samples = {entry["id"]: entry["samples"] for entry in document["measurements"]}
    # Four images from 100 s to 102 s, 0.4 s of processor time.
    assert samples["all processes together"] == [2.0] and samples["processor time of an image"] == [100.0]
    assert samples["until a process is ready"] == [2.0, 3.0] and len(samples["draw"]) == 4
    assert [entry["id"] for entry in document["absent"]] == ["stylise"]
