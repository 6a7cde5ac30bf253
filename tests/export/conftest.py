"""Fixtures for export: a tiny checkpoint whose networks are not trivial, and one bundle per target, built once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from export.pipeline import export_bundles
from export.plan import ExportRequest
from tests.export.networks import quiet, write_checkpoint
from textedit_core.checkpoints.store import Checkpoint

BuildBundle = Callable[[str], Path]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A random checkpoint that no test changes."""
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="session")
def bundles(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> BuildBundle:
    """Gives the path of a target's bundle with prompt `smile`; built when first asked for, and not to be changed."""
    folder, made = tmp_path_factory.mktemp("bundles"), {}

    def build(target: str) -> Path:
        if target not in made:
            request = ExportRequest(target, ("smile",), checkpoint.directory, out=folder, parity_faces=2, calibration_faces=2)
            ((made[target], _),) = export_bundles(request, quiet)
        return made[target]

    return build


@pytest.fixture
def onnx_bundle(bundles: BuildBundle, tmp_path: Path) -> Path:
    """A copy of the ONNX bundle, the quickest to build and run, that the test may damage."""
    return Path(shutil.copytree(bundles("onnx"), tmp_path / "copy.textedit"))
