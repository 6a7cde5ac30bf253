"""ExecuTorch with one accelerated backend, and a refusal to leave heavy operations behind."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.lowering.coreml_backend import quiet_conversion
from export.lowering.result import Lowered, count
from export.lowering.static_int8 import bare_trace, quiet
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, fx, nn

XNNPACK, VULKAN, CORE_ML = "XNNPACK", "Vulkan", "Core ML"
# Left to the portable interpreter, one of these costs seconds per photo: 65 s against 0.1 s for one StyleGAN2 at 256 px.
HEAVY = ("convolution", "conv2d", "conv_transpose2d", "linear", "addmm", "mm", "bmm")
# Tuple access and the call of the delegate itself: no arithmetic of their own.
_STRUCTURE = ("getitem", "executorch_call_delegate", "alloc")
_BOOKKEEPING = (*_STRUCTURE, "quantized_decomposed", "dim_order_ops")


def lower(
    graph: nn.Module, example: Tensor, destination: Path, part: str, backend: str = XNNPACK, precision: str = "fp32"
) -> Lowered:
    """Writes `graph` (float or already quantized) as a .pte program with one method, `forward`.

    Args:
        graph: folded network with one input.
        example: float32 input that fixes the shapes.
        destination: file to write.
        part: the name used in errors.
        backend: XNNPACK, Vulkan or Core ML.
        precision: fp32, or fp16 arithmetic, which Vulkan and Core ML choose themselves; XNNPACK follows `graph`.

    Raises:
        UserError: a convolution or linear layer is not delegated; the message names it and its module.
        ValueError: unknown backend.
    """
    from executorch.exir import to_edge_transform_and_lower

    with quiet(), quiet_conversion() if backend == CORE_ML else contextlib.nullcontext():
        edge = to_edge_transform_and_lower(bare_trace(graph, example), partitioner=[_partitioner(backend, precision)])
        lowered = _delegation(edge.exported_program().graph_module)
        _refuse_heavy(edge.exported_program().graph_module, part, backend)
        program = edge.to_executorch()
        destination.write_bytes(program.buffer)
    return dataclasses.replace(lowered, planned_bytes=_planned_bytes(program))


def xnnpack_form(graph: fx.GraphModule, example: Tensor, precision: str) -> fx.GraphModule:
    """A folded graph in the forms that XNNPACK computes fastest; the same function. The graph stays as it is.

    Where arithmetic is fp32, transposed convolutions become phases. In eight bits XNNPACK's own are as fast, and their weights smaller.
    A graph that doubles no side has one form.

    Args:
        graph: folded fp32 network.
        example: float32 input that fixes the shapes.
        precision: what the arithmetic will be; anything but fp32 is eight bits, at least in part.
    """
    from export.fold import retrace
    from export.layers import TRANSPOSED_CONVOLUTION
    from export.rewrites.cleanup import remove_unused_tensors
    from export.rewrites.upsampling import filters_as_phases, transposed_as_phases

    if not any(node.target == TRANSPOSED_CONVOLUTION for node in graph.graph.nodes):
        return graph
    copied = copy.deepcopy(graph)
    for rewrite in (filters_as_phases, transposed_as_phases) if precision == "fp32" else (filters_as_phases,):
        rewrite(copied)
        copied.graph.lint()
    remove_unused_tensors(copied)
    copied.recompile()
    return retrace(copied, example)


def _partitioner(backend: str, precision: str) -> Any:
    if backend == XNNPACK:
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

        return XnnpackPartitioner()
    if backend == VULKAN:
        from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

        return VulkanPartitioner({"force_fp16": precision == "fp16"})
    if backend == CORE_ML:
        return _coreml_partitioner(precision)
    raise ValueError(f"unknown backend {backend!r}; valid: {XNNPACK}, {VULKAN}, {CORE_ML}")


def _coreml_partitioner(precision: str) -> Any:
    import coremltools as ct
    from executorch.backends.apple.coreml.compiler import CoreMLBackend
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner

    rounding = ct.precision.FLOAT16 if precision == "fp16" else ct.precision.FLOAT32
    specs = CoreMLBackend.generate_compile_specs(minimum_deployment_target=ct.target.iOS17, compute_precision=rounding)
    return CoreMLPartitioner(compile_specs=specs)


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


def _refuse_heavy(graph_module: fx.GraphModule, part: str, backend: str) -> None:
    from export.layers import module_path

    for node in _undelegated(graph_module):
        if _op_name(node) in HEAVY:
            raise UserError(
                f"{part}: {_op_name(node)} of module {module_path(node)!r} is not delegated to {backend} and would run in the "
                f"portable interpreter; use constant weights and a supported form"
            )
