"""Which layers int8 takes, and that XNNPACK then computes these and no others in eight bits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import fx, nn

from benchmarks.operations import traced_times
from benchmarks.request import OperationsRequest
from export import layers
from export.backends import xnnpack
from export.fold import fold
from export.sensitivity import Int8Simulation, keep_in_float, observe
from tests.export.networks import job, stirred
from textedit_core.decoder import build_decoder
from textedit_core.decoder.config import DecoderConfig
from textedit_core.decoder.layers import FIRUpsample

# Two up-samplings of StyleGAN2, enough for each kind of layer.
SMALL_STYLEGAN2 = DecoderConfig("stylegan2", 16, 8, ((4, 16), (8, 16), (16, 8)))


@pytest.fixture(scope="module")
def stylegan2() -> tuple[fx.GraphModule, list[torch.Tensor]]:
    """The folded decoder and four latents."""
    torch.manual_seed(0)
    latents = [torch.randn(1, SMALL_STYLEGAN2.num_ws, 8) for _ in range(4)]
    return fold(stirred(build_decoder(SMALL_STYLEGAN2)), latents[0]), latents


def test_both_directions_and_linear_layers_are_taken_but_no_resampling_filter(stylegan2: tuple) -> None:
    graph, _ = stylegan2
    kinds = [node.target for node in layers.quantizable(graph)]
    # Three 3x3 convolutions at the sizes 4, 8 and 16 and a 1x1 to RGB at each; a transposed one per doubling.
    assert kinds.count(layers.CONVOLUTION) == 6
    assert kinds.count(layers.TRANSPOSED_CONVOLUTION) == 2
    # Per doubling the filter behind the transposed convolution, and the one that doubles the image so far.
    filters = layers.resampling_filters(graph)
    assert len(filters) == 4 and not set(filters) & set(layers.quantizable(graph))
    assert all(name in layers.homes(graph) for name in (node.name for node in layers.quantizable(graph)))


def test_a_depthwise_convolution_with_kernels_of_its_own_is_no_filter() -> None:
    graph = fold(nn.Conv2d(4, 4, 3, groups=4).eval(), torch.randn(1, 4, 8, 8))
    assert len(layers.convolutions(graph)) == 1
    graph = fold(FIRUpsample(), torch.randn(1, 4, 8, 8))
    assert layers.quantizable(graph) == [] and len(layers.resampling_filters(graph)) == 1


def test_a_transposed_convolution_is_rounded_by_output_channel() -> None:
    torch.manual_seed(0)
    network = nn.ConvTranspose2d(3, 5, 3, stride=2, bias=False).eval()
    with torch.no_grad():
        # One output channel a thousand times smaller: gone if it shared a scale with the others.
        network.weight[:, 2] *= 1e-3
    x = torch.randn(1, 3, 6, 6)
    graph = fold(network, x)
    ranges = observe(graph, [x])
    with torch.no_grad():
        expected = graph(x)[:, 2]
        most = float(expected.abs().max())
        # The small channel is looked at alone, over its own range.
        narrow = {name: (*span[:2], -most, most) for name, span in ranges.items()}
        simulated = Int8Simulation(graph, narrow, ranges).run(x)[:, 2]
    # Input, weights and output are rounded to 1/255 of their range each.
    assert (simulated - expected).abs().max() < 3 / 255 * most


def test_what_must_stay_in_float_is_searched_among_both_directions(stylegan2: tuple) -> None:
    graph, latents = stylegan2
    assert set(keep_in_float(graph, latents, target_db=199.0)) == {node.name for node in layers.convolutions(graph)}


def test_int8_leaves_resampling_filters_alone(stylegan2: tuple, tmp_path: Path) -> None:
    graph, latents = stylegan2
    int8 = job("decoder", latents, "int8")
    xnnpack.lower(xnnpack.quantize(xnnpack.form(graph, int8), int8, ()), int8, tmp_path / "decoder.pte")
    trace = traced_times(tmp_path / "decoder.pte", latents[0], OperationsRequest(bundle=tmp_path, rounds=1, warmup=0))
    # XNNPACK names its kernels by the types that they compute in: QC8 is eight bits by channel.
    kernels = [name for name, _ in trace if "onvolution" in name]
    assert sum("Deconvolution" in name and "QC8" in name for name in kernels) == 2
    assert sum("DWConv" in name and "F32" in name for name in kernels) == 2
    assert not any("DWConv" in name and "QC8" in name for name in kernels)
