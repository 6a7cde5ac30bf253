"""The ExecuTorch backend: heavy operations are delegated or the export fails, and int8 keeps the function."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from export.backends import resolve_backends, xnnpack
from export.graphs import GraphSpec, TensorSpec
from export.parity import psnr_db
from tests.export.networks import job
from textedit_core.errors import UserError


class RuntimeWeights(nn.Module):
    """The usual modulated convolution: its weight depends on the input, which XNNPACK does not take."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(x, self.weight * x.mean((0, 2, 3))[None, :, None, None], padding=1)


def test_an_undelegated_convolution_is_refused_by_name(tmp_path: Path) -> None:
    network = nn.Sequential()
    network.add_module("modulated", RuntimeWeights())
    with pytest.raises(UserError, match="decoder: convolution of module 'modulated' is not delegated"):
        xnnpack.lower(network.eval(), job("decoder", torch.randn(1, 4, 8, 8)), tmp_path / "x.pte")
    assert list(tmp_path.iterdir()) == []


def test_light_operations_left_behind_are_counted(tmp_path: Path) -> None:
    class Sorted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.topk(x * 2.0, 2).values

    lowered = xnnpack.lower(Sorted(), job("part", torch.randn(1, 4)), tmp_path / "x.pte")
    assert lowered.undelegated == {"topk": 1} and lowered.operations["mul"] == 1


def test_int8_keeps_the_function_and_shrinks_the_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(4, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.Flatten(2), nn.Linear(36, 8)).eval()
    inputs = [torch.randn(1, 4, 8, 8) for _ in range(4)]
    whole = xnnpack.lower(network, job("part", inputs), tmp_path / "float.pte")
    int8 = job("part", inputs, "int8")
    rounded = xnnpack.lower(xnnpack.quantize(network, int8, ()), int8, tmp_path / "int8.pte")
    assert whole.undelegated == rounded.undelegated == {}
    assert whole.operations == rounded.operations
    # 39,000 weights of four bytes against one byte.
    assert (tmp_path / "int8.pte").stat().st_size < 0.4 * (tmp_path / "float.pte").stat().st_size
    spec = GraphSpec("part", TensorSpec("x", (1, 4, 8, 8)), TensorSpec("y", (1, 64, 8)))
    run = xnnpack.BACKEND.load(tmp_path / "int8.pte", spec, None)
    with torch.no_grad():
        reference = network(inputs[0])
    # Eight bits over the range leave rounding noise of range / 255 / sqrt(12), 59 dB, per step; there are a handful of steps.
    assert psnr_db(reference, run(inputs[0])) > 35.0
    assert torch.equal(run(inputs[0]), run(inputs[0])), "an earlier output must survive a later call"


@pytest.mark.parametrize("layer", [nn.Conv2d(16, 8, 3, bias=False), nn.Linear(16, 8, bias=False)], ids=["convolution", "linear"])
def test_small_weights_keep_their_eight_bits(layer: nn.Module, tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 16, 8, 8) if isinstance(layer, nn.Conv2d) else torch.randn(4, 16)
    with torch.no_grad():
        layer.weight.normal_().mul_(1e-4)
        # A channel of zeros has no scale of its own.
        layer.weight[3] = 0.0
        reference = layer(x)
    int8 = job("part", x, "int8")
    xnnpack.lower(xnnpack.quantize(layer.eval(), int8, ()), int8, tmp_path / "int8.pte")
    spec = GraphSpec("part", TensorSpec("x", tuple(x.shape)), TensorSpec("y", tuple(reference.shape)))
    # As above: 59 dB per rounding. With the quantizer's own least scale of 2^-12, weights of 1e-4 would all round to 0 or 1.
    assert psnr_db(reference, xnnpack.BACKEND.load(tmp_path / "int8.pte", spec, None)(x)) > 40.0


@pytest.mark.parametrize("target", ["android", "onnx", "ios"])
def test_a_file_that_is_no_network_is_named(target: str, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"not a network")
    spec = GraphSpec("part", TensorSpec("x", (1,)), TensorSpec("y", (1,)))
    with pytest.raises(UserError, match=r"model\.bin"):
        resolve_backends(target)[0].load(tmp_path / "model.bin", spec, None)
