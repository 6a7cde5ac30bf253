"""A graph traced for one face, made to take several: only shapes and stored zeros say how many there are."""

from __future__ import annotations

import copy

import torch
from torch import fx

from export.constants import constant_value, is_constant

aten = torch.ops.aten
_SHAPED = (aten.reshape.default, aten.view.default, aten.expand.default)


def free_batch(graph_module: fx.GraphModule) -> fx.GraphModule:
    """Returns a copy that takes any number of faces.

    `reshape(x, [1, ...])` becomes `reshape(x, [-1, ...])`, an expansion leaves the first axis as it is, and zeros stored for one face that
    are concatenated with `x` (the levels that an editor leaves alone) become padding of `x`.

    A copy, because the graph for one face is what is folded, counted and quantized. It has lost the guard that refuses another batch
    size than 1. An operation that mixes the faces of a batch is left as it is; tracing or the comparison with single faces finds it.

    Args:
        graph_module: a traced graph for batch size 1, with shapes at its nodes.
    """
    freed = copy.deepcopy(graph_module.graph)
    for node in list(freed.nodes):
        if node.target in _SHAPED and node.meta["val"].shape[:1] == (1,):
            node.args = (node.args[0], [-1, *node.meta["val"].shape[1:]])
        elif node.target is aten.cat.default:
            _zeros_as_padding(graph_module, freed, node)
    freed.eliminate_dead_code()
    return fx.GraphModule(graph_module, freed)


def _zeros_as_padding(graph_module: fx.GraphModule, graph: fx.Graph, cat: fx.Node) -> None:
    sources, rank = list(cat.args[0]), cat.meta["val"].ndim
    axis = (cat.args[1] if len(cat.args) > 1 else 0) % rank
    if axis == 0 or not any(_is_zero(graph_module, source) for source in sources):
        return
    # Each source that depends on the input, with the zeros before the first and those behind each.
    padded: list[tuple[fx.Node, int, int]] = []
    before = 0
    for source in sources:
        size = source.meta["val"].shape[axis]
        if not _is_zero(graph_module, source):
            padded.append((source, before, 0))
            before = 0
        elif padded:
            padded[-1] = (*padded[-1][:2], padded[-1][2] + size)
        else:
            before += size
    with graph.inserting_before(cat):
        parts = [_padded(graph, source, rank, axis, first, last) for source, first, last in padded]
    cat.args = (parts, axis)


def _is_zero(graph_module: fx.GraphModule, node: fx.Node) -> bool:
    """True for a node that reads a stored tensor of zeros."""
    return is_constant(node) and not constant_value(graph_module, node).any()


def _padded(graph: fx.Graph, source: fx.Node, rank: int, axis: int, first: int, last: int) -> fx.Node:
    if first == last == 0:
        return source
    # From the last axis to the first, as torch.nn.functional.pad has it.
    pads = [0, 0] * (rank - 1 - axis) + [first, last]
    return graph.call_function(aten.constant_pad_nd.default, (source, pads, 0.0))
