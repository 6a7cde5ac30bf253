"""Decibels, floors, and the refusal of what is not finite."""

from __future__ import annotations

import math

import pytest
import torch

from export.parity import IDENTICAL_DB, measure, psnr_db, require
from textedit_core.errors import UserError


def test_psnr_is_range_over_rmse() -> None:
    reference = torch.tensor([0.0, 1.0, 2.0, 4.0])
    # Range 4, every value off by 0.4: 20 log10(4 / 0.4) = 20 dB.
    assert psnr_db(reference, reference + 0.4) == pytest.approx(20.0, abs=1e-4)
    assert psnr_db(reference, reference.clone()) == IDENTICAL_DB
    assert psnr_db(torch.ones(3), torch.zeros(3)) < 0


def test_measure_pools_all_outputs() -> None:
    inputs = [torch.tensor([0.0, 1.0]), torch.tensor([2.0, 3.0])]
    entry = measure(lambda x: x + 0.03, inputs, inputs, 45.0)
    # Range 3 over both samples, error 0.03: 40 dB.
    assert (entry.psnr_db, entry.samples, entry.floor_db) == (pytest.approx(40.0, abs=0.01), 2, 45.0)
    assert entry.max_abs_error == pytest.approx(0.03, rel=1e-2)


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(poison: float) -> None:
    value = torch.zeros(2)
    with pytest.raises(UserError, match="output 0 is not finite"):
        measure(lambda x: x + poison, [value], [value], 30.0)


def test_below_the_floor_is_refused_by_name() -> None:
    inputs = [torch.tensor([0.0, 1.0])]
    entry = measure(lambda x: x + 0.1, inputs, inputs, 45.0)
    with pytest.raises(UserError, match="decoder reaches 20.0 dB .* floor is 45 dB"):
        require("decoder", entry)
