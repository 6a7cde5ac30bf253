"""Stored weights against values worked out by hand, and against what the SDK itself makes of the same constants."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from export.mil_weights import affine_dequantize, blockwise_shift_scale, dequantize, lut_to_dense, quantize
from textedit_core.errors import UserError


def test_affine_dequantize_scales_along_its_axis() -> None:
    v = {"quantized_data": np.array([[10, 20], [30, 40]], np.uint8), "zero_point": np.uint8(10), "scale": np.array([0.5, 2.0]), "axis": 1}
    assert affine_dequantize(v).tolist() == [[0.0, 20.0], [10.0, 60.0]]


def test_blockwise_scales_serve_blocks() -> None:
    data = np.arange(8, dtype=np.int8).reshape(2, 4)
    v = {"data": data, "scale": np.array([[1.0, 10.0], [2.0, 0.5]]), "offset": np.array([[0, 2], [4, 4]], np.int8)}
    # Rows 0 1 | 2 3 and 4 5 | 6 7, each half with its own scale and offset.
    assert blockwise_shift_scale(v).tolist() == [[0.0, 1.0, 0.0, 10.0], [0.0, 2.0, 1.0, 1.5]]
    assert blockwise_shift_scale({**v, "offset": None})[0].tolist() == [0.0, 1.0, 20.0, 30.0]


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8])
def test_packed_indices_are_read_as_the_sdk_packs_them(bits: int) -> None:
    pytest.importorskip("coremltools")
    from coremltools.optimize import _utils

    rng = np.random.default_rng(0)
    indices, lut = rng.integers(0, 2**bits, 15).astype(np.uint8), rng.normal(size=2**bits).astype(np.float32)
    packed = _utils.pack_elements_into_bits(indices, bits)
    dense = lut_to_dense({"indices": packed, "lut": lut, "shape": np.array([3, 5], np.uint32)})
    assert np.array_equal(dense.numpy(), lut[indices].reshape(3, 5))


def test_packed_indices_by_hand() -> None:
    # Four bits each, the low half of a byte first: 0x21 is 1, then 2.
    dense = lut_to_dense({"indices": np.array([0x21], np.uint8), "lut": np.arange(16.0) * 10.0, "shape": np.array([2])})
    assert dense.tolist() == [10.0, 20.0]


def test_a_palette_per_group_of_channels() -> None:
    # Two palettes of two values along the first axis: rows 0 and 1 use the first, rows 2 and 3 the second.
    lut = np.array([[1.0, 2.0], [30.0, 40.0]]).reshape(2, 1, 2, 1)
    indices = np.array([[0, 1], [1, 1], [0, 1], [0, 0]], np.uint8)
    assert lut_to_dense({"indices": indices, "lut": lut}).tolist() == [[1.0, 2.0], [2.0, 2.0], [30.0, 40.0], [30.0, 30.0]]
    with pytest.raises(UserError, match="vectors of 2 numbers"):
        lut_to_dense({"indices": indices, "lut": np.zeros((1, 1, 2, 2))})


def test_quantize_rounds_ties_to_even_and_saturates() -> None:
    x = torch.tensor([0.25, 0.75, -0.25, 100.0, -100.0])
    # 0.5, 1.5 and -0.5 steps of 0.5 round to 0, 2 and 0.
    v = {"input": x, "scale": np.float32(0.5), "zero_point": np.int8(3), "output_dtype": "int8"}
    assert quantize(v).tolist() == [3.0, 5.0, 3.0, 127.0, -128.0]
    assert quantize({**v, "zero_point": None, "output_dtype": "uint8"}).tolist() == [0.0, 2.0, 0.0, 200.0, 0.0]
    assert dequantize({"input": quantize(v), "scale": np.float32(0.5), "zero_point": np.int8(3)}).tolist() == [0.0, 1.0, 0.0, 62.0, -65.5]
