"""Other backends of a target: what is lowered for them, what is measured of it, and what is said of what is not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from benchmarks.__main__ import main as benchmark
from export.__main__ import main
from export.amend import add_prompt, remove_prompt
from export.backends import BACKENDS, backend_of, backends_of, coreml_in_executorch, resolve_backends, target_names
from export.backends import vulkan as vulkan_backend
from export.bundle import open_bundle
from export.manifest import Manifest
from export.pipeline import export_bundles
from export.plan import ExportRequest
from export.raw_tensors import read_tensor
from export.verification import verify
from tests.export.conftest import BuildBundle
from tests.export.networks import job, quiet
from textedit_core.checkpoints.store import Checkpoint
from textedit_core.errors import UsageError, UserError


def made(target: str, backend: str, checkpoint: Checkpoint, out: Path, unproven: bool = False) -> tuple[Path, Manifest]:
    """A bundle with prompt `smile` for a backend."""
    request = ExportRequest(target, ("smile",), checkpoint.directory, out=out, parity_faces=2, calibration_faces=2)
    ((path, manifest),) = export_bundles(dataclasses.replace(request, backend=backend, unproven=unproven), quiet)
    return path, manifest


@pytest.fixture(scope="module")
def vulkan(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that nothing on this machine runs; not to be changed."""
    return made("android", "vulkan", checkpoint, tmp_path_factory.mktemp("vulkan"), unproven=True)[0]


def test_vulkan_takes_every_operation_and_nothing_is_claimed(vulkan: Path, checkpoint: Checkpoint) -> None:
    assert vulkan.name == "tiny-android-vulkan.textedit"
    with open_bundle(vulkan) as opened:
        manifest = opened.manifest
        assert (manifest.target, manifest.runtime.backend) == ("android", "Vulkan")
        for part in manifest.parts:
            assert part.parity is None and part.precision == "fp16" and part.undelegated == {} and part.operations
        (case,) = [case for case in manifest.golden if case.part == "decoder"]
        expected = read_tensor(opened.file(case.output), case.shape)
        w_plus = read_tensor(opened.file(case.input), manifest.part("decoder").input.shape)
    # Where the file cannot answer, the fp32 network does: a device measures against that.
    with torch.no_grad():
        assert torch.allclose(checkpoint.load_decoder()(w_plus), expected, atol=1e-3)
    page = (vulkan / "report.html").read_text("utf8")
    assert "not run" in page and "nothing has run this file" in page and "come from the fp32 networks" in page


def test_what_cannot_be_run_is_refused_unless_asked_for(vulkan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--target", "android", "--backend", "vulkan", "--dry-run"]) == 2
    assert "so no parity can be measured; --unproven bundles the networks all the same" in capsys.readouterr().err
    assert main(["verify", str(vulkan)]) == 1
    assert "encoder cannot be run here" in capsys.readouterr().err
    assert main(["verify", str(vulkan), "--unproven", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["golden_db"] == {} and summary["proof"].startswith("none") and "every number" in summary["not_proven"]
    assert main(["inspect", str(vulkan)]) == 0
    assert "not run" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["latency", "edit", "operations"])
def test_what_cannot_be_run_is_not_timed(vulkan: Path, checkpoint: Checkpoint, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [command, "--bundle", str(vulkan)]
    assert benchmark([*arguments, "--checkpoint", str(checkpoint.directory)] if command == "latency" else arguments) == 2
    assert "target android-vulkan" in capsys.readouterr().err


def test_a_bundle_that_cannot_be_run_is_not_changed(vulkan: Path, checkpoint: Checkpoint) -> None:
    before = (vulkan / "bundle.json").read_bytes()
    with pytest.raises(UserError, match="nothing on this machine runs ExecuTorch with Vulkan; export the bundle anew"):
        add_prompt(vulkan, "child", checkpoint.directory, None, quiet)
    with pytest.raises(UserError, match="nothing on this machine runs ExecuTorch with Vulkan"):
        remove_prompt(vulkan, "smile", None)
    assert (vulkan / "bundle.json").read_bytes() == before


def test_what_vulkan_leaves_is_counted_or_refused(tmp_path: Path) -> None:
    class Sorted(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.topk(x * 2.0, 2).values

    lowered = vulkan_backend.lower(Sorted(), job("part", torch.randn(1, 4), "fp16"), tmp_path / "x.pte")
    assert lowered.undelegated is not None and lowered.undelegated["topk"] == 1 and lowered.operations["mul"] == 1
    # Vulkan has no double precision.
    double, example = torch.nn.Linear(4, 4).double().eval(), torch.randn(1, 4, dtype=torch.float64)
    with pytest.raises(UserError, match="decoder: (addmm|linear) of module .* is not delegated to Vulkan"):
        vulkan_backend.lower(double, job("decoder", example, "fp16"), tmp_path / "y.pte")


def test_core_ml_inside_executorch_is_evaluated_from_the_saved_program(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path, manifest = made("ios", "executorch", checkpoint, tmp_path)
    assert path.name == "tiny-ios-executorch.textedit" and (manifest.runtime.name, manifest.runtime.backend) == ("ExecuTorch", "Core ML")
    for part in manifest.parts:
        # fp16 rounding shows: an evaluation of anything but the saved package would be exact.
        assert part.parity is not None and part.parity.floor_db <= part.parity.psnr_db < 140.0 and part.undelegated == {}
    assert set(verify(path).golden_db) == {"encoder", "editors/smile", "decoder"}


def test_a_program_that_does_more_than_call_core_ml_is_not_evaluated(bundles: BuildBundle, tmp_path: Path) -> None:
    with open_bundle(bundles("android")) as opened:
        path, spec = opened.file("models/editors/smile.pte"), opened.manifest.spec("editors/smile")
    with pytest.raises(ValueError, match="not one call of CoreMLBackend: it does DelegateCall.* with XnnpackBackend"):
        coreml_in_executorch.unpack(path.read_bytes(), tmp_path)
    with pytest.raises(UserError, match=r"smile\.pte is refused by its runtime"):
        coreml_in_executorch.load(path, spec)


def test_backends_are_resolved_by_name() -> None:
    assert [backend.label for backend in resolve_backends("all")] == target_names() == ["ios", "android", "onnx"]
    assert list(backends_of("android")) == ["xnnpack", "vulkan"] and list(backends_of("ios")) == ["coreml", "executorch"]
    assert [resolve_backends(backend.target, backend.id) for backend in BACKENDS] == [[backend] for backend in BACKENDS]
    with pytest.raises(UsageError, match="unknown backend 'metal'; target android has: vulkan, xnnpack"):
        resolve_backends("android", "metal")
    with pytest.raises(UsageError, match="--backend vulkan belongs to one target"):
        resolve_backends("all", "vulkan")
    with pytest.raises(UserError, match=r"needs Qualcomm's AI Engine Direct SDK \(QNN_SDK_ROOT\); docs/backends\.md"):
        resolve_backends("android", "qnn")


def test_a_bundle_for_an_unknown_backend_is_refused(vulkan: Path) -> None:
    with open_bundle(vulkan) as opened:
        manifest = opened.manifest
        strange = dataclasses.replace(manifest, runtime=dataclasses.replace(manifest.runtime, backend="NPU"))
        with pytest.raises(UserError, match="backend 'NPU', which this version does not know"):
            backend_of(strange)
