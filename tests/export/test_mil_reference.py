"""The MIL evaluator against torch, one small Core ML package per group of operations, and in fp16 against rounding by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.graphs import GraphSpec, TensorSpec
from export.lowering import coreml_backend
from export.mil_reference import OPERATIONS, MilProgram
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
    "shapes": lambda m, x: torch.cat([x[:, 1:3], x[:, :1].transpose(2, 3), x[:, -1:].squeeze(1).unsqueeze(1)], 1).flatten(2),
    "linear": lambda m, x: m.linear(x) @ x[:, :, :6, :5] / 2.0,
}


def package(module: nn.Module, x: Tensor, precision: str, folder: Path) -> Path:
    """Converts a module to a Core ML package."""
    with torch.no_grad():
        result = module.eval()(x)
    spec = GraphSpec("case", TensorSpec("x", tuple(x.shape)), TensorSpec("y", tuple(result.shape)))
    coreml_backend.lower(module, x, spec, precision, folder / "case.mlpackage")
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


def test_an_unknown_operation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = package(Chain(lambda m, x: torch.tanh(x)), torch.zeros(1, 4), "fp32", tmp_path)
    monkeypatch.delitem(OPERATIONS, "tanh")
    with pytest.raises(UserError, match="does not know: tanh"):
        MilProgram(path)


def test_a_damaged_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.mlpackage").mkdir()
    with pytest.raises(UserError, match=r"bad\.mlpackage"):
        MilProgram(tmp_path / "bad.mlpackage")
