"""Costs of exports: checkpoints with any number of prompts, rows by number, and what a further prompt adds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import exporting
from benchmarks.__main__ import main
from benchmarks.exported_models import random_model, with_prompts
from benchmarks.exporting import Exported, _conclude, _record, measure
from benchmarks.request import ExportSpeedRequest
from benchmarks.results import Document, Recorder, validate
from tests.export.networks import write_checkpoint
from textedit_core.checkpoints.store import Checkpoint, open_checkpoint
from textedit_core.errors import UsageError, UserError


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Two prompts, child and smile; no test changes it."""
    return write_checkpoint(tmp_path_factory.mktemp("small"))


def here(work: Callable[..., Any], *arguments: Any) -> Any:
    """Instead of a process of its own, which would have to import everything again."""
    return work(*arguments)


def test_an_export_is_measured_by_number_of_prompts(small: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "in_fresh_process", here)
    # StyleGAN2 exists at 32 px and not at 33.
    arguments = ["export", "--checkpoint", small.directory, "--target", "onnx", "--counts", "1,3", "--sizes", "33", "--parity-faces", 1]
    assert main([str(argument) for argument in [*arguments, "--json", tmp_path / "e.json"]]) == 0
    document = json.loads((tmp_path / "e.json").read_text())
    validate(document)
    entries = {entry["id"]: entry for entry in document["measurements"]}
    assert {entry["scale"]["value"] for entry in entries.values()} == {1, 3}
    assert entries["3 prompts: onnx"]["labels"] == {"precision": "fp16"}
    figures = {figure["id"]: figure for figure in document["figures"]}
    added = entries["3 prompts: onnx"]["samples"][0] - entries["1 prompts: onnx"]["samples"][0]
    assert figures["further prompt, onnx fp16"]["samples"] == [added / 2] and added > 0
    # fp16 needs no calibration: the same bytes, whatever the prompts.
    assert figures["stored once, onnx fp16"]["samples"] == [1.0] and figures["stored once, onnx fp16"]["met"]
    assert [entry["id"] for entry in document["absent"]][-1] == "stylegan2, 33 px"


def concluded(few: Exported, many: Exported) -> Document:
    """The document of an export with 12 and one with 64 prompts."""
    recorder = Recorder("export", {"model": "m"}, {}, ("torch",))
    for count, made in ((12, few), (64, many)):
        _record(recorder, made, f"{count} prompts", "prompts", count)
    _conclude(recorder, {12: few, 64: many})
    return recorder.finish()


def test_costs_follow_from_the_exports() -> None:
    few = Exported(100.0, 10**9, {"android": "int8"}, {"android": 10_000_000}, {"android": 9_000_000})
    once = Exported(152.0, 10**9, {"android": "int8"}, {"android": 15_200_000}, {"android": 9_000_000})
    figures = {figure["id"]: figure for figure in concluded(few, once)["figures"]}
    # 52 prompts more, 52 s and 5.2 MB more.
    assert figures["export time"]["samples"] == [100.0] and figures["export time"]["met"]
    assert figures["further prompt"]["samples"] == [1.0] and figures["further prompt"]["met"]
    assert figures["further prompt, android int8"]["samples"] == [100_000.0] and figures["further prompt, android int8"]["met"]
    assert figures["stored once, android int8"]["met"]
    each = Exported(300.0, 10**9, {"android": "int8"}, {"android": 490_000_000}, {"android": 48_000_000})
    figures = {figure["id"]: figure for figure in concluded(few, each)["figures"]}
    assert not any(figures[name]["met"] for name in ("further prompt", "further prompt, android int8", "stored once, android int8"))


def test_a_noisy_machine_gives_no_cost_of_a_prompt() -> None:
    few = Exported(100.0, 10**9, {"onnx": "fp16"}, {"onnx": 10}, {"onnx": 9})
    many = Exported(90.0, 10**9, {"onnx": "fp16"}, {"onnx": 20}, {"onnx": 9})
    assert [entry["id"] for entry in concluded(few, many)["absent"]] == ["further prompt"]


def test_a_checkpoint_has_as_many_prompts_as_asked_for(small: Checkpoint, tmp_path: Path) -> None:
    made = open_checkpoint(with_prompts(small, 5, tmp_path / "five"))
    assert list(made.prompts) == ["child", "smile", "child_1", "smile_1", "child_2"]
    # No two networks are the same, and none is far from the original: within six deviations of a hundredth of each weight.
    assert len({made.files[f"editors/{prompt}.safetensors"]["sha256"] for prompt in made.prompts}) == 5
    varied, original = made.load_editor("smile_1").state_dict(), made.load_editor("smile").state_dict()
    assert all(torch.allclose(varied[name], value, rtol=0.06, atol=1e-6) for name, value in original.items())
    made.load_editor("child_2")
    assert list(open_checkpoint(with_prompts(small, 1, tmp_path / "one")).prompts) == ["child"]
    assert list(small.prompts) == ["child", "smile"]


def test_a_model_of_another_side_can_be_opened(small: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from textedit_core import config

    # StyleGAN2's widths are those of 1024 px whatever the side; nothing here depends on them.
    monkeypatch.setattr(config, "stylegan2", lambda side: config.tiny())
    made = open_checkpoint(random_model(32, small.directory, tmp_path / "random"))
    made.load_decoder()
    made.load_editor("random")
    assert len(made.faces("heldout")) == len(small.faces("heldout"))


def test_a_failed_export_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the export failed: .* is no checkpoint"):
        exporting.run_export(["--target", "onnx", "--checkpoint", str(tmp_path), "--out", str(tmp_path / "out")])


@pytest.mark.parametrize("counts", [(), (0,), (3, 1), (1, 1)])
def test_counts_rise(counts: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="--counts .* rising"):
        measure(ExportSpeedRequest(counts=counts))
