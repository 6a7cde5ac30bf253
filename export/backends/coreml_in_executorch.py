"""Core ML in ExecuTorch: the program holds a Core ML package. What Core ML will be given is taken out and evaluated without Core ML."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.backends import executorch_program
from export.backends.backend import PHONE_ALONE, Backend, Job, Precision, Runner
from export.backends.coreml import NEURAL_ENGINE
from export.backends.loading import refusals_named
from export.forms import slices_and_spatial_means
from export.graphs import GraphSpec

if TYPE_CHECKING:
    from torch import fx

    from export.backends.lowered import Lowered

_DELEGATE = "CoreMLBackend"


def unpack(program: bytes, folder: Path) -> Path:
    """Writes the package that the program hands to Core ML.

    Args:
        program: the bytes of a .pte file.
        folder: an existing empty directory.

    Returns:
        The .mlpackage directory.

    Raises:
        ValueError: the program does anything but call Core ML once, so that the package alone would not tell what it computes.
    """
    from executorch.backends.apple.coreml import executorchcoreml
    from executorch.exir._serialize._program import deserialize_pte_binary

    stored = deserialize_pte_binary(program).program
    (plan,) = stored.execution_plan
    steps = [type(instruction.instr_args).__name__ for chain in plan.chains for instruction in chain.instructions]
    called = [delegate.id for delegate in plan.delegates]
    if steps != ["DelegateCall"] or called != [_DELEGATE]:
        raise ValueError(f"the program is not one call of {_DELEGATE}: it does {', '.join(steps)} with {', '.join(called) or 'none'}")
    data = stored.backend_delegate_data[plan.delegates[0].processed.index].data
    executorchcoreml.unflatten_directory_contents(bytes(data), str(folder))
    (package,) = folder.glob("*/model.mlpackage")
    return package


def lower(graph: fx.GraphModule, job: Job, path: Path) -> Lowered:
    """Writes a .pte program that is one call of Core ML.

    Raises:
        UserError: a convolution or linear layer is not delegated; the message names it and its module.
    """
    return executorch_program.lower(graph, job, path, _partitioner(job.precision), BACKEND.name)


def load(path: Path, spec: GraphSpec, threads: int | None = None) -> Runner:
    """Opens the package inside a program for evaluation, every fp16 result rounded.

    Raises:
        UserError: the file is damaged, or does more than call Core ML.
    """
    from export.mil_reference import MilProgram

    with tempfile.TemporaryDirectory(prefix="textedit-delegate-") as scratch, refusals_named(path):
        program = MilProgram(unpack(path.read_bytes(), Path(scratch)))
    # ExecuTorch passes tensors by position, the package has names of its own.
    (source,) = program.input_names
    return lambda value: next(iter(program({source: value}).values()))


def _partitioner(precision: str) -> Any:
    import coremltools as ct
    from executorch.backends.apple.coreml.compiler import CoreMLBackend
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner

    rounding = ct.precision.FLOAT16 if precision == "fp16" else ct.precision.FLOAT32
    specs = CoreMLBackend.generate_compile_specs(minimum_deployment_target=ct.target.iOS17, compute_precision=rounding)
    return CoreMLPartitioner(compile_specs=specs)


BACKEND = Backend(
    target="ios",
    id="executorch",
    name="Core ML",
    runtime="ExecuTorch",
    min_os="iOS 17.0",
    suffix=".pte",
    tools=("executorch", "coremltools", "torch", "timm"),
    precisions={"fp16": Precision(45.0, 2.0), "fp32": Precision(60.0, 4.0)},
    form=slices_and_spatial_means,
    lower=lower,
    load=load,
    proof="the Core ML package inside the saved program, evaluated operation by operation with every fp16 result rounded",
    leaves_open=f"ExecuTorch's call of Core ML; {NEURAL_ENGINE}; {PHONE_ALONE}",
    default=False,
    real_time=False,
)
