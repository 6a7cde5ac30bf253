"""Transposed convolutions as phases: the same function, in every form that StyleGAN2's decoders use, and nothing else touched."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, fx, nn

from export.backends import xnnpack
from export.fold import fold
from export.layers import CONVOLUTION, TRANSPOSED_CONVOLUTION
from export.rewrites.upsampling import filters_as_phases, phases, transposed_as_phases
from tests.export.networks import job, stirred
from textedit_core.decoder import build_decoder
from textedit_core.decoder.config import DecoderConfig
from textedit_core.decoder.layers import FIRUpsample, ModulatedConv2d


def kinds(graph: fx.GraphModule) -> list[object]:
    """The operators that a graph calls."""
    return [node.target for node in graph.graph.nodes if node.op == "call_function"]


def test_phases_of_one_dimension_by_hand() -> None:
    # A kernel that is [1,2,3] in both directions. Even outputs see taps 2 and 0 (out[2m] = x[m-1] w[2] + x[m] w[0]), odd ones tap 1.
    taps = torch.tensor([1.0, 2.0, 3.0])
    found = phases(torch.outer(taps, taps)[None, None], padding=0)
    even, odd = torch.tensor([3.0, 1.0]), torch.tensor([0.0, 2.0])
    expected = [torch.outer(row, column) for row in (even, odd) for column in (even, odd)]
    assert torch.equal(found[:, 0], torch.stack(expected))


@pytest.mark.parametrize("side", [4, 7])
def test_skip_filter_becomes_a_depthwise_convolution(side: int) -> None:
    x = torch.randn(1, 3, side, side)
    graph = fold(FIRUpsample(), x)
    filters_as_phases(graph)
    graph.recompile()
    assert kinds(graph) == [CONVOLUTION, torch.ops.aten.pixel_shuffle.default]
    # Sums of 16 products in another order.
    torch.testing.assert_close(graph(x), FIRUpsample()(x), rtol=1e-6, atol=1e-6)


def test_upsampling_convolution_becomes_a_plain_one_and_a_wider_filter() -> None:
    torch.manual_seed(0)

    class Up(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = ModulatedConv2d(6, 5, 3, 4, upsample="fir")

        def forward(self, x: Tensor) -> Tensor:
            return self.conv.resampled_convolution(x, self.conv.weight)

    x, module = torch.randn(1, 6, 8, 8), Up().eval()
    graph = fold(module, x)
    assert TRANSPOSED_CONVOLUTION in kinds(graph)
    transposed_as_phases(graph)
    graph.recompile()
    assert kinds(graph) == [CONVOLUTION, torch.ops.aten.pixel_shuffle.default, CONVOLUTION]
    # Sums of 54 products of unit size, then of 16, in another order.
    torch.testing.assert_close(graph(x), module(x), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        nn.ConvTranspose2d(2, 3, 3, stride=1, bias=False),
        nn.ConvTranspose2d(2, 3, 3, stride=3, bias=False),
        nn.ConvTranspose2d(2, 3, 5, stride=2, padding=1, bias=False),
        nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1, bias=False),
        nn.ConvTranspose2d(2, 3, 3, stride=2, dilation=2, bias=False),
        nn.ConvTranspose2d(2, 3, (3, 5), stride=2, bias=False),
        nn.ConvTranspose2d(2, 3, 3, stride=2),
        # One row more than before, and no filter behind it that would take it away.
        nn.ConvTranspose2d(2, 3, 3, stride=2, bias=False),
    ],
    ids=["stride 1", "stride 3", "lopsided", "output padding", "dilation", "oblong", "bias", "surplus"],
)
def test_other_transposed_convolutions_stay(layer: nn.Module) -> None:
    x = torch.randn(1, 2, 6, 6)
    graph = fold(layer.eval(), x)
    transposed_as_phases(graph)
    filters_as_phases(graph)
    assert TRANSPOSED_CONVOLUTION in kinds(graph)


@pytest.mark.parametrize(("kernel", "padding"), [(2, 0), (4, 0), (4, 1), (6, 2)])
def test_a_transposed_convolution_of_even_kernel_needs_no_filter(kernel: int, padding: int) -> None:
    layer, x = nn.ConvTranspose2d(2, 3, kernel, stride=2, padding=padding, bias=False).eval(), torch.randn(1, 2, 6, 6)
    graph = fold(layer, x)
    transposed_as_phases(graph)
    graph.recompile()
    assert TRANSPOSED_CONVOLUTION not in kinds(graph)
    torch.testing.assert_close(graph(x), layer(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("precision", "left"), [("fp32", 0), ("int8", 2)])
def test_stylegan2_in_the_forms_of_xnnpack(precision: str, left: int) -> None:
    torch.manual_seed(0)
    config = DecoderConfig("stylegan2", 16, 8, ((4, 16), (8, 16), (16, 8)))
    latent = torch.randn(1, config.num_ws, 8)
    graph = fold(stirred(build_decoder(config)), latent)
    formed = xnnpack.form(graph, job("decoder", latent, precision))
    # In eight bits both dense ones stay; the skip image's filters never do.
    assert kinds(formed).count(TRANSPOSED_CONVOLUTION) == left
    assert kinds(graph).count(TRANSPOSED_CONVOLUTION) == 4, "the graph itself is not to change"
    torch.testing.assert_close(formed(latent), graph(latent), rtol=1e-4, atol=1e-4)
