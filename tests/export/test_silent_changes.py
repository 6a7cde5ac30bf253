"""What converters would change without a word: written out in the fold, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.backends import coreml, coreml_in_executorch, executorch_program, xnnpack
from export.backends.backend import Backend
from export.fold import fold
from export.graphs import GraphSpec, TensorSpec, trace
from export.parity import psnr_db
from tests.export.networks import job
from textedit_core.errors import UserError

aten = torch.ops.aten
INPUT = TensorSpec("x", (1, 4, 8, 8))


class Behind(nn.Module):
    """A function behind a convolution, as an imported network has it."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.function = function
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.conv(x), x)


def _resized(**options: object) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda y, x: F.interpolate(y, **options)  # type: ignore[arg-type]


CASES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sum with a factor": lambda y, x: torch.add(torch.add(y, x, alpha=2.5), 1.0, alpha=3),
    "difference with a factor": lambda y, x: torch.rsub(torch.sub(y, x, alpha=2.5), x, alpha=0.5),
    "tanh gelu": lambda y, x: F.gelu(4.0 * y, approximate="tanh"),
    "antialiased bilinear": _resized(size=(3, 5), mode="bilinear", antialias=True),
    "antialiased bicubic": _resized(scale_factor=0.4, mode="bicubic", antialias=True),
    "bilinear by a broken factor": _resized(scale_factor=(1.3, 1.7), mode="bilinear"),
}
# What no folded graph has: with an argument that changes it, or at all.
CHANGED = {aten._upsample_bilinear2d_aa.vec, aten._upsample_bicubic2d_aa.vec, aten.upsample_bilinear2d.vec, aten.gelu.default}


@pytest.fixture(params=CASES)
def network(request: pytest.FixtureRequest) -> Behind:
    """Each case in turn."""
    return Behind(CASES[request.param])


def test_it_is_written_out_and_computes_the_same(network: Behind) -> None:
    x = 2.0 * torch.randn(INPUT.shape)
    folded = fold(network, torch.zeros(INPUT.shape))
    with torch.no_grad():
        torch.testing.assert_close(folded(x), network(x), rtol=1e-4, atol=1e-5)
    calls = [node for node in folded.graph.nodes if node.op == "call_function"]
    assert not {node.target for node in calls} & CHANGED and not any("alpha" in node.kwargs for node in calls)


@pytest.mark.parametrize("backend", [xnnpack.BACKEND, coreml.BACKEND], ids=lambda backend: backend.id)
def test_it_reaches_the_runtime_as_it_was(network: Behind, backend: Backend, tmp_path: Path) -> None:
    torch.manual_seed(1)
    x = 2.0 * torch.randn(INPUT.shape)
    with torch.no_grad():
        expected = network(x)
    work = job("part", x, "fp32")
    path = tmp_path / f"network{backend.suffix}"
    backend.lower(backend.form(fold(network, x), work), work, path)
    assert backend.load is not None
    answer = backend.load(path, GraphSpec("part", INPUT, TensorSpec("y", tuple(expected.shape))), None)(x)
    # fp32 rounds at 2**-24, 144 dB below the largest value; the mildest of the changes, tanh for the exact GELU, is 70 dB below.
    assert psnr_db(expected, answer) > 110.0


def test_a_bilinear_factor_that_the_sizes_show_stays() -> None:
    for options in ({"scale_factor": 2.0}, {"scale_factor": 1.5}, {"size": (11, 5)}, {"size": (11, 5), "align_corners": True}):
        folded = fold(Behind(_resized(mode="bilinear", **options)), torch.zeros(INPUT.shape))
        assert aten.upsample_bilinear2d.vec in {node.target for node in folded.graph.nodes}, options


@pytest.mark.parametrize("backend", [coreml.BACKEND, coreml_in_executorch.BACKEND], ids=lambda backend: backend.id)
def test_what_core_mls_converter_drops_is_refused_by_name(backend: Backend, tmp_path: Path) -> None:
    x = torch.randn(INPUT.shape)
    graph = trace(Behind(CASES["tanh gelu"]), x).module(check_guards=False)
    with pytest.raises(UserError, match="encoder: Core ML's converter drops approximate=tanh of gelu in module"):
        backend.lower(graph, job("encoder", x, "fp32"), tmp_path / f"network{backend.suffix}")


def test_arguments_without_effect_are_not_refused(tmp_path: Path) -> None:
    x = torch.randn(INPUT.shape)
    graph = trace(Behind(lambda y, x: F.gelu(torch.add(y, x, alpha=1), approximate="none")), x).module(check_guards=False)
    lowered = coreml.lower(graph, job("part", x, "fp32"), tmp_path / "network.mlpackage")
    assert lowered.operations["gelu"] == 1 and (tmp_path / "network.mlpackage").is_dir()


def test_a_program_takes_plain_pictures_whatever_it_was_traced_with(tmp_path: Path) -> None:
    network = Behind(lambda y, x: y + x)
    x = torch.randn(INPUT.shape).to(memory_format=torch.channels_last)
    with torch.no_grad():
        expected = network(x)
    xnnpack.lower(fold(network, x), job("part", x, "fp32"), tmp_path / "network.pte")
    answer = executorch_program.load(tmp_path / "network.pte", GraphSpec("part", INPUT, INPUT), None)(x)
    assert psnr_db(expected, answer) > 110.0
