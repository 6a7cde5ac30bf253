"""Bundles of the tiny model that several benchmarks run, and a roofline that is lowered in no time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.roofline import Layer
from export.pipeline import export_bundles
from export.plan import ExportRequest
from textedit_core.checkpoints.store import Checkpoint


@pytest.fixture(scope="session", params=["onnx", "android"])
def exported(
    request: pytest.FixtureRequest, tiny_checkpoint_factory: Callable[[Path], Checkpoint], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Checkpoint]:
    """A bundle of the tiny model in fp32, and the checkpoint that it was exported from."""
    folder = tmp_path_factory.mktemp(request.param)
    checkpoint = tiny_checkpoint_factory(folder / "checkpoint")
    order = ExportRequest(request.param, ("smile",), checkpoint.directory, "fp32", folder, parity_faces=1, calibration_faces=1)
    ((path, _),) = export_bundles(order, lambda target, stage, part: None)
    return path, checkpoint


@pytest.fixture(scope="session")
def small_layers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Layer]:
    """A roofline of one tiny convolution; it is lowered in fp32 and stands for int8 too."""
    from benchmarks.edit import trivial_program
    from benchmarks.roofline import PRECISIONS

    path, spec = trivial_program("android", tmp_path_factory.mktemp("layers"))
    return {f"roofline, convolution {precision}": Layer(path, spec, 1e-6, precision) for precision in PRECISIONS}
