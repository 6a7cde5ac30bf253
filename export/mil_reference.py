"""Evaluates a saved Core ML package on any system, operation by operation, in torch.

Core ML itself runs on Apple systems only. This evaluates the very file that ships: its weights, layouts, quantisation and shapes. In
fp16 mode each result that the package declares as fp16 is rounded to it, overflow included; sums inside one operation are taken in
fp32. What the Neural Engine rounds inside an operation stays unproven.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from export.mil_weights import STORED_WEIGHTS, dequantize, quantize
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

Values = dict[str, Any]


class MilProgram:
    """One loaded .mlpackage.

    Args:
        package: the .mlpackage directory.
        round_fp16: round what the package declares as fp16; False evaluates everything in fp32, which isolates conversion errors
            from rounding.

    Raises:
        UserError: the package cannot be read, or uses an operation that is not in `OPERATIONS`; the message names both.
    """

    def __init__(self, package: Path, round_fp16: bool = True) -> None:
        self.package, self.round_fp16 = package, round_fp16
        self._function = _load_function(package)
        self._weights: dict[str, Tensor] = {}
        unknown = {op.op_type for op in self._function.operations} - set(OPERATIONS) - set(STORED_WEIGHTS) - {"const"}
        if unknown:
            raise UserError(f"{package.name} uses operations that the MIL reference does not know: {', '.join(sorted(unknown))}")

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs."""
        return list(self._function.inputs)

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Runs the program on float32 tensors by input name; returns float32 tensors by output name."""
        environment: dict[str, Any] = {name: inputs[name].float() for name in self._function.inputs}
        with torch.no_grad():
            for operation in self._function.operations:
                if operation.op_type != "const":
                    self._run(operation, environment)
        return {output.name: environment[output.name].float() for output in self._function.outputs}

    def _run(self, operation: Any, environment: dict[str, Any]) -> None:
        if operation.op_type in STORED_WEIGHTS:
            result: Any = self._stored(operation)
        else:
            result = OPERATIONS[operation.op_type](_resolved(operation, environment))
        results = result if isinstance(result, (list, tuple)) else [result]
        for value, variable in zip(results, operation.outputs, strict=True):
            if not _fits(value, variable.shape):
                raise UserError(f"{self.package.name}: {variable.name} has shape {tuple(value.shape)}, declared {variable.shape}")
            environment[variable.name] = self._rounded(value, variable)

    def _stored(self, operation: Any) -> Tensor:
        name = operation.outputs[0].name
        if name not in self._weights:
            self._weights[name] = STORED_WEIGHTS[operation.op_type](_resolved(operation, {}))
        return self._weights[name]

    def _rounded(self, value: Tensor, variable: Any) -> Tensor:
        if not value.is_floating_point():
            return value
        from coremltools.converters.mil.mil.types import builtin_to_string

        half = self.round_fp16 and builtin_to_string(variable.dtype) == "fp16"
        return value.half().float() if half else value.float()


def _fits(value: Tensor, declared: Any) -> bool:
    """Whether a value has its declared shape; a symbol, which stands for the batch, fits any size."""
    return len(value.shape) == len(declared) and all(
        size == wanted for size, wanted in zip(value.shape, declared, strict=True) if isinstance(wanted, (int, np.integer))
    )


def _load_function(package: Path) -> Any:
    previous = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            import coremltools as ct
            from coremltools.converters.mil.frontend.milproto.load import load

            model = ct.models.MLModel(str(package), skip_model_load=True)
            spec = model.get_spec()
            program = load(spec, spec.specificationVersion, file_weights_dir=model.weights_dir)
    except Exception as error:
        # protobuf, JSON and the SDK each raise their own kind on a damaged file.
        raise UserError(f"{package.name} is not a readable ML Program: {type(error).__name__}: {str(error)[:200]}") from None
    finally:
        logging.disable(previous)
    return program.functions["main"]


def _resolved(operation: Any, environment: dict[str, Any]) -> Values:
    return {name: _value(variable, environment) for name, variable in operation.inputs.items() if variable is not None}


def _value(variable: Any, environment: dict[str, Any]) -> Any:
    if isinstance(variable, (list, tuple)):
        return [_value(item, environment) for item in variable]
    if variable.name in environment:
        return environment[variable.name]
    constant = variable.val
    if hasattr(constant, "dtype") and constant.dtype.kind == "f":
        return torch.as_tensor(constant).float()
    return constant


def _number(value: Any) -> float:
    return float(value)


def _integers(value: Any) -> list[int]:
    return [int(item) for item in value]


def _padding(v: Values, kernel: Any, strides: list[int], size: Any) -> list[int]:
    """[top, bottom, left, right] of a convolution or pool."""
    kind = str(v.get("pad_type", "valid"))
    if kind == "valid":
        return [0, 0, 0, 0]
    if kind == "custom":
        return _integers(v["pad"])
    if kind != "same":
        raise UserError(f"the MIL reference does not know pad_type {kind!r}")
    pads: list[int] = []
    for extent, width, stride in zip(size, kernel, strides, strict=True):
        total = max((-(-extent // stride) - 1) * stride + width - extent, 0)
        pads += [total // 2, total - total // 2]
    return pads


def _conv(v: Values) -> Tensor:
    x, weight = v["x"], v["weight"]
    strides = _integers(v.get("strides", (1, 1)))
    top, bottom, left, right = _padding(v, weight.shape[2:], strides, x.shape[2:])
    x = F.pad(x, (left, right, top, bottom))
    return F.conv2d(x, weight, v.get("bias"), strides, 0, _integers(v.get("dilations", (1, 1))), int(v.get("groups", 1)))


def _conv_transpose(v: Values) -> Tensor:
    strides, groups = _integers(v.get("strides", (1, 1))), int(v.get("groups", 1))
    y = F.conv_transpose2d(v["x"], v["weight"], v.get("bias"), strides, 0, 0, groups, _integers(v.get("dilations", (1, 1))))
    kind = str(v.get("pad_type", "valid"))
    if kind not in ("valid", "custom"):
        raise UserError(f"the MIL reference does not know pad_type {kind!r} of conv_transpose")
    top, bottom, left, right = _integers(v["pad"]) if kind == "custom" else [0, 0, 0, 0]
    return y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]


def _average_pool(v: Values) -> Tensor:
    kernel, strides = _integers(v["kernel_sizes"]), _integers(v["strides"])
    if any(_padding(v, kernel, strides, v["x"].shape[2:])):
        raise UserError("the MIL reference does not know avg_pool with padding")
    return F.avg_pool2d(v["x"], kernel, strides, ceil_mode=bool(v.get("ceil_mode", False)))


def _slice(v: Values) -> Tensor:
    x = v["x"]
    masks = {name: v.get(name) for name in ("begin_mask", "end_mask", "squeeze_mask")}
    strides = v.get("stride")
    index: list[Any] = []
    for axis, (begin, end) in enumerate(zip(_integers(v["begin"]), _integers(v["end"]), strict=True)):
        if masks["squeeze_mask"] is not None and masks["squeeze_mask"][axis]:
            index.append(begin)
            continue
        first = None if masks["begin_mask"] is not None and masks["begin_mask"][axis] else begin
        last = None if masks["end_mask"] is not None and masks["end_mask"][axis] else end
        index.append(slice(first, last, 1 if strides is None else int(strides[axis])))
    return x[tuple(index)]


def _pad(v: Values) -> Tensor:
    if str(v.get("mode", "constant")) != "constant":
        raise UserError(f"the MIL reference does not know pad with mode {str(v['mode'])!r}")
    pads = _integers(v["pad"])
    # Pairs for the last axes, first to last; torch takes them last to first.
    pairs = reversed(list(zip(pads[::2], pads[1::2], strict=True)))
    return F.pad(v["x"], [size for pair in pairs for size in pair], value=_number(v.get("constant_val", 0.0)))


def _expand_dims(v: Values) -> Tensor:
    x = v["x"]
    rank = x.ndim + len(v["axes"])
    for axis in sorted(axis % rank for axis in _integers(v["axes"])):
        x = x.unsqueeze(axis)
    return x


def _squeeze(v: Values) -> Tensor:
    x = v["x"]
    axes = _integers(v["axes"]) if v.get("axes") is not None else [i for i, size in enumerate(x.shape) if size == 1]
    return x.squeeze(tuple(axis % x.ndim for axis in axes))


def _upsample_bilinear(v: Values) -> Tensor:
    corners = bool(v.get("align_corners", True))
    if not corners and not bool(v.get("half_pixel_centers", True)):
        raise UserError("the MIL reference does not know upsample_bilinear with corner pixel centres")
    factor = (_number(v["scale_factor_height"]), _number(v["scale_factor_width"]))
    return F.interpolate(v["x"], scale_factor=factor, mode="bilinear", align_corners=corners)


def _resize_bilinear(v: Values) -> Tensor:
    mode = str(v.get("sampling_mode", "DEFAULT"))
    if mode != "UNALIGN_CORNERS":
        raise UserError(f"the MIL reference does not know resize_bilinear with sampling_mode {mode!r}")
    size = (int(v["target_size_height"]), int(v["target_size_width"]))
    return F.interpolate(v["x"], size=size, mode="bilinear", align_corners=False)


def _upsample_nearest(v: Values) -> Tensor:
    factor = (_number(v["scale_factor_height"]), _number(v["scale_factor_width"]))
    return F.interpolate(v["x"], scale_factor=factor, mode="nearest")


def _matmul(v: Values) -> Tensor:
    x, y = v["x"], v["y"]
    x = x.transpose(-1, -2) if v.get("transpose_x") else x
    return x @ (y.transpose(-1, -2) if v.get("transpose_y") else y)


def _reduce(function: Callable[..., Tensor]) -> Callable[[Values], Tensor]:
    def run(v: Values) -> Tensor:
        axes = _integers(v["axes"]) if v.get("axes") is not None else list(range(v["x"].ndim))
        return function(v["x"], axes, keepdim=bool(v.get("keep_dims", False)))

    return run


def _binary(function: Callable[..., Tensor]) -> Callable[[Values], Tensor]:
    return lambda v: function(torch.as_tensor(v["x"]), torch.as_tensor(v["y"]))


def _batch_norm(v: Values) -> Tensor:
    return F.batch_norm(v["x"], v["mean"], v["variance"], v.get("gamma"), v.get("beta"), eps=_number(v.get("epsilon", 1e-5)))


def _gelu(v: Values) -> Tensor:
    return F.gelu(v["x"], approximate="none" if str(v.get("mode", "EXACT")) == "EXACT" else "tanh")


# Meanings follow the MIL operation reference of coremltools (coremltools.converters.mil.mil.ops.defs).
OPERATIONS: dict[str, Callable[[Values], Any]] = {
    "abs": lambda v: v["x"].abs(),
    "add": _binary(torch.add),
    "avg_pool": _average_pool,
    "batch_norm": _batch_norm,
    "cast": lambda v: v["x"],
    "clip": lambda v: v["x"].clamp(_number(v["alpha"]), _number(v["beta"])),
    "concat": lambda v: torch.cat(list(v["values"]), dim=int(v["axis"])),
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "dequantize": dequantize,
    "expand_dims": _expand_dims,
    "gelu": _gelu,
    "identity": lambda v: v["x"],
    "leaky_relu": lambda v: F.leaky_relu(v["x"], _number(v["alpha"])),
    "linear": lambda v: F.linear(v["x"], v["weight"], v.get("bias")),
    "matmul": _matmul,
    "maximum": _binary(torch.maximum),
    "minimum": _binary(torch.minimum),
    "mul": _binary(torch.mul),
    "pad": _pad,
    "pixel_shuffle": lambda v: F.pixel_shuffle(v["x"], int(v["upscale_factor"])),
    "pow": _binary(torch.pow),
    "prelu": lambda v: F.prelu(v["x"], v["alpha"]),
    "quantize": quantize,
    "real_div": _binary(torch.div),
    "reduce_mean": _reduce(torch.mean),
    "reduce_sum": _reduce(torch.sum),
    "relu": lambda v: F.relu(v["x"]),
    "relu6": lambda v: F.relu6(v["x"]),
    "reshape": lambda v: v["x"].reshape(_integers(v["shape"])),
    "resize_bilinear": _resize_bilinear,
    "rsqrt": lambda v: torch.rsqrt(v["x"] + _number(v.get("epsilon", 1e-12))),
    "sigmoid": lambda v: torch.sigmoid(v["x"]),
    "sigmoid_hard": lambda v: (v["x"] * _number(v["alpha"]) + _number(v["beta"])).clamp(0.0, 1.0),
    "silu": lambda v: F.silu(v["x"]),
    "slice_by_index": _slice,
    "sqrt": lambda v: torch.sqrt(v["x"]),
    "square": lambda v: torch.square(v["x"]),
    "squeeze": _squeeze,
    "sub": _binary(torch.sub),
    "tanh": lambda v: torch.tanh(v["x"]),
    "thresholded_relu": lambda v: torch.where(v["x"] >= _number(v["alpha"]), v["x"], torch.zeros(())),
    "transpose": lambda v: v["x"].permute(_integers(v["perm"])),
    "upsample_bilinear": _upsample_bilinear,
    "upsample_nearest_neighbor": _upsample_nearest,
}
