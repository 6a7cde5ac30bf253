"""ONNX: one self-contained file per network, fp32 arithmetic, weights in fp32, fp16 or int8; or int8 arithmetic (QDQ)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.backends.backend import PHONE_ALONE, Backend, Job, Precision, Runner
from export.backends.loading import refusals_named
from export.backends.lowered import Lowered, count
from export.forms import slices_and_spatial_means
from export.graphs import GraphSpec
from export.quiet import quiet

if TYPE_CHECKING:
    from torch import Tensor, nn

OPSET = 18
# Smaller tensors (biases, shapes) stay in fp32: halving them saves nothing.
_MIN_HALVED_ELEMENTS = 256


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
            _halve_weights(model)
        elif job.precision == "int8w":
            _weights_as_int8(model)
        elif job.precision == "int8":
            model = _quantized(model, job.spec, job.calibration)
    _strip_history(model)
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
            (output,) = session.run([spec.output.name], {spec.input.name: value.numpy()})
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


def _halve_weights(model: Any) -> None:
    """Stores each large fp32 weight as fp16 behind a Cast, which runtimes fold when they load the model."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < _MIN_HALVED_ELEMENTS:
            continue
        name, value = weight.name, numpy_helper.to_array(weight)
        if not np.isfinite(value.astype(np.float16)).all():
            continue
        weight.CopyFrom(numpy_helper.from_array(value.astype(np.float16), f"{name}_fp16"))
        casts.append(helper.make_node("Cast", [f"{name}_fp16"], [name], name=f"{name}_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _weights_as_int8(model: Any) -> None:
    """Stores each large weight as symmetric int8 per output channel behind a DequantizeLinear, which runtimes fold when they load it."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    axes = _output_axes(model)
    initializers = {weight.name: weight for weight in model.graph.initializer}
    restored = []
    for name, axis in axes.items():
        weight = initializers.get(name)
        if weight is None or weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < _MIN_HALVED_ELEMENTS:
            continue
        value = numpy_helper.to_array(weight)
        others = tuple(other for other in range(value.ndim) if other != axis)
        scale = np.maximum(np.abs(value).max(axis=others, keepdims=True) / 127.0, 1e-12).astype(np.float32)
        weight.CopyFrom(numpy_helper.from_array(np.rint(value / scale).clip(-127, 127).astype(np.int8), f"{name}_int8"))
        model.graph.initializer.append(numpy_helper.from_array(scale.reshape(-1), f"{name}_scale"))
        inputs = [f"{name}_int8", f"{name}_scale"]
        restored.append(helper.make_node("DequantizeLinear", inputs, [name], name=f"{name}_restored", axis=axis))
    nodes = [*restored, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _output_axes(model: Any) -> dict[str, int]:
    """The axis of output channels of each tensor that serves as a weight."""
    ranks = {weight.name: len(weight.dims) for weight in model.graph.initializer}
    axes = {}
    for node in model.graph.node:
        if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul") or node.input[1] not in ranks:
            continue
        transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        first = node.op_type == "Conv" or (node.op_type == "Gemm" and transposed)
        axes[node.input[1]] = ranks[node.input[1]] - 1 if node.op_type == "MatMul" else int(not first)
    return axes


def _quantized(model: Any, spec: GraphSpec, calibration: Sequence[Tensor]) -> Any:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Samples(CalibrationDataReader):
        def __init__(self) -> None:
            self.samples = iter(calibration)

        def get_next(self) -> dict[str, Any] | None:
            sample = next(self.samples, None)
            return None if sample is None else {spec.input.name: sample.numpy()}

    with tempfile.TemporaryDirectory(prefix="textedit-onnx-") as scratch:
        source, result = Path(scratch, "float.onnx"), Path(scratch, "int8.onnx")
        source.write_bytes(model.SerializeToString(deterministic=True))
        quantize_static(
            str(source),
            str(result),
            Samples(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm", "MatMul"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(str(result))


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
    min_os="any with ONNX Runtime",
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
    proof="the saved model, run by ONNX Runtime on the exporting machine's processor",
    leaves_open=f"other execution providers, which may fuse and round differently; {PHONE_ALONE}",
)
