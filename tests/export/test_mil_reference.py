"""The MIL evaluator against torch, one small Core ML package per group of operations, and in fp16 against rounding by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.backends import coreml, static_int8
from export.backends.backend import Job
from export.bundle_files import size_of
from export.fold import fold
from export.graphs import GraphSpec, TensorSpec
from export.mil_reference import OPERATIONS, MilProgram
from export.mil_weights import STORED_WEIGHTS
from export.parity import psnr_db
from textedit_core.errors import UserError


class Chain(nn.Module):
    """A function with two convolutions and a linear layer at hand."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(4, 4, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(4, 4, 3, padding=(1, 0), groups=4)
        self.deconv = nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1, groups=4)
        self.linear = nn.Linear(8, 6)
        self.function = function
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


CASES: dict[str, Callable[..., Tensor]] = {
    "convolutions": lambda m, x: m.depthwise(m.conv(x)),
    "transposed convolution": lambda m, x: m.deconv(x),
    "activations": lambda m, x: F.leaky_relu(x, 0.2) + F.relu(x) * torch.tanh(x) - F.silu(x) + torch.sigmoid(x),
    "hard activations": lambda m, x: F.hardswish(4 * x) + F.relu6(5 * x) + x.clamp(-0.5, 0.25),
    "exact gelu": lambda m, x: F.gelu(x),
    "normalisation": lambda m, x: x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8),
    "sum of roots": lambda m, x: torch.sqrt(x.abs() + 1).sum((2, 3), keepdim=True),
    "resampling": lambda m, x: F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False),
    "pooling": lambda m, x: F.avg_pool2d(x, 2),
    "nearest": lambda m, x: F.interpolate(x, scale_factor=2.0, mode="nearest"),
    "pixel shuffle": lambda m, x: F.pixel_shuffle(x, 2),
    "padding": lambda m, x: F.pad(x, (0, 1, 2, 3, 4, 5), value=0.5),
    "shapes": lambda m, x: torch.cat([x[:, 1:3], x[:, :1].transpose(2, 3), x[:, -1:].squeeze(1).unsqueeze(1)], 1).flatten(2),
    "linear": lambda m, x: m.linear(x) @ x[:, :, :6, :5] / 2.0,
}


def package(module: nn.Module, x: Tensor, precision: str, folder: Path) -> Path:
    """Converts a module to a Core ML package."""
    with torch.no_grad():
        result = module(x)
    spec = GraphSpec("case", TensorSpec("x", tuple(x.shape)), TensorSpec("y", tuple(result.shape)))
    coreml.lower(module, Job(spec, precision, (x,)), folder / "case.mlpackage")
    return folder / "case.mlpackage"


@pytest.mark.parametrize("function", CASES.values(), ids=CASES.keys())
def test_agrees_with_torch(function: Callable[..., Tensor], tmp_path: Path) -> None:
    module = Chain(function)
    x = torch.randn(1, 4, 8, 8)
    program = MilProgram(package(module, x, "fp32", tmp_path))
    assert program.input_names == ["x"]
    with torch.no_grad():
        torch.testing.assert_close(program({"x": x})["y"], module(x), rtol=1e-4, atol=1e-5)


def test_rounds_and_overflows_like_fp16(tmp_path: Path) -> None:
    path = package(Chain(lambda m, x: (x * 300.0) * (x + 299.0)), torch.zeros(1, 4), "fp16", tmp_path)
    x = torch.tensor([[0.0, 1.0, 0.1, -1.0]])
    # 300 * 300 = 90000 and -300 * 298 = -89400 are beyond the largest fp16, 65504; 30 * 299.1 = 8973 is not.
    rounded = MilProgram(path)({"x": x})["y"]
    assert torch.isinf(rounded[0, [1, 3]]).all() and torch.isfinite(rounded[0, [0, 2]]).all()
    exact = MilProgram(path, round_fp16=False)({"x": x})["y"]
    torch.testing.assert_close(exact, (x * 300.0) * (x + 299.0), rtol=1e-3, atol=1.0)


def test_int8_weights_are_those_of_the_package(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(8, 64, 3, bias=False))
    x = torch.randn(1, 8, 6, 6)
    result = MilProgram(package(module, x, "int8w", tmp_path))({"x": x})["y"]
    # Symmetric int8 per channel: half a step is max|W| / 254, so the error is well below two percent of the output's range.
    with torch.no_grad():
        reference = module(x)
    error = (result - reference).abs().max() / (reference.max() - reference.min())
    assert 1e-5 < error < 0.02


def test_compressed_packages_keep_the_function_and_shrink(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(8, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.Flatten(2), nn.Linear(16, 256)).eval()
    x = torch.randn(1, 8, 8, 8)
    with torch.no_grad():
        reference = network(x)
    reached, sizes = {}, {}
    for precision in ("fp16", "palette8", "palette6", "palette4", "w8a8"):
        graph = fold(network, x)
        module = static_int8.quantize(graph, [x], dynamic_linear=False) if precision == "w8a8" else graph
        (tmp_path / precision).mkdir()
        path = package(module, x, precision, tmp_path / precision)
        reached[precision], sizes[precision] = psnr_db(reference, MilProgram(path)({"x": x})["y"]), size_of(path)
    # Some 45,000 weights of so many bits; the program itself is about 10 kB.
    assert sizes["fp16"] > sizes["palette8"] > sizes["palette6"] > sizes["palette4"]
    assert sizes["w8a8"] < 0.7 * sizes["fp16"] and sizes["palette4"] < 0.5 * sizes["fp16"]
    # Six dB per bit.
    assert reached["palette8"] > reached["palette6"] + 8.0 > reached["palette4"] + 16.0
    assert reached["palette4"] > 25.0 and reached["w8a8"] > 40.0


def test_an_unknown_way_of_storing_weights_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = package(nn.Conv2d(8, 64, 3), torch.zeros(1, 8, 4, 4), "int8w", tmp_path)
    monkeypatch.delitem(STORED_WEIGHTS, "constexpr_affine_dequantize")
    with pytest.raises(UserError, match="does not know: constexpr_affine_dequantize"):
        MilProgram(path)


def test_an_unknown_operation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = package(Chain(lambda m, x: torch.tanh(x)), torch.zeros(1, 4), "fp32", tmp_path)
    monkeypatch.delitem(OPERATIONS, "tanh")
    with pytest.raises(UserError, match="does not know: tanh"):
        MilProgram(path)


def test_a_damaged_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.mlpackage").mkdir()
    with pytest.raises(UserError, match=r"bad\.mlpackage"):
        MilProgram(tmp_path / "bad.mlpackage")
