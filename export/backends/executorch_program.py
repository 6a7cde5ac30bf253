"""ExecuTorch programs, whichever backend computes in them: written without heavy operations left behind, and run on this machine."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.backends.backend import Job, Runner
from export.backends.loading import refusals_named
from export.backends.lowered import Lowered, count
from export.backends.static_int8 import bare_trace
from export.graphs import GraphSpec
from export.quiet import native_stderr_closed, quiet
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, fx, nn

# Left to the portable interpreter, one of these costs seconds per photo: 65 s against 0.1 s for one StyleGAN2 at 256 px.
HEAVY = ("convolution", "conv2d", "conv_transpose2d", "linear", "addmm", "mm", "bmm")
# Tuple access and the call of the delegate itself: no arithmetic of their own.
_STRUCTURE = ("getitem", "executorch_call_delegate", "alloc")
_BOOKKEEPING = (*_STRUCTURE, "quantized_decomposed", "dim_order_ops")


def lower(graph: nn.Module, job: Job, path: Path, partitioner: Any, backend: str) -> Lowered:
    """Writes `graph` (float or already quantized) as a .pte program with one method, `forward`.

    Args:
        graph: formed network with one input.
        job: its name for errors, and the inputs whose first fixes the shapes.
        path: file to write.
        partitioner: the SDK's object that gives operations to the backend.
        backend: the backend's name, for errors.

    Raises:
        UserError: a convolution or linear layer is not delegated; the message names it and its module.
    """
    from executorch.exir import to_edge_transform_and_lower

    with quiet():
        edge = to_edge_transform_and_lower(bare_trace(graph, job.calibration[0]), partitioner=[partitioner])
        lowered = _delegation(edge.exported_program().graph_module)
        _refuse_heavy(edge.exported_program().graph_module, job.spec.part, backend)
        program = edge.to_executorch()
        path.write_bytes(program.buffer)
    return dataclasses.replace(lowered, planned_bytes=_planned_bytes(program))


def load(path: Path, spec: GraphSpec, threads: int | None = None) -> Runner:
    """Opens a .pte program that this machine's processor can run.

    ExecuTorch has one pool of threads per process, and a loaded program keeps pointing at it: a process must stay with one count.

    Raises:
        UserError: the runtime refuses the file.
    """
    with refusals_named(path), native_stderr_closed():
        from executorch.runtime import Runtime, Verification

        if threads is not None:
            _set_threads(threads)
        program = Runtime.get().load_program(path.read_bytes(), verification=Verification.InternalConsistency)
        program.load_method("forward")

    def run(value: Tensor) -> Tensor:
        # The program owns the bytes that its methods point into, so the closure holds the program, not the method. Outputs are
        # copied because the next call overwrites them.
        with refusals_named(path):
            return program.load_method("forward").execute([value.contiguous()])[0].clone()

    return run


def _set_threads(count: int) -> None:
    from executorch.extension.pybindings.portable_lib import _threadpool_get_thread_count, _unsafe_reset_threadpool

    if _threadpool_get_thread_count() != count:
        _unsafe_reset_threadpool(count)


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
