"""Changing some 8x8 blocks of a JPEG file; every other block keeps its coefficients bit for bit."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

from textedit_core.photos.compositing import Composite

_BLOCK = 8
_UNKNOWN, _RGB, _CMYK = 0, 2, 4
# Quantised coefficients of 8-bit JPEG have 11 bits and a sign at most, ITU-T T.81 table F.1; libjpeg takes 10 for AC.
_AC_LIMIT = 1023


class NoBlocks(ValueError):
    """The file's coefficients cannot be changed singly: arithmetic coding, odd sampling factors, damage, or no pyjpegio here."""


def with_changed_blocks(source: bytes, old: NDArray[Any], change: Composite, mode: str) -> bytes:
    """Returns the file with the touched blocks coded anew, by its own quantisation tables, sampling and scan form.

    To each touched block the quantised difference between new and old pixels is added. So a pixel that stays in such a block
    is not rounded a second time.

    Args:
        source: a JPEG file.
        old: its decoded pixels [H,W] or [H,W,C].
        change: the pixels after the edit, in the same space, and where they differ.
        mode: L, RGB or CMYK.

    Raises:
        NoBlocks: see there.
    """
    try:
        import jpegio
    except ImportError:
        raise NoBlocks("pyjpegio is not installed; not every machine has a build of it") from None

    assert change.box is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        path.write_bytes(source)
        try:
            file = jpegio.read(str(path))
        except (RuntimeError, OSError, ValueError) as error:
            raise NoBlocks(str(error)) from None
        _check(file, mode)
        box = _aligned(change.box, file, (old.shape[1], old.shape[0]))
        before, after = (_components(pixels[box[1] : box[3], box[0] : box[2]], mode, file) for pixels in (old, change.pixels))
        touched = _touched(change, box)
        for index in range(len(file.coef_arrays)):
            _add(file, index, after[index] - before[index], touched, box)
        # The source's Huffman tables need not have a code for every new value.
        file.optimize_coding = True
        jpegio.write(file, str(path))
        return path.read_bytes()


def _check(file: Any, mode: str) -> None:
    expected = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    if file.arith_code or file.data_precision != 8 or len(file.coef_arrays) != expected:
        raise NoBlocks("another kind of JPEG")
    for part in file.comp_info:
        if file.max_h_samp_factor % part.h_samp_factor or file.max_v_samp_factor % part.v_samp_factor:
            raise NoBlocks("sampling factors that do not divide")
        if part.quant_tbl_no >= len(file.quant_tables):
            raise NoBlocks("a quantisation table is missing")


def _aligned(box: tuple[int, int, int, int], file: Any, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box grown to whole groups of blocks (MCUs), and no larger than the picture."""
    wide, high = _BLOCK * file.max_h_samp_factor, _BLOCK * file.max_v_samp_factor
    left, top = box[0] // wide * wide, box[1] // high * high
    return left, top, min(-(-box[2] // wide) * wide, size[0]), min(-(-box[3] // high) * high, size[1])


def _components(pixels: NDArray[np.uint8], mode: str, file: Any) -> list[NDArray[np.float32]]:
    """The planes that the file codes, before subsampling, each float [H,W] in 0..255. Pillow takes every CMYK file to count paper."""
    if mode == "L":
        return [pixels.astype(np.float32)]
    if file.jpeg_color_space in (_RGB, _CMYK, _UNKNOWN):
        planes = pixels if mode == "RGB" else 255 - pixels
        return [planes[..., k].astype(np.float32) for k in range(planes.shape[2])]
    if mode == "RGB":
        return _luma_chroma(pixels)
    # YCCK: the first three inks as luma and chroma, ITU-T T.872 section 6.3.
    return [*_luma_chroma(pixels[..., :3]), 255.0 - pixels[..., 3].astype(np.float32)]


def _luma_chroma(pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    planes = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).convert("YCbCr"), np.float32)
    return [planes[..., k] for k in range(3)]


def _touched(change: Composite, box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    assert change.box is not None
    touched = np.zeros((box[3] - box[1], box[2] - box[0]), np.bool_)
    left, top, right, bottom = (side - box[k % 2] for k, side in enumerate(change.box))
    touched[top:bottom, left:right] = change.changed
    return touched


def _add(file: Any, index: int, difference: NDArray[np.float32], touched: NDArray[np.bool_], box: tuple[int, int, int, int]) -> None:
    """Adds the transform of a difference to the touched blocks of one component."""
    part = file.comp_info[index]
    across, down = file.max_h_samp_factor // part.h_samp_factor, file.max_v_samp_factor // part.v_samp_factor
    side = (_BLOCK * down, _BLOCK * across)
    blocks = _in_blocks(_mean_of(_padded(difference, side), down, across), _BLOCK)
    where = np.asarray(_in_blocks(_padded(touched, side), side[0], side[1]).any((-1, -2)))
    table = np.asarray(file.quant_tables[part.quant_tbl_no], np.float32)
    steps = np.rint(dctn(blocks, axes=(-2, -1), norm="ortho") / table).astype(np.int32)
    top, left = box[1] // down, box[0] // across
    rows, columns = blocks.shape[:2]
    # A view into the library's memory: [rows, 8, columns, 8].
    coefficients = file.coef_arrays[index][top : top + rows * _BLOCK, left : left + columns * _BLOCK]
    view = coefficients.reshape(rows, _BLOCK, columns, _BLOCK).transpose(0, 2, 1, 3)
    changed = (view + steps).clip(-_AC_LIMIT, _AC_LIMIT)
    fresh = np.where(where[..., None, None], changed, view)
    coefficients[...] = fresh.transpose(0, 2, 1, 3).reshape(coefficients.shape)


def _padded(plane: NDArray[Any], side: tuple[int, int]) -> NDArray[Any]:
    """Repeats the last row and column up to whole blocks: what lies beyond the picture's edge shall not ring into it."""
    return np.pad(plane, [(0, -size % step) for size, step in zip(plane.shape, side, strict=True)], mode="edge")


def _mean_of(plane: NDArray[np.float32], down: int, across: int) -> NDArray[np.float32]:
    height, width = plane.shape
    return plane.reshape(height // down, down, width // across, across).mean((1, 3))


def _in_blocks(plane: NDArray[Any], high: int, wide: int = _BLOCK) -> NDArray[Any]:
    """[H,W] to [H/high, W/wide, high, wide]."""
    height, width = plane.shape
    return plane.reshape(height // high, high, width // wide, wide).transpose(0, 2, 1, 3)
