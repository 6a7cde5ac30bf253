"""Keeps activations in one memory layout: XNNPACK runs channels last from convolution to convolution if every operand has four axes.

Added to an activation, noise of shape [H,W] sends it back to channels first and forth again, two passes over memory per layer.
"""

from __future__ import annotations

import torch
from torch import fx

from export.constants import constant_value, insert_constant, is_constant

aten = torch.ops.aten

_BINARY = (aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor)


def constants_with_all_axes(graph_module: fx.GraphModule) -> None:
    """x + c with a constant c of fewer axes than x becomes x + c[None, ...], which broadcasts alike."""
    for node in list(graph_module.graph.nodes):
        if node.target not in _BINARY or not all(isinstance(arg, fx.Node) for arg in node.args):
            continue
        for constant in node.args:
            missing = node.meta["val"].ndim - constant.meta["val"].ndim
            if is_constant(constant) and constant.meta["val"].ndim > 0 and missing > 0:
                value = constant_value(graph_module, constant)[(None,) * missing]
                node.replace_input_with(constant, insert_constant(graph_module, node, constant.name, value))
