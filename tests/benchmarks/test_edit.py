"""A full edit of a tiny bundle beside a tiny peer: parts, whole, slider, memory, and goals from given samples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.__main__ import main
from benchmarks.edit import measure
from benchmarks.edit_path import EditPath, bundle_files
from benchmarks.request import EditRequest
from benchmarks.results import validate
from export.bundle import open_bundle
from export.pipeline import export_bundles
from export.plan import ExportRequest
from tests.export.networks import write_text_checkpoint
from textedit_core.checkpoints.store import Checkpoint
from textedit_core.errors import UsageError, UserError

PARTS = {"encode", "edit", "decode", "slider", "full"}


def test_both_paths_are_timed_and_weighed(exported: tuple[Path, Checkpoint], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["edit", "--bundle", exported[0], "--peer", "tiny", "--threads", 1, "--rounds", 2, "--warmup", 1, "--processes", 1]
    assert main([str(argument) for argument in [*arguments, "--json", tmp_path / "edit.json"]]) == 0
    document = json.loads((tmp_path / "edit.json").read_text())
    validate(document)
    samples = {entry["id"]: entry["samples"] for entry in document["measurements"]}
    timed = {entry["id"] for entry in document["measurements"] if entry["unit"] == "ms"}
    assert timed == PARTS | {f"tiny int8: {part}" for part in PARTS} and all(len(samples[name]) == 2 for name in timed)
    figures = {figure["id"]: figure for figure in document["figures"]}
    assert figures["peer over full"]["samples"] == [a / b for a, b in zip(samples["tiny int8: full"], samples["full"], strict=True)]
    shares = [figures[f"share of {part}"]["samples"] for part in ("encode", "edit", "decode")]
    assert [sum(of_round) for of_round in zip(*shares, strict=True)] == pytest.approx([1.0, 1.0])
    assert figures["slider over decode"]["goal"] == {"at_most": 1.05} and figures["peer over full"]["goal"] == {"at_least": 5.0}
    assert figures["peak memory"]["samples"] == samples["memory"] and figures["peak memory"]["goal"] == {"at_most": 150e6}
    # A runtime with PyTorch beside it takes hundreds of megabytes; tiny networks a few, and never less than once loaded.
    assert 0 <= samples["memory once loaded"][0] <= samples["memory"][0] < samples["memory of the runtime"][0]
    assert document["settings"]["prompt"] == "smile"
    assert "goal at least 5.00 times" in capsys.readouterr().out


def test_an_edit_is_what_the_parts_make_together(exported: tuple[Path, Checkpoint]) -> None:
    with open_bundle(exported[0]) as bundle:
        path = EditPath(bundle_files(bundle, "smile"), 1)
        image = torch.rand(1, 3, 32, 32)
        w_plus = path.encode(image)
        expected = path.decode(w_plus + path.delta(w_plus))
        torch.testing.assert_close(path.full(image), expected)


def test_a_prompt_that_is_a_vector_is_edited_with_its_text(tmp_path: Path) -> None:
    checkpoint = write_text_checkpoint(tmp_path / "checkpoint")
    order = ExportRequest("onnx", ("sketch", "drawn"), checkpoint.directory, "fp32", tmp_path, parity_faces=1, calibration_faces=1)
    ((exported, _),) = export_bundles(order, lambda target, stage, part: None)
    with open_bundle(exported) as bundle:
        sketch, drawn = (EditPath(bundle_files(bundle, prompt), 1) for prompt in ("sketch", "drawn"))
        w_plus = torch.randn(1, 6, 16)
        assert sketch.delta(w_plus).shape == w_plus.shape
        assert not torch.allclose(sketch.delta(w_plus), drawn.delta(w_plus))


def test_memory_that_cannot_be_counted_is_absent(exported: tuple[Path, Checkpoint], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise UserError("no counters here")

    monkeypatch.setattr("benchmarks.edit.require_counters", refuse)
    document = measure(EditRequest(exported[0], peer="tiny", threads=1, rounds=1, warmup=1, processes=1))
    assert document["absent"] == [{"id": "memory", "reason": "no counters here"}]
    assert "bytes" not in {entry["unit"] for entry in document["measurements"]}


def test_unknown_prompts_and_counts_below_one_are_usage_errors(exported: tuple[Path, Checkpoint]) -> None:
    with pytest.raises(UsageError, match="unknown prompt 'smlie'"):
        measure(EditRequest(exported[0], "smlie"))
    with pytest.raises(UsageError, match="--processes 0 is too small"):
        measure(EditRequest(exported[0], processes=0))
