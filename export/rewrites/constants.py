"""Constant folding: whatever does not depend on the input is computed once, here, instead of on every phone and every photo.

Covers equalised-learning-rate gains, frozen noise times its strength, and the squared weights of demodulation.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor, fx

aten = torch.ops.aten

# Their value depends on the shape of the input alone, and shapes are static.
_SHAPE_ONLY = {aten.zeros_like.default: 0.0, aten.ones_like.default: 1.0}


def is_constant(node: Any) -> bool:
    """True for a node that reads a stored tensor."""
    return isinstance(node, fx.Node) and node.op == "get_attr"


def constant_value(graph_module: fx.GraphModule, node: fx.Node) -> Tensor:
    """The stored tensor that a constant node reads."""
    value: Any = graph_module
    for step in str(node.target).split("."):
        value = getattr(value, step)
    return value.detach()


def insert_constant(graph_module: fx.GraphModule, before: fx.Node, name: str, value: Tensor) -> fx.Node:
    """Stores `value` as a new buffer and returns a node that reads it, placed ahead of `before`."""
    stem = re.sub(r"_folded(_\d+)?$", "", name)
    unique, count = f"{stem}_folded", 1
    while hasattr(graph_module, unique):
        unique, count = f"{stem}_folded_{count}", count + 1
    graph_module.register_buffer(unique, value.detach().clone().contiguous())
    with graph_module.graph.inserting_before(before):
        node = graph_module.graph.get_attr(unique)
    node.meta["val"] = value
    return node


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
