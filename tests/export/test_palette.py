"""The palette of a layer: least squares, deterministic, exact where it can be."""

from __future__ import annotations

import numpy as np
import pytest

from export.backends.palette import palettise


def test_few_values_are_kept_exactly() -> None:
    weight = np.array([[0.5, -1.0, 2.0], [2.0, 0.5, -1.0]], np.float16)
    palette, indices = palettise(weight, 2)
    assert palette.shape == (4,) and palette.dtype == np.float16 and indices.dtype == np.uint8
    assert np.array_equal(palette[indices].reshape(2, 3), weight)


def test_two_clusters_are_found() -> None:
    palette, indices = palettise(np.array([0.0, 1.0, 10.0, 12.0], np.float32), 1)
    assert palette.tolist() == [0.5, 11.0] and indices.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(("bits", "expected_db"), [(4, 20.2), (6, 31.8)])
def test_error_on_normal_weights_is_that_of_the_best_quantizer(bits: int, expected_db: float) -> None:
    weight = np.random.default_rng(0).normal(size=40_000).astype(np.float32)
    palette, indices = palettise(weight, bits)
    reached = 10 * np.log10(weight.var() / np.square(palette[indices] - weight).mean())
    # Max 1960: 20.22 dB for 16 levels of a normal variable; Panter and Dite for 64: 10 log10(64^2 / (pi * sqrt(3) / 2)) = 31.8 dB.
    assert reached == pytest.approx(expected_db, abs=0.3)


def test_a_constant_weight_is_no_trouble() -> None:
    palette, indices = palettise(np.full((2, 2), 0.25, np.float32), 4)
    assert np.isfinite(palette).all() and np.array_equal(palette[indices], np.full(4, 0.25, np.float32))
