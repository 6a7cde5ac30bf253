"""Calibration finds the strength at which an edit has nearly all of its effect, on curves whose answer is known."""

from __future__ import annotations

import pytest

from textedit_core.training.strength import STRENGTHS, calibrate


def test_linear_effect_is_cut_at_the_wanted_part_of_its_end() -> None:
    # share = 0.3 * strength up to strength 2: 0.9 of the maximum 0.6 is reached at strength 1.8.
    found = calibrate([0.3 * s for s in STRENGTHS], 0.9)
    assert found.factor == pytest.approx(1.8)
    assert found.reached == pytest.approx(0.54)


def test_saturating_effect_stops_where_it_levels_off() -> None:
    # 0.8 * strength up to 0.5, then flat at 0.4: 0.9 of it is reached at 0.45.
    assert calibrate([min(0.8 * s, 0.4) for s in STRENGTHS], 0.9).factor == pytest.approx(0.45)


def test_effect_that_falls_again_is_cut_before_its_peak() -> None:
    # Up to 0.6 at strength 1, down afterwards: 0.9 * 0.6 on the way up.
    assert calibrate([0.6 * s if s <= 1 else 1.2 - 0.6 * s for s in STRENGTHS], 0.9).factor == pytest.approx(0.9)


@pytest.mark.parametrize("curve", [[0.01] * 8, [-0.2] * 8])
def test_edit_without_effect_is_left_alone(curve: list[float]) -> None:
    assert calibrate(curve, 0.9).factor == 1.0


def test_calibration_can_be_switched_off() -> None:
    assert calibrate([0.3 * s for s in STRENGTHS], 0.0).factor == 1.0
