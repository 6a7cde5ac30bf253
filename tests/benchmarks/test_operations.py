"""Times of kernels: a small network traced by ExecuTorch itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.operations import measure, record_kernels, traced_times
from benchmarks.request import OperationsRequest
from benchmarks.results import Recorder
from benchmarks.sessions import lower_for_executorch
from textedit_core.errors import UsageError, UserError


def recorder() -> Recorder:
    """An empty document."""
    return Recorder("operations", {"model": "m"}, {"rounds": 3}, ("executorch",))


def test_every_kernel_is_timed(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(4, 8, 3), nn.Conv2d(8, 8, 3)).eval()
    value = torch.randn(1, 4, 16, 16)
    lower_for_executorch(network, value, tmp_path / "x.pte")
    times = traced_times(tmp_path / "x.pte", value, OperationsRequest(tmp_path, "decoder", threads=1, rounds=3, warmup=1))
    assert all(len(values) == 3 for _, values in times)
    made = recorder()
    record_kernels(made, times, "fp32")
    document = made.finish()
    kernels = [entry["id"] for entry in document["measurements"] if entry["group"] == "kernels"]
    assert sum("Convolution" in name for name in kernels) == 2 and not any("DELEGATE_CALL" in name for name in kernels)
    assert len(document["figures"]) == len(kernels)


def test_shares_are_of_the_whole_run() -> None:
    made = recorder()
    record_kernels(made, [("same", [1.0, 1.0]), ("same", [3.0, 3.0]), ("Method::execute", [5.0, 5.0])], "int8")
    document = made.finish()
    assert [entry["id"] for entry in document["measurements"]] == ["whole", "1 same", "2 same"]
    assert [figure["samples"] for figure in document["figures"]] == [[0.2, 0.2], [0.6, 0.6]]


def test_a_build_without_tracer_is_named() -> None:
    with pytest.raises(UserError, match="records no events"):
        record_kernels(recorder(), [], "fp32")


def test_counts_below_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--warmup 0 is too small"):
        measure(OperationsRequest(tmp_path, "decoder", warmup=0))
