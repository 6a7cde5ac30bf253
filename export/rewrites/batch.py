"""A graph traced for one face, made to take several: only its reshapes and expansions say how many there are."""

from __future__ import annotations

import copy

import torch
from torch import fx

aten = torch.ops.aten
_SHAPED = (aten.reshape.default, aten.view.default, aten.expand.default)


def free_batch(graph_module: fx.GraphModule) -> fx.GraphModule:
    """Returns a copy in which `reshape(x, [1, ...])` becomes `reshape(x, [-1, ...])` and an expansion leaves the first axis as it is.

    A copy, because the graph for one face is what is folded, counted and quantized. It has lost the guard that refuses another batch
    size than 1. An operation that mixes the faces of a batch is left as it is; tracing or the comparison with single faces finds it.

    Args:
        graph_module: a traced graph for batch size 1, with shapes at its nodes.
    """
    freed = copy.deepcopy(graph_module.graph)
    for node in freed.nodes:
        if node.target in _SHAPED and node.meta["val"].shape[:1] == (1,):
            node.args = (node.args[0], [-1, *node.meta["val"].shape[1:]])
    return fx.GraphModule(graph_module, freed)
