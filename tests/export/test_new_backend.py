"""A runtime that the project has never heard of becomes a target by one object, passed from outside: nothing is patched or registered."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, fx

from export.amend import add_prompt, remove_prompt
from export.backends import BACKENDS, backend_of
from export.backends.backend import Backend, Job, Precision, Runner
from export.backends.lowered import Lowered, count
from export.bundle import open_bundle
from export.graphs import GraphSpec, trace
from export.pipeline import export_bundles
from export.plan import ExportRequest
from export.verification import verify
from tests.export.networks import quiet
from textedit_core.checkpoints.store import Checkpoint
from textedit_core.errors import UsageError, UserError


def form(graph: fx.GraphModule, job: Job) -> fx.GraphModule:
    """The toy takes graphs as they are."""
    return graph


def lower(graph: fx.GraphModule, job: Job, path: Path) -> Lowered:
    """Saves the traced graph; precision `seventh` rounds its weights to multiples of 2^-7."""
    program = trace(graph, job.calibration[0])
    if job.precision == "seventh":
        for value in program.state_dict.values():
            value.copy_((value * 128.0).round() / 128.0)
    torch.export.save(program, path)
    return Lowered(count(str(node.target) for node in program.graph.nodes if node.op == "call_function"))


def load(path: Path, spec: GraphSpec, threads: int | None = None) -> Runner:
    """Runs the saved graph."""
    module = torch.export.load(path).module()

    def run(value: Tensor) -> Tensor:
        with torch.no_grad():
            return module(value)

    return run


TOY = Backend(
    target="toaster",
    id="toy",
    name="Toy kernels",
    runtime="Toy",
    min_os="Toaster 1",
    suffix=".pt2",
    tools=("torch",),
    precisions={"seventh": Precision(10.0, 0.875), "fp32": Precision(60.0, 4.0)},
    form=form,
    lower=lower,
    load=load,
    proof="the saved graph, run by PyTorch",
    leaves_open="everything that a toaster does otherwise",
)


@pytest.fixture(scope="module")
def toasted(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for the toy."""
    request = ExportRequest(
        "toaster",
        ("smile",),
        checkpoint.directory,
        out=tmp_path_factory.mktemp("toy"),
        parity_faces=1,
        calibration_faces=1,
        backends=(*BACKENDS, TOY),
    )
    ((path, _),) = export_bundles(request, quiet)
    return path


def test_a_new_runtime_makes_a_whole_bundle(toasted: Path) -> None:
    assert toasted.name == "tiny-toaster.textedit"
    result = verify(toasted, backends=(TOY,))
    manifest = result.manifest
    assert (manifest.target, manifest.runtime.name, manifest.runtime.backend) == ("toaster", "Toy", "Toy kernels")
    assert list(manifest.provenance["tools"]) == ["torch"]
    for part in manifest.parts:
        # The first precision is the default; rounded weights show, and are above the floor that the toy itself declares.
        assert part.precision == "seventh" and part.file.endswith(".pt2") and part.parity is not None
        assert part.parity.floor_db == 10.0 <= part.parity.psnr_db < 150.0
    assert "everything that a toaster does otherwise" in (toasted / "report.html").read_text("utf-8")


def test_its_bundle_is_changed_like_any_other(toasted: Path, checkpoint: Checkpoint) -> None:
    grown = add_prompt(toasted, "child", checkpoint.directory, None, quiet, (TOY,))
    assert [prompt.id for prompt in grown.prompts] == ["smile", "child"]
    assert [prompt.id for prompt in remove_prompt(toasted, "child", None, (TOY,)).prompts] == ["smile"]
    verify(toasted, backends=(TOY,))


def test_a_tool_without_the_backend_says_so(toasted: Path) -> None:
    with open_bundle(toasted) as opened, pytest.raises(UserError, match="toaster with Toy and backend 'Toy kernels', which this version"):
        backend_of(opened.manifest)


def test_its_own_precisions_are_the_ones_that_are_offered(checkpoint: Checkpoint, tmp_path: Path) -> None:
    request = ExportRequest("toaster", checkpoint=checkpoint.directory, precision="int8", out=tmp_path, backends=(TOY,))
    with pytest.raises(UsageError, match="unknown precision 'int8'; target toaster accepts: seventh, fp32"):
        export_bundles(request, quiet)


def test_without_a_loader_nothing_is_measured(checkpoint: Checkpoint, tmp_path: Path) -> None:
    blind = dataclasses.replace(TOY, load=None, proof="")
    request = ExportRequest("toaster", ("smile",), checkpoint.directory, out=tmp_path, parity_faces=1, calibration_faces=1)
    request = dataclasses.replace(request, backends=(blind,))
    with pytest.raises(UsageError, match="nothing on this machine runs Toy with Toy kernels"):
        export_bundles(request, quiet)
    ((path, manifest),) = export_bundles(dataclasses.replace(request, unproven=True), quiet)
    assert all(part.parity is None for part in manifest.parts)
    assert verify(path, unproven=True, backends=(blind,)).golden_db == {}
