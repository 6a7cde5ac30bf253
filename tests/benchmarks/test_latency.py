"""The latency benchmark: a tiny bundle through its real runtime."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.__main__ import main
from benchmarks.latency import measure
from benchmarks.request import LatencyRequest
from benchmarks.results import validate
from export.pipeline import export_bundles
from export.plan import ExportRequest
from tests.export.networks import write_text_checkpoint
from textedit_core.checkpoints.store import Checkpoint, write_index
from textedit_core.errors import UsageError, UserError


def test_every_network_is_timed_in_its_runtime(
    exported: tuple[Path, Checkpoint], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, checkpoint = exported
    arguments = ["latency", "--bundle", bundle, "--checkpoint", checkpoint.directory, "--rounds", 2, "--warmup", 1]
    assert main([str(argument) for argument in [*arguments, "--json", tmp_path / "latency.json"]]) == 0
    document = json.loads((tmp_path / "latency.json").read_text())
    validate(document)
    timed = {(entry["labels"]["part"], entry["labels"]["precision"]): len(entry["samples"]) for entry in document["measurements"]}
    assert timed == {(part, "fp32"): 2 for part in ("encoder", "editors/smile", "decoder")}
    assert [figure["id"] for figure in document["figures"]] == ["encoder", "editors/smile", "decoder"]
    assert document["settings"] == {"threads": 1, "rounds": 2, "warmup": 1}
    assert document["subject"]["checkpoint_id"] == checkpoint.checkpoint_id
    printed = capsys.readouterr().out
    assert "not of a phone" in printed and "editors/smile, PyTorch" in printed


def test_the_text_conditioned_editor_is_timed_on_its_packed_input(tmp_path: Path) -> None:
    checkpoint = write_text_checkpoint(tmp_path / "checkpoint")
    order = ExportRequest("onnx", ("sketch", "drawn"), checkpoint.directory, "fp32", tmp_path, parity_faces=1, calibration_faces=1)
    ((bundle, _),) = export_bundles(order, lambda target, stage, part: None)
    document = measure(LatencyRequest(bundle, checkpoint.directory, rounds=1, warmup=1))
    assert [figure["id"] for figure in document["figures"]] == ["encoder", "text_editor", "decoder"]


def test_another_checkpoint_is_refused(exported: tuple[Path, Checkpoint], tiny_checkpoint: Checkpoint) -> None:
    (tiny_checkpoint.directory / "mapping.safetensors").unlink()
    other = write_index(tiny_checkpoint.directory, tiny_checkpoint.config, [], {})
    with pytest.raises(UserError, match=f"exported from {exported[1].checkpoint_id}, not from {other.checkpoint_id}"):
        measure(LatencyRequest(exported[0], other.directory))


def test_threads_of_this_process_are_left_as_they_were(exported: tuple[Path, Checkpoint]) -> None:
    before = torch.get_num_threads()
    measure(LatencyRequest(exported[0], exported[1].directory, threads=before + 1, rounds=1, warmup=1))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("name", ["threads", "rounds", "warmup"])
def test_counts_below_one_are_usage_errors(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"--{name} 0 is too small"):
        measure(LatencyRequest(tmp_path, **{name: 0}))


def test_missing_bundle_exits_with_1(tiny_checkpoint: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latency", "--bundle", str(tmp_path / "gone.textedit"), "--checkpoint", str(tiny_checkpoint.directory)]) == 1
    assert "gone.textedit" in capsys.readouterr().err
