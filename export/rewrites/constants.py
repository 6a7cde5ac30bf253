"""Constant folding: whatever does not depend on the input is computed once, here, instead of on every phone and every photo.

Covers equalised-learning-rate gains, frozen noise times its strength, and the squared weights of demodulation.
"""

from __future__ import annotations

import torch
from torch import Tensor, fx

from export.constants import constant_value, insert_constant, is_constant

aten = torch.ops.aten

# Their value depends on the shape of the input alone, and shapes are static.
_SHAPE_ONLY = {aten.zeros_like.default: 0.0, aten.ones_like.default: 1.0}


def fold_constants(graph_module: fx.GraphModule) -> None:
    """Replaces every operation whose inputs are all constants by its value."""
    for node in list(graph_module.graph.nodes):
        if node.op != "call_function":
            continue
        if node.target in _SHAPE_ONLY:
            value = torch.full(node.meta["val"].shape, _SHAPE_ONLY[node.target])
        elif node.all_input_nodes and all(is_constant(source) for source in node.all_input_nodes):
            value = _evaluate(graph_module, node)
        else:
            continue
        source = node.all_input_nodes[0].name if is_constant(node.all_input_nodes[0]) else node.name
        node.replace_all_uses_with(insert_constant(graph_module, node, source, value))
        graph_module.graph.erase_node(node)


def _evaluate(graph_module: fx.GraphModule, node: fx.Node) -> Tensor:
    def load(source: fx.Node) -> Tensor:
        return constant_value(graph_module, source)

    with torch.no_grad():
        return node.target(*fx.map_arg(node.args, load), **fx.map_arg(node.kwargs, load))
