"""How compressed weights of a Core ML package become numbers, in the words of the MIL operation reference and without Apple's code.

Sub-byte numbers are packed least significant bit first; the palette of an index is looked up per block of a tensor, and a scale may
belong to a channel or a block.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textedit_core.errors import UserError

Values = dict[str, Any]


def affine_dequantize(v: Values) -> Tensor:
    """(data - zero point) * scale; scale and zero point belong to one index of `axis` where they are vectors."""
    data = _tensor(v["quantized_data"])
    axis = int(v["axis"])
    return (data - along(v["zero_point"], data, axis)) * along(v["scale"], data, axis)


def blockwise_shift_scale(v: Values) -> Tensor:
    """(data - offset) * scale, both with the rank of data, each entry serving one block."""
    data = _tensor(v["data"])
    offset = v.get("offset")
    shifted = data if offset is None else data - _spread(_tensor(offset), data.shape)
    return shifted * _spread(_tensor(v["scale"]), data.shape)


def lut_to_dense(v: Values) -> Tensor:
    """Palette entries by index: one palette and packed indices (iOS 16), or one palette per block and whole indices (iOS 18)."""
    lut = _tensor(v["lut"])
    if "shape" in v:
        shape = [int(side) for side in v["shape"]]
        return lut[_unpacked(v["indices"], int(math.log2(lut.numel())), math.prod(shape))].reshape(shape)
    indices = _tensor(v["indices"]).long()
    if lut.shape[-1] != 1:
        raise UserError(f"the MIL reference does not know palettes of vectors of {lut.shape[-1]} numbers")
    blocks = lut.shape[:-2]
    places = torch.arange(math.prod(blocks)).reshape(blocks)
    return lut.reshape(-1, lut.shape[-2])[_spread(places, indices.shape), indices]


def quantize(v: Values) -> Tensor:
    """clamp(round(x / scale) + zero point) to the range of the output's type, ties to even; kept in float, whole numbers all."""
    x = v["input"]
    axis = int(v.get("axis", 0) or 0)
    low, high = {"int8": (-128, 127), "uint8": (0, 255)}[str(v["output_dtype"])]
    return (torch.round(x / along(v["scale"], x, axis)) + along(v.get("zero_point", 0), x, axis)).clamp(low, high)


def dequantize(v: Values) -> Tensor:
    """(x - zero point) * scale."""
    x = _tensor(v["input"])
    axis = int(v.get("axis", 0) or 0)
    return (x - along(v.get("zero_point", 0), x, axis)) * along(v["scale"], x, axis)


def along(value: Any, data: Tensor, axis: int) -> Tensor:
    """A number as it is, a vector so that it lies along `axis` of `data`."""
    tensor = _tensor(0 if value is None else value)
    if tensor.ndim == 0:
        return tensor
    return tensor.reshape([-1 if index == axis % data.ndim else 1 for index in range(data.ndim)])


def _spread(values: Tensor, shape: torch.Size) -> Tensor:
    for axis, (blocks, side) in enumerate(zip(values.shape, shape, strict=True)):
        values = values.repeat_interleave(side // blocks, dim=axis)
    return values


def _unpacked(packed: Any, bits: int, count: int) -> Tensor:
    digits = np.unpackbits(np.asarray(packed, dtype=np.uint8), bitorder="little")[: bits * count].reshape(count, bits)
    return torch.from_numpy(digits.astype(np.int64) @ (1 << np.arange(bits, dtype=np.int64)))


def _tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value.float()
    return torch.from_numpy(np.asarray(value).astype(np.float32))


# One per way of storing weights; each runs once per loaded package, since its result never changes.
STORED_WEIGHTS: dict[str, Callable[[Values], Tensor]] = {
    "constexpr_affine_dequantize": affine_dequantize,
    "constexpr_blockwise_shift_scale": blockwise_shift_scale,
    "constexpr_cast": lambda v: _tensor(v["source_val"]),
    "constexpr_lut_to_dense": lut_to_dense,
}
