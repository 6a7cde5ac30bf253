"""Folds inference batch normalisation into the convolution in front of it (Jacob et al. 2018, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, fx

from export.constants import constant_value, insert_constant, is_constant

aten = torch.ops.aten


def fold_batch_norm(graph_module: fx.GraphModule) -> None:
    """conv(x, W, b) then gamma * (y - mu) / sqrt(var + eps) + beta becomes one convolution with weight W * gamma / sqrt(var + eps)."""
    for node in list(graph_module.graph.nodes):
        if node.target != aten.batch_norm.default or node.args[5]:
            continue
        conv = node.args[0]
        if conv.target != aten.conv2d.default or len(conv.users) > 1 or not is_constant(conv.args[1]):
            continue
        _merge(graph_module, conv, node)


def _merge(graph_module: fx.GraphModule, conv: fx.Node, norm: fx.Node) -> None:
    weight = constant_value(graph_module, conv.args[1])
    bias = _optional(graph_module, conv.args[2] if len(conv.args) > 2 else None, torch.zeros(weight.shape[0]))
    gamma = _optional(graph_module, norm.args[1], torch.ones(weight.shape[0]))
    beta = _optional(graph_module, norm.args[2], torch.zeros(weight.shape[0]))
    mean, variance = (constant_value(graph_module, source) for source in norm.args[3:5])
    # In double precision, so that folding costs no accuracy worth measuring.
    scale = gamma.double() / torch.sqrt(variance.double() + norm.args[7])
    shift = (bias.double() - mean.double()) * scale + beta.double()
    name = conv.args[1].name
    new_weight = insert_constant(graph_module, conv, name, (weight.double() * scale[:, None, None, None]).float())
    new_bias = insert_constant(graph_module, conv, f"{name}_bias", shift.float())
    conv.args = (conv.args[0], new_weight, new_bias, *conv.args[3:])
    norm.replace_all_uses_with(conv)
    graph_module.graph.erase_node(norm)


def _optional(graph_module: fx.GraphModule, node: fx.Node | None, default: Tensor) -> Tensor:
    return default if node is None else constant_value(graph_module, node)
