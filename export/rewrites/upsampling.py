"""Transposed convolutions that double the size, as convolutions at the small size and a pixel shuffle.

Every second row and column of the result sees every second tap of the kernel alone, so that it falls into four phases, each an ordinary
convolution of the input. Four times the channels at a quarter of the size are shuffled into place:

    before  conv_transpose2d(x, W, stride=2)                       k x k, at twice the size
    after   pixel_shuffle(conv2d(x, phases(W), padding=1), 2)      K x K with K = 2 or 3, four times the channels

Some taps of the phases are zero, more arithmetic (16/9 for a 3x3 kernel), but plain convolutions run at their full speed.
`python -m benchmarks upsampling` holds the forms against each other in each runtime.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, fx
from torch.nn import functional as F

from export.constants import constant_value, insert_constant, is_constant
from export.layers import CONVOLUTION, TRANSPOSED_CONVOLUTION, resampling_filters

aten = torch.ops.aten


def filters_as_phases(graph_module: fx.GraphModule) -> None:
    """A transposed resampling filter (StyleGAN2's skip image) becomes a depthwise convolution and a pixel shuffle."""
    for node in resampling_filters(graph_module):
        if node.target == TRANSPOSED_CONVOLUTION and _doubles(node) and not _surplus(node):
            _replace(graph_module, node, _shuffled(graph_module, node))


def transposed_as_phases(graph_module: fx.GraphModule) -> None:
    """A transposed convolution and the resampling filter behind it become a convolution, a pixel shuffle and the filter.

    The shuffled result may have one row and column of zeros more than before; the filter gets taps of zero to reach over them.
    """
    filters = set(resampling_filters(graph_module))
    for node in list(graph_module.graph.nodes):
        if node.target != TRANSPOSED_CONVOLUTION or node in filters or not _doubles(node):
            continue
        readers = list(node.users)
        if not _surplus(node):
            _replace(graph_module, node, _shuffled(graph_module, node))
        elif len(readers) == 1 and readers[0] in filters and readers[0].target == CONVOLUTION:
            _widen(graph_module, readers[0])
            _replace(graph_module, node, _shuffled(graph_module, node))


def phases(weight: Tensor, padding: int) -> Tensor:
    """The kernels of the four phases of a transposed convolution with stride 2.

    Args:
        weight: float [I,O,k,k], of one group.
        padding: the transposed convolution's.

    Returns:
        Float [4*O,I,K,K] in the order of a pixel shuffle: output channel, then odd or even row, then odd or even column.
    """
    first, last = _reach(weight.shape[-1], padding)
    inputs, outputs = weight.shape[:2]
    result = weight.new_zeros(outputs, 2, 2, inputs, last - first + 1, last - first + 1)
    taps = [(odd, step, odd + padding - 2 * step) for odd in (0, 1) for step in range(first, last + 1)]
    inside = [tap for tap in taps if 0 <= tap[2] < weight.shape[-1]]
    for row, down, k in inside:
        for column, right, m in inside:
            result[:, row, column, :, down - first, right - first] = weight[:, :, k, m].t()
    return result.reshape(4 * outputs, inputs, *result.shape[-2:])


def _reach(kernel: int, padding: int) -> tuple[int, int]:
    """How far before and behind its own place in the input an output of either phase looks: out[2m+a] = sum_d x[m+d] w[a+p-2d]."""
    return math.ceil((padding - kernel + 1) / 2), (1 + padding) // 2


def _surplus(node: fx.Node) -> bool:
    """Whether the shuffled phases have one row and column more than the transposed convolution."""
    return bool(node.meta["val"].shape[-1] % 2)


def _doubles(node: fx.Node) -> bool:
    _, weight, bias, stride, padding, output_padding, groups, dilation = _arguments(node)
    if not is_constant(weight) or bias is not None or stride != [2, 2] or any(output_padding) or dilation != [1, 1]:
        return False
    kernel = weight.meta["val"].shape
    source, result = node.args[0].meta["val"].shape, node.meta["val"].shape
    if kernel[-1] != kernel[-2] or padding[0] != padding[1] or groups not in (1, kernel[0]):
        return False
    first, last = _reach(kernel[-1], padding[0])
    # One padding on both sides must serve, since a convolution has no other.
    size = source[-1] - 2 * first - (last - first)
    return size == math.ceil(result[-1] / 2) and source[-1] == source[-2]


def _shuffled(graph_module: fx.GraphModule, node: fx.Node) -> fx.Node:
    source, weight, _, _, padding, _, groups, _ = _arguments(node)
    value = constant_value(graph_module, weight)
    # A group of a depthwise kernel [I,1,k,k] has one input and one output: its phases are [4,1,K,K].
    split = [value] if groups == 1 else list(value.split(1))
    kernels = torch.cat([phases(part, padding[0]) for part in split])
    pad = -_reach(value.shape[-1], padding[0])[0]
    constant = insert_constant(graph_module, node, weight.name, kernels)
    with graph_module.graph.inserting_before(node):
        call = graph_module.graph.call_function
        convolved = call(CONVOLUTION, (source, constant, None, [1, 1], [pad, pad], [1, 1], groups))
        result = call(aten.pixel_shuffle.default, (convolved, 2))
    for new in (convolved, result):
        new.meta = {**node.meta}
    return result


def _widen(graph_module: fx.GraphModule, node: fx.Node) -> None:
    kernels = constant_value(graph_module, node.args[1])
    node.update_arg(1, insert_constant(graph_module, node, node.args[1].name, F.pad(kernels, (0, 1, 0, 1))))


def _arguments(node: fx.Node) -> list[Any]:
    """input, weight, bias, stride, padding, output padding, groups, dilation; defaults filled in."""
    given = dict(enumerate(node.args))
    defaults = [None, None, None, [1, 1], [0, 0], [0, 0], 1, [1, 1]]
    return [given.get(index, default) for index, default in enumerate(defaults)]


def _replace(graph_module: fx.GraphModule, node: fx.Node, result: fx.Node) -> None:
    node.replace_all_uses_with(result)
    graph_module.graph.erase_node(node)
