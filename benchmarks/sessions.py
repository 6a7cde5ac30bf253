"""Networks in their runtimes, with a stated number of threads: what the benchmarks run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from textedit_core.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor, fx, nn

    from export.graphs import GraphSpec

Runner = Callable[["Tensor"], "Tensor"]


def require_runtime(target: str) -> None:
    """Refuses a bundle's target that nothing here runs.

    Raises:
        UsageError: it is neither android nor onnx.
    """
    if target not in ("android", "onnx"):
        raise UsageError(f"target {target} has no runtime on this machine; give a bundle of target android or onnx")


def open_network(target: str, path: Path, spec: GraphSpec, threads: int) -> Runner:
    """Loads a network of target android or onnx.

    ExecuTorch has one pool of threads per process, and a loaded program keeps pointing at it: a process must stay with one count.

    Raises:
        UserError: the runtime refuses the file.
    """
    if target == "onnx":
        return _open_onnx(path, spec, threads)
    from executorch.extension.pybindings.portable_lib import _threadpool_get_thread_count, _unsafe_reset_threadpool

    from export import runtimes

    if _threadpool_get_thread_count() != threads:
        _unsafe_reset_threadpool(threads)
    return runtimes.load(target, path, spec)


def _open_onnx(path: Path, spec: GraphSpec, threads: int) -> Runner:
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda value: torch.from_numpy(session.run([spec.output.name], {spec.input.name: value.numpy()})[0])


def lower_for_executorch(module: nn.Module, value: Tensor, path: Path) -> None:
    """Writes any form as a .pte program, undelegated operations and all; the exporter itself refuses heavy ones."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    from export.lowering.static_int8 import bare_trace, quiet

    with quiet():
        edge = to_edge_transform_and_lower(bare_trace(module, value), partitioner=[XnnpackPartitioner()])
        path.write_bytes(edge.to_executorch().buffer)


def lower_folded(graph: fx.GraphModule, value: Tensor, precision: str, path: Path, part: str) -> None:
    """Writes a folded graph as the exporter would: in XNNPACK's forms, and for int8 calibrated on `value` alone.

    Args:
        graph: folded fp32 network.
        value: float32 input that fixes the shapes.
        precision: fp32 or int8.
        path: file to write.
        part: the name used in errors.

    Raises:
        UserError: a convolution or linear layer is not delegated.
    """
    from export.lowering import executorch_backend
    from export.lowering.static_int8 import quantize

    formed = executorch_backend.xnnpack_form(graph, value, precision)
    executorch_backend.lower(quantize(formed, [value]) if precision == "int8" else formed, value, path, part)
