"""XNNPACK in ExecuTorch: fast kernels for processors, in fp32 or static int8. The default of Android."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from export.backends import executorch_program
from export.backends.backend import PHONE_ALONE, Backend, Job, Precision
from export.forms import reformed, slices_and_spatial_means

if TYPE_CHECKING:
    from torch import fx

    from export.backends.lowered import Lowered


def form(graph: fx.GraphModule, job: Job) -> fx.GraphModule:
    """A folded graph in the forms that XNNPACK takes, and among those the fastest; the same function.

    Where arithmetic is fp32, transposed convolutions become phases. In eight bits XNNPACK's own are as fast, and their weights smaller.
    """
    from export.layers import TRANSPOSED_CONVOLUTION
    from export.rewrites.upsampling import filters_as_phases, transposed_as_phases

    taken = slices_and_spatial_means(graph, job)
    if not any(node.target == TRANSPOSED_CONVOLUTION for node in taken.graph.nodes):
        return taken
    rewrites = (filters_as_phases, transposed_as_phases) if job.precision == "fp32" else (filters_as_phases,)
    return reformed(taken, job.calibration[0], rewrites)


def quantize(graph: fx.GraphModule, job: Job, kept: tuple[str, ...]) -> fx.GraphModule:
    """Static int8, all layers but those kept."""
    from export.backends import static_int8

    return graph if job.precision == "fp32" else static_int8.quantize(graph, job.calibration, kept)


def lower(graph: fx.GraphModule, job: Job, path: Path) -> Lowered:
    """Writes a .pte program.

    Raises:
        UserError: a convolution or linear layer is not delegated; the message names it and its module.
    """
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

    return executorch_program.lower(graph, job, path, XnnpackPartitioner(), BACKEND.name)


BACKEND = Backend(
    target="android",
    id="xnnpack",
    name="XNNPACK",
    runtime="ExecuTorch",
    min_os="Android 8.0 (API 26)",
    suffix=".pte",
    tools=("executorch", "torch", "torchao", "timm"),
    precisions={
        "int8": Precision(30.0, 1.0, "sensitive"),
        "fp32": Precision(60.0, 4.0),
        "auto": Precision(40.0, 1.0, "searched"),
    },
    form=form,
    quantize=quantize,
    lower=lower,
    load=executorch_program.load,
    proof="the saved program, run by ExecuTorch with XNNPACK on the exporting machine's processor",
    leaves_open=f"the kernels for Arm, which `python -m export prove BUNDLE --cpu cortex-a76` runs under emulation; {PHONE_ALONE}",
)
