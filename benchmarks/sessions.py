"""Networks in their runtimes, with a stated number of threads: what the benchmarks run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from export.backends import BACKENDS
from export.backends.backend import Backend, Job, Runner
from textedit_core.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor, fx, nn

    from export.graphs import GraphSpec


def require_runtime(label: str) -> Backend:
    """The backend of this label, whose runtime itself runs here.

    Raises:
        UsageError: nothing here runs it, or what does is no runtime.
    """
    timed = {backend.label: backend for backend in BACKENDS if backend.load is not None and backend.real_time}
    if label not in timed:
        raise UsageError(f"target {label} has no runtime on this machine; give a bundle of target {' or '.join(timed)}")
    return timed[label]


def open_network(label: str, path: Path, spec: GraphSpec, threads: int) -> Runner:
    """Loads a network in the runtime of a target.

    Raises:
        UsageError: nothing here runs it.
        UserError: the runtime refuses the file.
    """
    load = require_runtime(label).load
    assert load is not None
    return load(path, spec, threads)


def lower_for_executorch(module: nn.Module, value: Tensor, path: Path) -> None:
    """Writes any form as a .pte program, undelegated operations and all; the exporter itself refuses heavy ones."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    from export.backends.static_int8 import bare_trace
    from export.quiet import quiet

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
    from export.backends import xnnpack

    job = network_job(part, value, precision)
    xnnpack.lower(xnnpack.quantize(xnnpack.form(graph, job), job, ()), job, path)


def network_job(part: str, value: Tensor, precision: str) -> Job:
    """The job of lowering a network that no checkpoint holds: input `x` of the shape of `value`, output `y`."""
    from export.graphs import GraphSpec, TensorSpec

    return Job(GraphSpec(part, TensorSpec("x", tuple(value.shape)), TensorSpec("y", ())), precision, (value,))
