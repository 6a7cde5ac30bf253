"""Max pooling over windows of one pixel only drops pixels; backends that refuse such a window take it as a depthwise convolution."""

from __future__ import annotations

import torch
from torch import fx

from export.constants import insert_constant

aten = torch.ops.aten


def subsampling_as_convolution(graph_module: fx.GraphModule) -> None:
    """max_pool2d(x, 1, stride) becomes a depthwise 1x1 convolution with weight 1; with stride 1 it is x itself."""
    for node in list(graph_module.graph.nodes):
        if node.target != aten.max_pool2d.default or list(node.args[1]) != [1, 1]:
            continue
        source = node.args[0]
        stride = list(node.args[2]) if len(node.args) > 2 and node.args[2] else [1, 1]
        channels = node.meta["val"].shape[1]
        if stride == [1, 1]:
            result = source
        else:
            weight = insert_constant(graph_module, node, f"{node.name}_weight", torch.ones(channels, 1, 1, 1))
            with graph_module.graph.inserting_before(node):
                args = (source, weight, None, stride, [0, 0], [1, 1], channels)
                result = graph_module.graph.call_function(aten.conv2d.default, args)
            result.meta = {**node.meta}
        node.replace_all_uses_with(result)
        graph_module.graph.erase_node(node)
