"""Moves a multiplication by a positive number upstream until a weight absorbs it.

The gain of sqrt(2) behind each leaky ReLU costs a pass over memory at full resolution, which is what phones are short of. Leaky ReLU
is positively homogeneous, so the gain passes through it and through additions, and ends in biases, noise and the matrix of
demodulation: g * rsqrt(s^2 @ V + eps) = rsqrt(s^2 @ (V / g^2) + eps / g^2).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import fx

from export.constants import constant_value, insert_constant, is_constant

aten = torch.ops.aten

_LINEAR_LAYERS = (aten.conv2d.default, aten.linear.default)
_HOMOGENEOUS = (aten.leaky_relu.default, aten.relu.default)
_MOVES_DATA = (
    aten.unsqueeze.default,
    aten.reshape.default,
    aten.view.default,
    aten.flatten.using_ints,
    aten.slice.Tensor,
    aten.upsample_bilinear2d.vec,
    aten.pixel_shuffle.default,
)

# Applied once every step upstream is known to work; the gain is a positive number.
Absorb = Callable[[], None]


def sink_gains(graph_module: fx.GraphModule) -> None:
    """Removes each multiplication by a positive number whose factor something upstream can take over."""
    for node in list(graph_module.graph.nodes):
        if node.target != aten.mul.Tensor or not isinstance(node.args[1], (int, float)) or node.args[1] <= 0:
            continue
        actions = _plan(graph_module, node.args[0], node, float(node.args[1]))
        if actions is None:
            continue
        for action in actions:
            action()
        node.replace_all_uses_with(node.args[0])
        graph_module.graph.erase_node(node)


def _plan(graph_module: fx.GraphModule, node: object, user: fx.Node, gain: float) -> list[Absorb] | None:
    """How to make `user` see gain * node, or None when it cannot be done without touching other users."""
    if is_constant(node):
        return [lambda: _scale_constant(graph_module, user, node, gain)]
    if not isinstance(node, fx.Node) or node.op != "call_function" or len(node.users) > 1:
        return None
    if node.target in _LINEAR_LAYERS:
        layer = [arg for arg in node.args[1:3] if arg is not None]
        if not all(is_constant(arg) for arg in layer):
            return None
        return [partial(_scale_constant, graph_module, node, arg, gain) for arg in layer]
    if node.target in _HOMOGENEOUS or node.target in _MOVES_DATA:
        return _plan(graph_module, node.args[0], node, gain)
    if node.target == aten.rsqrt.default:
        return _plan(graph_module, node.args[0], node, gain**-2)
    if node.target == aten.add.Tensor and not node.kwargs:
        return _plan_sum(graph_module, node, gain)
    if node.target == aten.mul.Tensor:
        return _plan_product(graph_module, node, gain)
    return None


def _plan_sum(graph_module: fx.GraphModule, node: fx.Node, gain: float) -> list[Absorb] | None:
    if not isinstance(node.args[1], fx.Node):
        rest = _plan(graph_module, node.args[0], node, gain)
        return None if rest is None else [*rest, lambda: node.update_arg(1, node.args[1] * gain)]
    actions: list[Absorb] = []
    for arg in node.args:
        side = _plan(graph_module, arg, node, gain)
        if side is None:
            return None
        actions += side
    return actions


def _plan_product(graph_module: fx.GraphModule, node: fx.Node, gain: float) -> list[Absorb] | None:
    if not isinstance(node.args[1], fx.Node):
        return [lambda: node.update_arg(1, node.args[1] * gain)]
    for factor in sorted(node.args, key=lambda arg: arg.meta["val"].numel()):
        actions = _plan(graph_module, factor, node, gain)
        if actions is not None:
            return actions
    return None


def _scale_constant(graph_module: fx.GraphModule, user: fx.Node, constant: fx.Node, gain: float) -> None:
    scaled = (constant_value(graph_module, constant).double() * gain).float()
    user.replace_input_with(constant, insert_constant(graph_module, user, constant.name, scaled))
