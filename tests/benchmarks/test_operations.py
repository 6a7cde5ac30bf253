"""Times of kernels: a small network traced by ExecuTorch itself, and results that keep their schema."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.operations import _described, format_table, measure, traced_times
from benchmarks.request import OperationsRequest
from export.lowering import executorch_backend
from textedit_core.errors import UsageError, UserError


def test_every_kernel_is_timed(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(4, 8, 3), nn.Conv2d(8, 8, 3)).eval()
    value = torch.randn(1, 4, 16, 16)
    executorch_backend.lower(network, value, tmp_path / "x.pte", "part")
    times = traced_times(tmp_path / "x.pte", value, OperationsRequest(tmp_path, "decoder", threads=1, iterations=3, warmup=1))
    assert all(len(values) == 3 for _, values in times)
    described = _described(times)
    names = [row["kernel"] for row in described["kernels"]]
    assert sum("Convolution" in name for name in names) == 2 and "DELEGATE_CALL" not in names
    assert 0.0 < sum(row["share"] for row in described["kernels"]) < 1.5


def test_the_slowest_kernel_comes_first() -> None:
    described = _described([("small", [1.0, 1.0]), ("large", [3.0, 3.0]), ("Method::execute", [5.0, 5.0])])
    assert [row["share"] for row in described["kernels"]] == [0.2, 0.6]
    table = format_table(
        {
            **described,
            "part": "decoder",
            "bundle": "b",
            "precision": "int8",
            "note": "n",
            "host": {"processor": "p"},
            "settings": {"iterations": 2, "threads": 1},
        }
    )
    assert table.index("large") < table.index("small")


def test_a_build_without_tracer_is_named() -> None:
    with pytest.raises(UserError, match="records no events"):
        _described([])


def test_counts_below_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--warmup 0 is too small"):
        measure(OperationsRequest(tmp_path, "decoder", warmup=0))
