"""ExecuTorch with the XNNPACK delegate: static int8 by PT2E quantization, and a refusal to leave heavy operations behind."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import warnings
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.graphs import trace
from export.lowering.result import Lowered, count
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, fx, nn

# Left to the portable interpreter, one of these costs seconds per photo: 65 s against 0.1 s for one StyleGAN2 at 256 px.
HEAVY = ("convolution", "conv2d", "conv_transpose2d", "linear", "addmm", "mm", "bmm")
# Tuple access and the call of the delegate itself: no arithmetic of their own.
_STRUCTURE = ("getitem", "executorch_call_delegate", "alloc")
_BOOKKEEPING = (*_STRUCTURE, "quantized_decomposed", "dim_order_ops")


def lower(graph: nn.Module, example: Tensor, destination: Path, part: str) -> Lowered:
    """Writes `graph` (float or already quantized) as a .pte program with one method, `forward`.

    Args:
        graph: folded network with one input.
        example: float32 input that fixes the shapes.
        destination: file to write.
        part: the name used in errors.

    Raises:
        UserError: a convolution or linear layer is not delegated; the message names it and its module.
    """
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    with _quiet():
        edge = to_edge_transform_and_lower(_bare_trace(graph, example), partitioner=[XnnpackPartitioner()])
        lowered = _delegation(edge.exported_program().graph_module)
        _refuse_heavy(edge.exported_program().graph_module, part)
        program = edge.to_executorch()
        destination.write_bytes(program.buffer)
    return dataclasses.replace(lowered, planned_bytes=_planned_bytes(program))


def quantize(graph: nn.Module, calibration: list[Tensor], keep_float: Collection[str] = ()) -> fx.GraphModule:
    """Returns an int8 copy: symmetric weights per output channel, convolutions with calibrated activation ranges.

    Linear layers (styles, demodulation, editors) measure the range of their input at run time: they cost next to nothing, and their
    inputs vary more between faces than a fixed range allows.

    Args:
        graph: folded fp32 network.
        calibration: float32 inputs of batch size 1 that set the activation ranges.
        keep_float: names of graph nodes that stay in fp32.
    """
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantizer = XNNPACKQuantizer()
    quantizer.set_operator_type(torch.ops.aten.conv2d.default, get_symmetric_quantization_config(is_per_channel=True))
    dynamic = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=True)
    quantizer.set_operator_type(torch.ops.aten.linear.default, dynamic)
    quantizer.set_filter_function(lambda node: node.name not in keep_float)
    with _quiet(), torch.no_grad():
        prepared = prepare_pt2e(_bare_trace(graph, calibration[0]).module(check_guards=False), quantizer)
        for sample in calibration:
            prepared(sample)
        return convert_pt2e(prepared)


def quantizable(graph: fx.GraphModule) -> dict[str, str]:
    """Names of the convolutions that `quantize` can leave in float, with the module that each came from."""
    import torch

    nodes = [node for node in graph.graph.nodes if node.target == torch.ops.aten.conv2d.default]
    return {node.name: module_path(node) for node in nodes}


def module_path(node: fx.Node) -> str:
    """The dotted path of the module that a graph node was traced from."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return str(stack[-1][0]) if stack else "unknown module"


def _bare_trace(graph: nn.Module, example: Tensor) -> Any:
    program = trace(graph, example)
    for node in program.graph.nodes:
        node.meta.pop("from_node", None)
    return program


def _delegation(graph_module: fx.GraphModule) -> Lowered:
    delegated: list[str] = []
    for _, lowered in _delegates(graph_module):
        nodes = lowered.original_module.graph_module.graph.nodes
        delegated += [_op_name(node) for node in nodes if node.op == "call_function"]
    undelegated = [_op_name(node) for node in _undelegated(graph_module)]
    operations = [name for name in [*delegated, *undelegated] if name not in _BOOKKEEPING]
    return Lowered(count(operations), count(undelegated), len(_delegates(graph_module)))


def _planned_bytes(program: Any) -> int:
    # Index 0 is reserved by the format and always empty.
    return sum(program.executorch_program.execution_plan[0].non_const_buffer_sizes)


def _delegates(graph_module: fx.GraphModule) -> list[tuple[str, Any]]:
    names = [str(node.target) for node in graph_module.graph.nodes if node.op == "get_attr"]
    return [(name, getattr(graph_module, name)) for name in names if hasattr(getattr(graph_module, name), "original_module")]


def _undelegated(graph_module: fx.GraphModule) -> list[fx.Node]:
    calls = [node for node in graph_module.graph.nodes if node.op == "call_function"]
    return [node for node in calls if _op_name(node) not in _STRUCTURE]


def _op_name(node: fx.Node) -> str:
    # Edge operators carry their schema in str(); the part after the name space and before the overload is what people know.
    name = getattr(node.target, "__name__", str(node.target))
    return name.removeprefix("aten.").split(".")[0]


def _refuse_heavy(graph_module: fx.GraphModule, part: str) -> None:
    for node in _undelegated(graph_module):
        if _op_name(node) in HEAVY:
            raise UserError(
                f"{part}: {_op_name(node)} of module {module_path(node)!r} is not delegated to XNNPACK and would run in the "
                f"portable interpreter; use constant weights and a supported form"
            )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the SDK's advice to its developers off the user's terminal."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
