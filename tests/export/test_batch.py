"""Several faces at once, and the compute units to ask for: what Core ML packages can have beyond one network for one face."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

from export.__main__ import main
from export.amend import add_prompt
from export.backends import coreml
from export.backends.backend import Job
from export.bundle import open_bundle
from export.compute_units import COMPUTE_UNITS, advise
from export.fold import fold
from export.graphs import DECODER, ENCODER, GraphSpec, TensorSpec, example_input, graph_spec
from export.parity import psnr_db
from export.pipeline import export_bundles
from export.plan import ExportRequest
from export.rewrites.batch import free_batch
from export.samples import load_face
from export.verification import load_part, verify
from tests.export.networks import quiet, stirred
from textedit_core.checkpoints.store import Checkpoint
from textedit_core.config import tiny
from textedit_core.editor import PromptEditor
from textedit_core.errors import UserError
from textedit_core.pixels import PixelSpec


@pytest.fixture(scope="module")
def batched(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for ios whose networks take one face or three, all of them with the units that were asked for; not to be changed."""
    order = {"out": tmp_path_factory.mktemp("batched"), "parity_faces": 2, "calibration_faces": 2}
    request = ExportRequest("ios", ("smile",), checkpoint.directory, batch_sizes=(1, 3), compute_units="cpuAndGPU", **order)
    return export_bundles(request, quiet)[0][0]


@pytest.mark.parametrize("part", [ENCODER, "editors/smile", DECODER])
def test_a_freed_graph_does_to_each_face_what_it_did_alone(part: str, checkpoint: Checkpoint) -> None:
    module = {ENCODER: checkpoint.load_encoder, DECODER: checkpoint.load_decoder}.get(part, lambda: checkpoint.load_editor("smile"))()
    spec = graph_spec(part, checkpoint.config)
    graph = fold(module, example_input(spec))
    before = graph.code
    torch.manual_seed(0)
    values = torch.randn(3, *spec.input.shape[1:])
    with torch.no_grad():
        together = free_batch(graph)(values)
        alone = torch.cat([module(value[None]) for value in values])
    # Sums in another order: 2**-24 of the largest terms, a few hundred times.
    assert psnr_db(alone, together) > 100.0
    assert graph.code == before, "the graph for one face is what everything else is made of"


@pytest.mark.parametrize("on", [("coarse",), ("medium",), ("coarse", "fine")])
def test_levels_that_an_editor_leaves_alone_stay_zero_for_every_face(on: tuple[str, ...]) -> None:
    config = dataclasses.replace(tiny().editor, **{name: name in on for name in ("coarse", "medium", "fine")})
    torch.manual_seed(0)
    module = stirred(PromptEditor(config))
    values = torch.randn(3, config.num_ws, config.w_dim)
    with torch.no_grad():
        together = free_batch(fold(module, values[:1]))(values)
        alone = module(values)
    assert psnr_db(alone, together) > 100.0
    assert torch.equal(together == 0.0, alone == 0.0) and (alone == 0.0).any() and (alone != 0.0).any()


def test_a_graph_that_is_tied_to_one_face_is_named(tmp_path: Path) -> None:
    class Tied(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x, torch.ones(1, 2)], dim=1)

    spec = GraphSpec("decoder", TensorSpec("x", (1, 4)), TensorSpec("y", (1, 6)))
    with pytest.raises(UserError, match="decoder cannot take several faces at once; leave --batch-sizes out"):
        coreml.lower(fold(Tied(), torch.zeros(1, 4)), Job(spec, "fp16", (torch.zeros(1, 4),), (1, 2)), tmp_path / "x.mlpackage")
    assert list(tmp_path.iterdir()) == []


def test_packages_list_their_batch_sizes_and_keep_to_them(batched: Path) -> None:
    import coremltools as ct

    with open_bundle(batched) as opened:
        faces = [load_face(opened.file("golden/input.png"), PixelSpec(**opened.manifest.pixels)).flip(dims) for dims in ((), (2,), (3,))]
        for part in opened.manifest.parts:
            assert part.batch_sizes == (1, 3) and part.compute_units == "cpuAndGPU"
            assert part.input.shape[0] == part.output.shape[0] == 1
            allowed = ct.utils.load_spec(str(opened.file(part.file))).description.input[0].type.multiArrayType.enumeratedShapes.shapes
            assert [list(shape.shape) for shape in allowed] == [[size, *part.input.shape[1:]] for size in (1, 3)]
        encode = load_part(opened, ENCODER)
        # Sums in another order round to another fp16 number now and then: 2**-11 of a value, 66 dB below it.
        assert psnr_db(torch.cat([encode(face) for face in faces]), encode(torch.cat(faces))) > 55.0
    assert set(verify(batched).golden_db) == {"encoder", "editors/smile", "decoder"}
    page = (batched / "report.html").read_text("utf8")
    assert "batches of 1, 3" in page and "asked for when the bundle was made" in page


def test_an_added_editor_is_like_the_others(batched: Path, checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = Path(shutil.copytree(batched, tmp_path / "grown.textedit"))
    grown = add_prompt(path, "child", checkpoint.directory, None, quiet)
    assert grown.part("editors/child").batch_sizes == (1, 3) and grown.part("editors/child").compute_units == "cpuAndGPU"


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--target", "ios", "--batch-sizes", "2,4"], "batch sizes 2, 4 are not a list from 1 upwards to at most 64"),
        (["--target", "ios", "--batch-sizes", "1,4,2"], "batch sizes 1, 4, 2 are not a list"),
        (["--target", "ios", "--batch-sizes", "1,65"], "batch sizes 1, 65 are not a list"),
        (["--target", "ios", "--batch-sizes", "1-4"], "--batch-sizes 1-4 is not a list of whole numbers such as 1,2,4"),
        (["--target", "ios", "--batch-sizes", "1,2", "--precision", "w8a8"], "precision w8a8 is calibrated for one face at a time"),
        (["--target", "android", "--batch-sizes", "1,2"], "are for Core ML packages; target android makes none"),
        (["--target", "all", "--compute-units", "all"], "are for Core ML packages; target android makes none"),
        (["--target", "ios", "--compute-units", "gpu"], "unknown compute units 'gpu'; Core ML has: all, cpuAndGPU, "),
    ],
)
def test_what_cannot_be_had_is_refused(flags: list[str], line: str, checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*flags, "--dry-run", "--checkpoint", str(checkpoint.directory)]) == 2
    assert line in capsys.readouterr().err


def test_the_neural_engine_is_advised_for_fp16_arithmetic_only() -> None:
    assert [advise(part, "fp16").units for part in (ENCODER, DECODER)] == ["cpuAndNeuralEngine"] * 2
    assert [advise(part, "fp32").units for part in (ENCODER, DECODER)] == ["cpuAndGPU"] * 2
    assert advise("editors/smile", "fp16").units == advise("text_editor", "fp32").units == "cpuOnly"
    assert {advise(part, precision).units for part in (ENCODER, "editors/smile") for precision in ("fp16", "fp32")} <= set(COMPUTE_UNITS)
