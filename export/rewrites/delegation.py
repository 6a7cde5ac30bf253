"""Re-authors operations that mobile backends leave to the slow portable interpreter, as ones that they take.

XNNPACK takes slices but no select, and means only over both spatial axes of four dimensions with the axes kept.
"""

from __future__ import annotations

import torch
from torch import fx

from export.constants import constant_value, insert_constant, is_constant

aten = torch.ops.aten


def select_as_slice(graph_module: fx.GraphModule) -> None:
    """x[:, i] becomes x[:, i:i+1] with the axis reshaped away."""
    for node in list(graph_module.graph.nodes):
        if node.target != aten.select.int:
            continue
        source, axis, index = node.args
        index = index % source.meta["val"].shape[axis]
        with graph_module.graph.inserting_before(node):
            part = graph_module.graph.call_function(aten.slice.Tensor, (source, axis, index, index + 1))
            result = graph_module.graph.call_function(aten.reshape.default, (part, list(node.meta["val"].shape)))
        _copy_meta(node, part, torch.empty(part_shape(source.meta["val"].shape, axis), device="meta"))
        _replace(graph_module, node, result)


def part_shape(shape: torch.Size, axis: int) -> list[int]:
    """The shape of a tensor cut down to one entry along `axis`."""
    sizes = list(shape)
    sizes[axis] = 1
    return sizes


def mean_as_spatial_mean(graph_module: fx.GraphModule) -> None:
    """The mean over the last axis of [1,L,D] becomes the spatial mean of [1,L,1,D]; a dropped axis is reshaped away."""
    for node in list(graph_module.graph.nodes):
        if node.target != aten.mean.dim:
            continue
        source, axes = node.args[0], list(node.args[1])
        shape = source.meta["val"].shape
        spatial = sorted(axis % len(shape) for axis in axes) == [2, 3] and len(shape) == 4
        kept = len(node.args) > 2 and node.args[2]
        if spatial and kept:
            continue
        if not spatial and not (len(shape) == 3 and [axis % 3 for axis in axes] == [2]):
            continue
        with graph_module.graph.inserting_before(node):
            call = graph_module.graph.call_function
            square = source if spatial else call(aten.reshape.default, (source, [shape[0], shape[1], 1, shape[2]]))
            mean = call(aten.mean.dim, (square, [2, 3], True))
            result = call(aten.reshape.default, (mean, list(node.meta["val"].shape)))
        for new in {square, mean} - {source}:
            _copy_meta(node, new, node.meta["val"])
        _replace(graph_module, node, result)


def matmul_as_linear(graph_module: fx.GraphModule) -> None:
    """x @ V with a constant V becomes a linear layer, which quantizers and backends know."""
    for node in list(graph_module.graph.nodes):
        if node.target not in (aten.matmul.default, aten.mm.default) or not is_constant(node.args[1]):
            continue
        matrix = constant_value(graph_module, node.args[1])
        if matrix.ndim != 2:
            continue
        weight = insert_constant(graph_module, node, node.args[1].name, matrix.t())
        with graph_module.graph.inserting_before(node):
            result = graph_module.graph.call_function(aten.linear.default, (node.args[0], weight))
        _replace(graph_module, node, result)


def unsqueeze_as_reshape(graph_module: fx.GraphModule) -> None:
    """A chain of unsqueezes becomes one reshape."""
    for node in reversed(graph_module.graph.nodes):
        if node.target != aten.unsqueeze.default:
            continue
        source = node.args[0]
        while source.op == "call_function" and source.target == aten.unsqueeze.default:
            source = source.args[0]
        with graph_module.graph.inserting_before(node):
            result = graph_module.graph.call_function(aten.reshape.default, (source, list(node.meta["val"].shape)))
        _replace(graph_module, node, result)


def hardsigmoid_as_clamp(graph_module: fx.GraphModule) -> None:
    """hardsigmoid(x) becomes clamp(x / 6 + 1/2, 0, 1), its definition; the stock decomposition casts in a way no backend takes."""
    for node in list(graph_module.graph.nodes):
        if node.target != aten.hardsigmoid.default:
            continue
        with graph_module.graph.inserting_before(node):
            call = graph_module.graph.call_function
            sixth = call(aten.mul.Tensor, (node.args[0], 1.0 / 6.0))
            centred = call(aten.add.Tensor, (sixth, 0.5))
            result = call(aten.clamp.default, (centred, 0.0, 1.0))
        for new in (sixth, centred):
            _copy_meta(node, new, node.meta["val"])
        _replace(graph_module, node, result)


def _replace(graph_module: fx.GraphModule, node: fx.Node, result: fx.Node) -> None:
    _copy_meta(node, result, node.meta["val"])
    node.replace_all_uses_with(result)
    graph_module.graph.erase_node(node)


def _copy_meta(source: fx.Node, new: fx.Node, value: torch.Tensor) -> None:
    new.meta = {**source.meta, "val": value}
