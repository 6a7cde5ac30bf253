"""The latency benchmark: a tiny bundle through its real runtime, and results that keep their schema."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmarks.__main__ import main
from benchmarks.latency import SCHEMA_PATH, format_table, measure, paired_times
from benchmarks.request import LatencyRequest
from benchmarks.results import spread, validate
from export.pipeline import ExportRequest, export
from tests.export.networks import write_text_checkpoint
from textedit_core.checkpoints.store import Checkpoint, write_index
from textedit_core.errors import UsageError, UserError


@pytest.fixture(scope="module", params=["onnx", "android"])
def exported(
    request: pytest.FixtureRequest, tiny_checkpoint_factory: Callable[[Path], Checkpoint], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Checkpoint]:
    """A bundle of the tiny model in fp32, and the checkpoint that it was exported from."""
    folder = tmp_path_factory.mktemp(request.param)
    checkpoint = tiny_checkpoint_factory(folder / "checkpoint")
    order = ExportRequest(request.param, ("smile",), checkpoint.directory, "fp32", folder, parity_faces=1, calibration_faces=1)
    ((path, _),) = export(order, lambda target, stage, part: None)
    return path, checkpoint


def test_every_network_is_timed_in_its_runtime(
    exported: tuple[Path, Checkpoint], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, checkpoint = exported
    arguments = ["latency", "--bundle", bundle, "--checkpoint", checkpoint.directory, "--iterations", 2, "--warmup", 1]
    assert main([str(argument) for argument in [*arguments, "--json", tmp_path / "latency.json"]]) == 0
    results = json.loads((tmp_path / "latency.json").read_text())
    validate(results, SCHEMA_PATH)
    assert {part["part"] for part in results["parts"]} == {"encoder", "editors/smile", "decoder"}
    assert results["settings"] == {"threads": 1, "iterations": 2, "warmup": 1}
    printed = capsys.readouterr().out
    assert "not of a phone" in printed and "editors/smile" in printed


def test_the_text_conditioned_editor_is_timed_on_its_packed_input(tmp_path: Path) -> None:
    checkpoint = write_text_checkpoint(tmp_path / "checkpoint")
    order = ExportRequest("onnx", ("sketch", "drawn"), checkpoint.directory, "fp32", tmp_path, parity_faces=1, calibration_faces=1)
    ((bundle, _),) = export(order, lambda target, stage, part: None)
    results = measure(LatencyRequest(bundle, checkpoint.directory, iterations=1, warmup=1))
    assert [part["part"] for part in results["parts"]] == ["encoder", "text_editor", "decoder"]


def test_another_checkpoint_is_refused(exported: tuple[Path, Checkpoint], tiny_checkpoint: Checkpoint) -> None:
    (tiny_checkpoint.directory / "mapping.safetensors").unlink()
    other = write_index(tiny_checkpoint.directory, tiny_checkpoint.config, [], {})
    with pytest.raises(UserError, match=f"exported from {exported[1].checkpoint_id}, not from {other.checkpoint_id}"):
        measure(LatencyRequest(exported[0], other.directory))


def test_threads_of_this_process_are_left_as_they_were(exported: tuple[Path, Checkpoint]) -> None:
    before = torch.get_num_threads()
    measure(LatencyRequest(exported[0], exported[1].directory, threads=before + 1, iterations=1, warmup=1))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("name", ["threads", "iterations", "warmup"])
def test_counts_below_one_are_usage_errors(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"--{name} 0 is too small"):
        measure(LatencyRequest(tmp_path, **{name: 0}))


def test_missing_bundle_exits_with_1(tiny_checkpoint: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latency", "--bundle", str(tmp_path / "gone.textedit"), "--checkpoint", str(tiny_checkpoint.directory)]) == 1
    assert "gone.textedit" in capsys.readouterr().err


def test_pairs_are_warmed_up_and_alternate() -> None:
    calls: list[str] = []
    value = torch.zeros(1)
    times = paired_times(lambda _: calls.append("a"), lambda _: calls.append("b"), value, iterations=4, warmup=1)
    assert calls == ["a", "b", *"abbaabba"]
    assert [len(side) for side in times] == [4, 4]


def test_spread_is_interpolated() -> None:
    # The ranks of 0..10: tenth percentile 1, median 5, ninetieth 9.
    assert spread([float(value) for value in range(11)]) == {"median": 5.0, "p10": 1.0, "p90": 9.0}


def test_results_that_break_the_schema_are_named() -> None:
    times = {"median": 2.0, "p10": 1.0, "p90": 3.0}
    results = {
        "schema_version": 1,
        "note": "note",
        "bundle": {"name": "n", "target": "onnx", "checkpoint_id": "c"},
        "host": {"processor": "p", "cores": 2, "system": "s"},
        "versions": {"torch": "2"},
        "settings": {"threads": 1, "iterations": 1, "warmup": 1},
        "parts": [{"part": "encoder", "precision": "fp32", "runtime_ms": times, "eager_ms": dict(times), "ratio": dict(times)}],
    }
    validate(results, SCHEMA_PATH)
    assert "2.00 (1.00 to 3.00)" in format_table(results)
    broken = copy.deepcopy(results)
    broken["parts"][0]["ratio"]["median"] = -1.0
    with pytest.raises(UserError, match="parts/0/ratio/median"):
        validate(broken, SCHEMA_PATH)
    with pytest.raises(UserError, match="top level.*extra"):
        validate({**results, "extra": 1}, SCHEMA_PATH)
