"""Interpolations that a backend would replace by another, as what they are: a product with a constant matrix along each axis.

coremltools 9.0 takes antialiased interpolation for the plain one. XNNPACK knows the size of the result alone, and takes the factor
from it: where a factor of 1.3 makes 10 pixels of 8, it interpolates by 1.25.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from export.constants import insert_constant

aten = torch.ops.aten

# By the operation as it is traced, the one that takes a size and factors at once.
_OPERATIONS = {
    aten.upsample_bilinear2d.vec: aten.upsample_bilinear2d.default,
    aten._upsample_bilinear2d_aa.vec: aten._upsample_bilinear2d_aa.default,
    aten._upsample_bicubic2d_aa.vec: aten._upsample_bicubic2d_aa.default,
}


def interpolation_as_products(graph_module: fx.GraphModule) -> None:
    """Antialiased interpolation, and a bilinear one by a factor that its sizes do not show, become two linear layers."""
    for node in list(graph_module.graph.nodes):
        if node.target in _OPERATIONS and (node.target != aten.upsample_bilinear2d.vec or _hides_its_factor(node)):
            node.replace_all_uses_with(_products(graph_module, node))
            graph_module.graph.erase_node(node)


def _hides_its_factor(node: fx.Node) -> bool:
    source, _, corners, factors = _arguments(node)
    if corners or factors is None:
        return False
    sizes = zip(source.meta["val"].shape[2:], factors, node.meta["val"].shape[2:], strict=True)
    return any(before * factor != after for before, factor, after in sizes)


def _products(graph_module: fx.GraphModule, node: fx.Node) -> fx.Node:
    result = node.args[0]
    # The last axis twice, with rows and columns exchanged in between.
    for axis in (3, 2):
        matrix = insert_constant(graph_module, node, f"{node.name}_matrix", _matrix(node, axis))
        with graph_module.graph.inserting_before(node):
            product = graph_module.graph.call_function(aten.linear.default, (result, matrix))
            turned = graph_module.graph.call_function(aten.permute.default, (product, [0, 1, 3, 2]))
        with torch.no_grad():
            product.meta = {**node.meta, "val": result.meta["val"].new_empty((*result.meta["val"].shape[:3], matrix.meta["val"].shape[0]))}
        turned.meta = {**node.meta, "val": product.meta["val"].permute(0, 1, 3, 2)}
        result = turned
    return result


def _matrix(node: fx.Node, axis: int) -> Tensor:
    """The operation along one axis as float32 [after,before]: what it makes of each unit vector."""
    source, _, corners, factors = _arguments(node)
    before, after = source.meta["val"].shape[axis], node.meta["val"].shape[axis]
    units = torch.eye(before).reshape(1, before, 1, before)
    factor = None if factors is None else factors[axis - 2]
    answers: Tensor = _OPERATIONS[node.target](units, [1, after], corners, None, factor)
    return answers.reshape(before, after).t()


def _arguments(node: fx.Node) -> list[Any]:
    """input, output size, align_corners, factors; None for what is not given."""
    return [*node.args, *[None] * (4 - len(node.args))]
