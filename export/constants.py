"""The stored tensors of a traced graph: which nodes read one, its value, and how a new one is put in."""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor, fx


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
    """Stores `value` as a new buffer and returns a node that reads it, placed ahead of `before`.

    A constant that is made from `x` is called `x_folded`, one that is made from that `x_folded_1`, and so on, so that names do not
    depend on which of the earlier ones are still there.
    """
    found = re.fullmatch(r"(.*?)_folded(?:_(\d+))?", name)
    stem, count = (name, 0) if found is None else (found[1], int(found[2] or 0) + 1)
    unique = f"{stem}_folded" if count == 0 else f"{stem}_folded_{count}"
    while hasattr(graph_module, unique):
        count += 1
        unique = f"{stem}_folded_{count}"
    graph_module.register_buffer(unique, value.detach().clone().contiguous())
    with graph_module.graph.inserting_before(before):
        node = graph_module.graph.get_attr(unique)
    node.meta["val"] = value
    return node
