"""From a training module to its inference graph: the same function with everything constant computed in advance."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from export.graphs import trace

if TYPE_CHECKING:
    from torch import Tensor, fx, nn

    Rewrite = Callable[[fx.GraphModule], None]


def rewrites() -> tuple[Rewrite, ...]:
    """The rewrites that every target shares, in the order in which they enable each other.

    What a backend needs beyond them is in its own form.
    """
    from export.rewrites.batch_norm import fold_batch_norm
    from export.rewrites.biases import fold_added_biases
    from export.rewrites.cleanup import make_functional, remove_identities
    from export.rewrites.constants import fold_constants
    from export.rewrites.delegation import hardsigmoid_as_clamp, matmul_as_linear, unsqueeze_as_reshape
    from export.rewrites.gains import sink_gains
    from export.rewrites.subsampling import subsampling_as_convolution

    return (
        # The others look at neighbours: nothing that does nothing may stand in between.
        remove_identities,
        # An operation that overwrites its input cannot be moved or merged.
        make_functional,
        # From here on a weight is one stored tensor, however training computed it.
        fold_constants,
        # Needs the convolution's weight as a constant; leaves a bias.
        fold_batch_norm,
        subsampling_as_convolution,
        # Gains sink into linear layers, so matrix products become such before.
        matmul_as_linear,
        hardsigmoid_as_clamp,
        # Multiplications go before additions: a gain that has sunk leaves the bias next to its layer.
        sink_gains,
        fold_added_biases,
        # Last, since those before look for unsqueezed operands.
        unsqueeze_as_reshape,
    )


def fold(module: nn.Module, example: Tensor) -> fx.GraphModule:
    """Returns an inference copy of `module` for inputs of the shape of `example`; the module itself is not changed.

    Args:
        module: an fp32 network in eval mode with one input.
        example: float32 input; only its shape matters.
    """
    from timm.models import reparameterize_model

    from export.rewrites.cleanup import remove_unused_tensors

    # Branches that exist for training alone (RepVGG, MobileOne, RepViT) become one convolution, on a copy.
    graph_module = trace(reparameterize_model(module), example).module(check_guards=False)
    for rewrite in rewrites():
        rewrite(graph_module)
        graph_module.graph.eliminate_dead_code()
        graph_module.graph.lint()
    remove_unused_tensors(graph_module)
    graph_module.recompile()
    # Tracing again gives every node its shape and its final name.
    return retrace(graph_module, example)


def retrace(graph_module: nn.Module, example: Tensor) -> fx.GraphModule:
    """Traces a graph again and keeps of each node's history only the module that it came from.

    The rest (a chain of ancestors that grows with each tracing) is copied deeply by every pass of every backend.
    """
    traced = trace(graph_module, example).module(check_guards=False)
    for node in traced.graph.nodes:
        for key in ("from_node", "stack_trace", "source_fn_stack", "torch_fn"):
            node.meta.pop(key, None)
    return traced
