"""How an ONNX model stores its weights: fp16 or int8 behind a restoring operation, or int8 arithmetic (QDQ)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

# Smaller tensors (biases, shapes) stay in fp32: halving them saves nothing.
_MIN_HALVED_ELEMENTS = 256
# What unsigned weights have for zero.
_MIDDLE = 128


def halve_weights(model: Any) -> None:
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


def weights_as_int8(model: Any) -> None:
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


def int8_arithmetic(model: Any, source: str, calibration: Sequence[Tensor]) -> Any:
    """Returns a copy that computes in int8 (QDQ): weights per output channel, ranges of activations from calibration.

    The quantizer's weights are signed. With unsigned activations, x86 processors that have AVX2 or AVX-512 and no VNNI add pairs of their
    products in 16 bits, which saturate: an averaging layer of full-sized weights loses half its value. Both unsigned are summed in 32 bits
    everywhere, so the same weights are stored with 128 added. A reduced range (seven bits) does not saturate either and loses 4 dB.

    Args:
        model: fp32 model.
        source: name of its input.
        calibration: float32 inputs of batch size 1.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Samples(CalibrationDataReader):
        def __init__(self) -> None:
            self.samples = iter(calibration)

        def get_next(self) -> dict[str, Any] | None:
            sample = next(self.samples, None)
            return None if sample is None else {source: sample.numpy()}

    with tempfile.TemporaryDirectory(prefix="textedit-onnx-") as scratch:
        floats, result = Path(scratch, "float.onnx"), Path(scratch, "int8.onnx")
        floats.write_bytes(model.SerializeToString(deterministic=True))
        quantize_static(
            str(floats),
            str(result),
            Samples(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Gemm", "MatMul"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        quantized = onnx.load(str(result))
    _weights_as_unsigned(quantized)
    return quantized


def _weights_as_unsigned(model: Any) -> None:
    """Adds 128 to each int8 weight and to its zero points, which restores the same numbers."""
    import numpy as np
    from onnx import TensorProto, numpy_helper

    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    restored = [node for node in model.graph.node if node.op_type == "DequantizeLinear"]
    # Layers may share a weight, and weights their zero points.
    shifted = dict.fromkeys(name for node in restored for name in (node.input[0], *node.input[2:]) if name in stored)
    for name in shifted:
        tensor = stored[name]
        if tensor.data_type == TensorProto.INT8:
            moved = numpy_helper.to_array(tensor).astype(np.int16) + _MIDDLE
            tensor.CopyFrom(numpy_helper.from_array(moved.astype(np.uint8), name))
