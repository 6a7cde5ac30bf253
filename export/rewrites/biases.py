"""Moves an addition of one number per channel into the bias of the convolution or linear layer in front of it."""

from __future__ import annotations

import torch
from torch import Tensor, fx

from export.constants import constant_value, insert_constant, is_constant

aten = torch.ops.aten


def fold_added_biases(graph_module: fx.GraphModule) -> None:
    """conv(x, W, b) + c becomes conv(x, W, b + c); likewise for linear layers (the encoder's w_avg, to_rgb's bias)."""
    for node in list(graph_module.graph.nodes):
        if node.target != aten.add.Tensor or node.kwargs or not all(isinstance(arg, fx.Node) for arg in node.args):
            continue
        for layer, addend in (node.args, node.args[::-1]):
            if is_constant(addend) and _accepts(layer, constant_value(graph_module, addend)):
                _absorb(graph_module, layer, addend)
                node.replace_all_uses_with(layer)
                graph_module.graph.erase_node(node)
                break


def _accepts(layer: fx.Node, addend: Tensor) -> bool:
    if layer.target not in (aten.conv2d.default, aten.linear.default) or len(layer.users) > 1 or not is_constant(layer.args[1]):
        return False
    channels = layer.args[1].meta["val"].shape[0]
    axis = -3 if layer.target == aten.conv2d.default else -1
    aligned = [1] * (layer.meta["val"].ndim - addend.ndim) + list(addend.shape)
    return addend.numel() == channels and aligned[axis] == channels


def _absorb(graph_module: fx.GraphModule, layer: fx.Node, addend: fx.Node) -> None:
    bias = constant_value(graph_module, addend).reshape(-1)
    old = layer.args[2] if len(layer.args) > 2 else None
    if old is not None:
        bias = bias + constant_value(graph_module, old)
    new = insert_constant(graph_module, layer, addend.name, bias)
    layer.args = (*layer.args[:2], new, *layer.args[3:])
