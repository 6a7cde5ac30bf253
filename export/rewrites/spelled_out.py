"""Operations with an argument that converters drop without a word, written out in operations that have none.

coremltools 9.0 does not read `alpha` of sums and differences nor the mode of GELU, XNNPACK knows the exact GELU alone.
"""

from __future__ import annotations

import math

import torch
from torch import fx

aten = torch.ops.aten

_SUMS = (aten.add.Tensor, aten.sub.Tensor)
# rsub(x, y, alpha) is y - alpha * x: here the first argument is scaled.
_REVERSED = (aten.rsub.Tensor, aten.rsub.Scalar)


def alpha_as_product(graph_module: fx.GraphModule) -> None:
    """x + alpha * y and x - alpha * y get a multiplication of their own; a number for y takes the factor itself."""
    for node in list(graph_module.graph.nodes):
        if node.target not in (*_SUMS, *_REVERSED):
            continue
        # An overload with a number for y takes alpha by position too.
        alpha = node.kwargs.get("alpha", node.args[2] if len(node.args) > 2 else 1)
        node.args, node.kwargs = node.args[:2], {}
        if alpha != 1:
            index = 0 if node.target in _REVERSED else 1
            node.update_arg(index, _scaled(graph_module, node, node.args[index], alpha))


def tanh_gelu_as_formula(graph_module: fx.GraphModule) -> None:
    """gelu(x, "tanh") becomes x/2 * (1 + tanh(x * (c + 0.044715 c x^2))) with c = sqrt(2/pi), its definition (Hendrycks and Gimpel 2016).

    Where x^2 overflows, tanh is 1 or -1 either way.
    """
    for node in list(graph_module.graph.nodes):
        if node.target != aten.gelu.default or node.kwargs.get("approximate", "none") != "tanh":
            continue
        x, c = node.args[0], math.sqrt(2.0 / math.pi)
        square = _call(graph_module, node, aten.mul.Tensor, x, x)
        slope = _call(graph_module, node, aten.add.Tensor, _scaled(graph_module, node, square, 0.044715 * c), c)
        bent = _call(graph_module, node, aten.tanh.default, _call(graph_module, node, aten.mul.Tensor, x, slope))
        share = _call(graph_module, node, aten.add.Tensor, bent, 1.0)
        half = _scaled(graph_module, node, x, 0.5)
        node.replace_all_uses_with(_call(graph_module, node, aten.mul.Tensor, half, share))
        graph_module.graph.erase_node(node)


def _scaled(graph_module: fx.GraphModule, before: fx.Node, value: fx.Node | float, factor: float) -> fx.Node | float:
    if not isinstance(value, fx.Node):
        return value * factor
    product = _call(graph_module, before, aten.mul.Tensor, value, factor)
    product.meta["val"] = value.meta["val"]
    return product


def _call(graph_module: fx.GraphModule, before: fx.Node, target: torch._ops.OpOverload, *args: fx.Node | float) -> fx.Node:
    """A new operation in front of `before`, with its shape and its home."""
    with graph_module.graph.inserting_before(before):
        node = graph_module.graph.call_function(target, args)
    node.meta = {**before.meta}
    return node
