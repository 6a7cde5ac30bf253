"""ONNX: one self-contained file per network, fp32 arithmetic, weights in fp32, fp16 or int8; or int8 arithmetic (QDQ)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.backends.backend import PHONE_ALONE, Backend, Job, Precision, Runner
from export.backends.loading import refusals_named
from export.backends.lowered import Lowered, count
from export.backends.onnx_weights import halve_weights, int8_arithmetic, weights_as_int8
from export.forms import slices_and_spatial_means
from export.graphs import GraphSpec
from export.quiet import quiet

if TYPE_CHECKING:
    from torch import Tensor, nn

OPSET = 18
# The oldest ONNX Runtime that loads these files, as far as that was tried: apps on phones embed it.
OLDEST_RUNTIME = "1.17.3"


def lower(graph: nn.Module, job: Job, path: Path) -> Lowered:
    """Writes `graph` as one .onnx file.

    Args:
        graph: formed fp32 network with one input.
        job: names of input and output, the calibration that int8 takes activation ranges from, and the precision: fp32; fp16 (weights
            stored in half precision and cast back when loaded, so arithmetic stays fp32); int8w (the same with eight bits per weight and
            a scale per output channel); int8 (QDQ).
        path: file to write.
    """
    import onnx

    with quiet():
        model = _export(graph, job.calibration[0], job.spec)
        if job.precision == "fp16":
            halve_weights(model)
        elif job.precision == "int8w":
            weights_as_int8(model)
        elif job.precision == "int8":
            model = int8_arithmetic(model, job.spec.input.name, job.calibration)
    _strip_history(model)
    # The exporter writes the newest format that it knows, whatever the model needs of it.
    model.ir_version = onnx.helper.find_min_ir_version_for(model.opset_import)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return Lowered(count(node.op_type for node in model.graph.node))


def load(path: Path, spec: GraphSpec, threads: int | None = None) -> Runner:
    """Opens a model in ONNX Runtime on the processor.

    Raises:
        UserError: the runtime refuses the file.
    """
    import torch

    with refusals_named(path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])

    def run(value: Tensor) -> Tensor:
        with refusals_named(path):
            (output,) = session.run([spec.output.name], {spec.input.name: value.contiguous().numpy()})
        return torch.from_numpy(output)

    return run


def _export(graph: nn.Module, example: Tensor, spec: GraphSpec) -> Any:
    import torch

    program = torch.onnx.export(
        graph,
        (example,),
        input_names=[spec.input.name],
        output_names=[spec.output.name],
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    return program.model_proto


def _strip_history(model: Any) -> None:
    """Drops source paths, stack traces and tool notes: they differ between machines and tell of the exporter's disk."""
    for item in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    for weight in model.graph.initializer:
        weight.ClearField("metadata_props")
        weight.ClearField("doc_string")


BACKEND = Backend(
    target="onnx",
    id="cpu",
    name="CPU",
    runtime="ONNX Runtime",
    min_os=f"any with ONNX Runtime {OLDEST_RUNTIME} or newer",
    suffix=".onnx",
    tools=("onnxruntime", "onnx", "torch", "timm"),
    precisions={
        "fp16": Precision(45.0, 2.0),
        "fp32": Precision(60.0, 4.0),
        "int8w": Precision(30.0, 1.0),
        "int8": Precision(30.0, 1.0),
    },
    form=slices_and_spatial_means,
    lower=lower,
    load=load,
    proof=(
        "the saved model, run by ONNX Runtime on the exporting machine's processor; int8 is stored so that processors with and without "
        "VNNI give the same answers"
    ),
    leaves_open=(
        "execution providers other than the processor's, which may fuse and round differently; arithmetic in fp16, which graphics units of "
        "browsers and phones may choose at any precision: the processor computes in fp32, where values beyond 65504 do not overflow; "
        f"{PHONE_ALONE}"
    ),
)
