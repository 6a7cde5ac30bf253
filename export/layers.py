"""The layers of a folded graph that int8 takes: convolutions in both directions and linear layers.

A resampling filter (a depthwise convolution that treats all channels alike) is none of them. Eight bits would save it neither bytes nor
time (`python -m benchmarks upsampling` measures it), and in float it averages the rounding errors of the convolution in front of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, fx

from export.constants import constant_value, is_constant

CONVOLUTION = torch.ops.aten.conv2d.default
TRANSPOSED_CONVOLUTION = torch.ops.aten.conv_transpose2d.input
LINEAR = torch.ops.aten.linear.default


def quantizable(graph: fx.GraphModule) -> list[fx.Node]:
    """The layers that int8 takes: first the convolutions, then the linear layers, each in order of execution."""
    return [*convolutions(graph), *linear_layers(graph)]


def convolutions(graph: fx.GraphModule) -> list[fx.Node]:
    """Convolutions in both directions, less resampling filters, in order of execution."""
    filters = set(resampling_filters(graph))
    return [node for node in _all_convolutions(graph) if node not in filters]


def resampling_filters(graph: fx.GraphModule) -> list[fx.Node]:
    """Depthwise convolutions in both directions that treat all channels alike, in order of execution."""
    return [node for node in _all_convolutions(graph) if _is_resampling_filter(graph, node)]


def linear_layers(graph: fx.GraphModule) -> list[fx.Node]:
    """Linear layers in order of execution."""
    return [node for node in graph.graph.nodes if node.target == LINEAR]


def homes(graph: fx.GraphModule) -> dict[str, str]:
    """By the name of each quantizable layer, the module that it came from."""
    return {node.name: module_path(node) for node in quantizable(graph)}


def module_path(node: fx.Node) -> str:
    """The dotted path of the module that a graph node was traced from."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return str(stack[-1][0]) if stack else "unknown module"


def output_axis(node: fx.Node) -> int:
    """The axis of a layer's weight that counts output channels."""
    return 1 if node.target == TRANSPOSED_CONVOLUTION else 0


def weight_of(node: fx.Node) -> Tensor:
    """The shape of a layer's weight, as a tensor without data."""
    value = node.args[1].meta["val"]
    assert isinstance(value, Tensor)
    return value


def _all_convolutions(graph: fx.GraphModule) -> list[fx.Node]:
    return [node for node in graph.graph.nodes if node.target in (CONVOLUTION, TRANSPOSED_CONVOLUTION)]


def _is_resampling_filter(graph: fx.GraphModule, node: fx.Node) -> bool:
    weight = node.args[1]
    if not is_constant(weight):
        return False
    # [out, in / groups, k, k], and for a transposed one [in, out / groups, k, k]: with one group per channel the second is one.
    kernels, channels = constant_value(graph, weight), node.args[0].meta["val"].shape[1]
    if channels == 1 or kernels.shape[1] != 1 or kernels.shape[0] % channels:
        return False
    by_channel = kernels.reshape(channels, -1, *kernels.shape[2:])
    return torch.equal(by_channel, by_channel[:1].expand_as(by_channel))
