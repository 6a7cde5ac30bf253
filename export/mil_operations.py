"""What each operation of a Core ML package computes, in torch; meanings follow coremltools' reference of MIL operations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from export.mil_weights import dequantize, quantize
from textedit_core.errors import UserError

# Arguments by name: tensors, numbers, strings and lists of these.
Values = dict[str, Any]


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


def _maximum_pool(v: Values) -> Tensor:
    kernel, strides = _integers(v["kernel_sizes"]), _integers(v["strides"])
    top, bottom, left, right = _padding(v, kernel, strides, v["x"].shape[2:])
    # Outside lies nothing that could be largest.
    padded = F.pad(v["x"], (left, right, top, bottom), value=-math.inf)
    return F.max_pool2d(padded, kernel, strides, ceil_mode=bool(v.get("ceil_mode", False)))


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


# As defined in coremltools.converters.mil.mil.ops.defs.
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
    "max_pool": _maximum_pool,
    "minimum": _binary(torch.minimum),
    "mul": _binary(torch.mul),
    "pad": _pad,
    "pixel_shuffle": lambda v: F.pixel_shuffle(v["x"], int(v["upscale_factor"])),
    "pixel_unshuffle": lambda v: F.pixel_unshuffle(v["x"], int(v["downscale_factor"])),
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
