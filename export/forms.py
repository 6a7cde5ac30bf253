"""Forms of a folded graph: the same function in the operations that one backend takes, made on a copy after the fold that all share."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from export.fold import retrace

if TYPE_CHECKING:
    from torch import Tensor, fx

    from export.backends.backend import Job

    Rewrite = Callable[[fx.GraphModule], None]


def slices_and_spatial_means(graph: fx.GraphModule, job: Job) -> fx.GraphModule:
    """Slices instead of selects, means over two spatial axes, and constants with as many axes as what they are added to.

    XNNPACK needs it: it takes no other slices and means, and keeps activations in one memory layout only so. Other backends take either
    form; they use this one so that all targets compute with the same operations, and results can be compared layer by layer.
    """
    from export.rewrites.delegation import mean_as_spatial_mean, select_as_slice
    from export.rewrites.layout import constants_with_all_axes

    return reformed(graph, job.calibration[0], (select_as_slice, mean_as_spatial_mean, constants_with_all_axes))


def reformed(graph: fx.GraphModule, example: Tensor, rewrites: Sequence[Rewrite]) -> fx.GraphModule:
    """A rewritten copy of a graph, or the graph itself where no rewrite finds anything; tensors that both have are shared.

    Args:
        graph: folded fp32 network.
        example: float32 input that fixes the shapes.
        rewrites: applied in this order.
    """
    from torch import fx

    from export.rewrites.cleanup import remove_unused_tensors

    copied = fx.GraphModule(graph, copy.deepcopy(graph.graph))
    before = _operations(copied)
    for rewrite in rewrites:
        rewrite(copied)
        copied.graph.lint()
    if _operations(copied) == before:
        return graph
    remove_unused_tensors(copied)
    copied.recompile()
    return retrace(copied, example)


def _operations(graph: fx.GraphModule) -> list[tuple[str, object]]:
    return [(node.op, node.target) for node in graph.graph.nodes]
