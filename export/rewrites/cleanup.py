"""Removes what tracing leaves behind: metadata assertions, casts to the same type, and in-place spellings."""

from __future__ import annotations

import torch
from torch import fx

aten = torch.ops.aten

_FUNCTIONAL = {
    aten.relu_.default: aten.relu.default,
    aten.hardswish_.default: aten.hardswish.default,
    aten.hardtanh_.default: aten.hardtanh.default,
    aten.silu_.default: aten.silu.default,
    aten.leaky_relu_.default: aten.leaky_relu.default,
    aten.add_.Tensor: aten.add.Tensor,
    aten.sub_.Tensor: aten.sub.Tensor,
    aten.mul_.Tensor: aten.mul.Tensor,
}
# Each returns its first argument when shape and dtype stay the same.
_SOMETIMES_IDENTITY = (aten.to.dtype, aten.expand.default, aten.reshape.default, aten.view.default, aten.clone.default)


def remove_identities(graph_module: fx.GraphModule) -> None:
    """Drops assertions and operations that return their input unchanged."""
    for node in list(graph_module.graph.nodes):
        if node.target == aten._assert_tensor_metadata.default:
            graph_module.graph.erase_node(node)
        elif node.target in _SOMETIMES_IDENTITY and _same_tensor(node, node.args[0]):
            node.replace_all_uses_with(node.args[0])
            graph_module.graph.erase_node(node)


def _same_tensor(node: fx.Node, source: object) -> bool:
    if not isinstance(source, fx.Node) or "val" not in source.meta:
        return False
    before, after = source.meta["val"], node.meta["val"]
    return before.shape == after.shape and before.dtype == after.dtype


def make_functional(graph_module: fx.GraphModule) -> None:
    """Turns in-place activations into functional ones.

    Sound when nothing but the in-place operation reads the value that it overwrites, directly or through a view, which is checked.

    Raises:
        ValueError: an overwritten value has another reader.
    """
    for node in graph_module.graph.nodes:
        if node.target in _FUNCTIONAL:
            others = [user.name for user in node.args[0].users if user is not node]
            if others:
                raise ValueError(f"{node.name} overwrites {node.args[0].name}, which {others[0]} reads too")
            node.target = _FUNCTIONAL[node.target]


def remove_unused_tensors(graph_module: fx.GraphModule) -> None:
    """Deletes the parameters and buffers that no node reads any more, so that no backend ships them."""
    read = {str(node.target) for node in graph_module.graph.nodes if node.op == "get_attr"}
    stored = [name for name, _ in [*graph_module.named_parameters(), *graph_module.named_buffers()]]
    for name in stored:
        if name not in read:
            owner, _, leaf = name.rpartition(".")
            delattr(graph_module.get_submodule(owner), leaf)
