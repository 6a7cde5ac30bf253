"""The renderer's benchmark: a few tiny images through the real renderer, and results that keep their schema."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.render import SCHEMA_PATH, format_table, measure
from benchmarks.request import RenderRequest
from benchmarks.results import validate
from textedit_core.errors import UsageError, UserError

SPREAD = {"median": 2.0, "p10": 1.0, "p90": 3.0}
RESULTS = {
    "schema_version": 1,
    "host": {"processor": "p", "cores": 2, "system": "s", "graphics": "llvmpipe"},
    "versions": {"moderngl": "5"},
    "settings": {"images": 4, "workers": 2, "resolution": 32, "assets": "tree"},
    "images_per_second": 12.34,
    "processor_ms_per_image": 80.0,
    "ready_seconds": 2.0,
    "stages_ms": {"draw": SPREAD, "encode": dict(SPREAD)},
}


def test_images_are_drawn_and_timed(asset_tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moderngl = pytest.importorskip("moderngl", reason="moderngl is missing")
    try:
        moderngl.create_standalone_context(backend="egl").release()
    except Exception as error:  # the driver decides what is raised
        pytest.skip(f"no EGL context: {error}")
    out = tmp_path / "render.json"
    arguments = ["render", "--assets", asset_tree, "--images", 3, "--workers", 1, "--resolution", 32, "--json", out]
    assert main([str(argument) for argument in arguments]) == 0
    results = json.loads(out.read_text())
    validate(results, SCHEMA_PATH)
    assert results["settings"] == {"images": 3, "workers": 1, "resolution": 32, "assets": "tree"}
    assert "images/s at 32 px with 1 process(es)" in capsys.readouterr().out


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


def test_results_that_break_the_schema_are_named() -> None:
    validate(RESULTS, SCHEMA_PATH)
    assert "12.3 images/s" in format_table(RESULTS) and "2.0 (1.0 to 3.0)" in format_table(RESULTS)
    broken = copy.deepcopy(RESULTS)
    broken["stages_ms"]["draw"]["p10"] = 0  # type: ignore[index]
    with pytest.raises(UserError, match="stages_ms/draw/p10"):
        validate(broken, SCHEMA_PATH)
