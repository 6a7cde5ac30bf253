"""Intervals, verdicts, drift, strength and the baseline, each on values worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.textedit_core.evaluation.known_faces import LABEL, NoiseGroups
from textedit_core.errors import UserError
from textedit_core.evaluation.bootstrap import estimate, estimate_curve, estimate_ratio
from textedit_core.evaluation.curves import line_chart
from textedit_core.evaluation.drift import change, other_traits, unchanged
from textedit_core.evaluation.ground_truth import load_groups, spread
from textedit_core.evaluation.judge_card import in_words, judge_figure
from textedit_core.evaluation.panel import background_drift, psnr_db
from textedit_core.evaluation.rows import mean_directions
from textedit_core.evaluation.strength import monotone, spearman
from textedit_core.evaluation.verdicts import VERDICTS
from textedit_core.synthetic.attributes import HAIR_COLORS, STYLES


def test_interval_of_a_constant_has_no_width() -> None:
    assert estimate([0.25] * 10) == {"value": 0.25, "low": 0.25, "high": 0.25, "n": 10}



def test_a_pooled_ratio_counts_each_group_by_its_whole() -> None:
    found = estimate_ratio([3.0, 10.0, np.nan], [1.0, 19.0, 5.0])
    # 13 of 20, although the mean of 3/1 and 10/19 is 1.76; resamples lie between the two.
    assert found is not None and found["value"] == 0.65 and found["n"] == 2
    assert found["low"] == pytest.approx(10 / 19) and found["high"] == pytest.approx(3.0)
    assert estimate_ratio([np.nan], [1.0]) is None

def test_interval_is_that_of_the_normal_limit() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    result = estimate(values)
    assert result is not None
    # 1.96 standard errors on either side, the limit for many groups.
    half = 1.96 * values.std() / 20.0
    assert result["value"] == pytest.approx(values.mean())
    assert result["low"] == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert result["high"] == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert estimate(values, seed=1) != result and estimate(values) == result


def test_what_does_not_apply_is_left_out() -> None:
    assert estimate([1.0, float("nan"), float("inf"), 3.0])["n"] == 2  # type: ignore[index]
    assert estimate([float("nan")]) is None


def test_curve_estimates_its_columns() -> None:
    assert [point["value"] for point in estimate_curve([[0.0, 1.0], [1.0, 2.0]])] == [0.5, 1.5]


def _seen(**values: Any) -> dict[str, Any]:
    return {name: np.array(value) for name, value in values.items()}


def test_verdicts_at_their_thresholds() -> None:
    assert VERDICTS["smile"].success(_seen(smile=[0.49, 0.5])).tolist() == [False, True]
    assert VERDICTS["child"].success(_seen(age_years=[12.9, 13.0])).tolist() == [True, False]
    assert VERDICTS["aged"].success(_seen(age_years=[59.9, 60.0])).tolist() == [False, True]
    # Surprise needs both: brows at 0.5 and the mouth at 0.3.
    surprised = _seen(brow_raise=[0.5, 0.5, 0.4], mouth_open=[0.3, 0.2, 0.9])
    assert VERDICTS["surprised"].success(surprised).tolist() == [True, False, False]
    style = np.eye(len(STYLES))[[STYLES.index("sketch"), STYLES.index("cartoon")]]
    assert VERDICTS["sketch"].success({"style": style}).tolist() == [True, False]
    assert VERDICTS["cartoon"].score({"style": style}).tolist() == [0.0, 1.0]
    hair = np.eye(len(HAIR_COLORS))[[HAIR_COLORS.index("blond"), HAIR_COLORS.index("grey")]]
    assert VERDICTS["blond"].success({"hair_color": hair}).tolist() == [True, False]


def test_drift_of_each_kind_of_attribute() -> None:
    before = _seen(smile=[0.1, 0.1], male=[0.4, 0.9], style=[[1.0, 0.0, 0.0]] * 2)
    after = _seen(smile=[0.2, 0.3], male=[0.6, 0.6], style=[[0.6, 0.4, 0.0], [0.2, 0.8, 0.0]])
    assert change("smile", before, after) == pytest.approx([0.1, 0.2])
    assert unchanged("smile", before, after).tolist() == [True, False]  # tolerance 0.15
    assert unchanged("male", before, after).tolist() == [False, True]  # which side of one half
    # Half the sum of |0.4| and |0.4|.
    assert change("style", before, after) == pytest.approx([0.4, 0.8])
    assert unchanged("style", before, after).tolist() == [True, False]


def test_sketches_are_not_asked_for_colours() -> None:
    sketch = other_traits(VERDICTS["sketch"], [LABEL], [{**LABEL, "style": "sketch"}])
    cartoon = other_traits(VERDICTS["cartoon"], [LABEL], [{**LABEL, "style": "cartoon"}])
    assert set(cartoon) - set(sketch) == {"hair_color", "melanin"}
    assert "style" not in cartoon


def test_monotone_allows_a_small_step_back_and_no_slow_slide() -> None:
    scores = np.array([[0.0, 0.5, 0.49, 1.0], [0.0, 0.5, 0.4, 1.0], [1.0, 0.985, 0.97, 0.955]])
    assert monotone(scores, 0.02).tolist() == [True, False, False]


def test_spearman_of_known_rankings() -> None:
    scores = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [1.0, 3.0, 2.0], [5.0, 5.0, 5.0], [1.0, 1.0, 2.0]])
    # 1 - 6 sum d^2 / (n (n^2 - 1)) without ties: d = (0, 1, 1) gives 0.5. With the tie, ranks 0.5, 0.5, 2: 1.5 / sqrt(1.5 * 2).
    expected = [1.0, -1.0, 0.5, float("nan"), 1.5 / np.sqrt(3.0)]
    assert spearman(scores) == pytest.approx(expected, nan_ok=True)


def test_mean_direction_never_uses_its_own_person() -> None:
    people = np.array([19, 19, 39, 39, 59])
    # Every person moves by their own amount, so that a mean tells who went into it.
    moved = torch.tensor([1.0, 3.0, 10.0, 20.0, 5.0]).reshape(5, 1, 1)
    direction = mean_directions(torch.zeros(5, 1, 1), moved, people).flatten().tolist()
    # Folds by person: {19, 59} and {39}.
    assert direction == [15.0, 15.0, 3.0, 3.0, 15.0]
    with pytest.raises(UserError, match="show person 19"):
        mean_directions(moved, moved, np.full(5, 19))


def test_background_is_where_neither_picture_has_the_figure() -> None:
    groups = NoiseGroups()
    truth = load_groups(groups, 8, ("smile", "grey"), 32)
    assert list(truth.partners) == ["smile"]
    # A square of 16 px in 32 px.
    assert truth.backgrounds["smile"].sum(dim=(1, 2)).tolist() == [32 * 32 - 16 * 16] * 8
    # Halved, the square covers 8 px in 16 px.
    assert load_groups(groups, 8, (), 16).source_background.sum(dim=(1, 2)).tolist() == [16 * 16 - 8 * 8] * 8
    changed = truth.sources.clone()
    changed[:, :, 0, :] = truth.sources[:, :, 0, :] + 40
    changed[:, :, 10:20, 10:20] = 0
    # One of 32 rows of the whole background moved by 40 levels, 32 of 768 pixels; the figure does not count.
    assert background_drift(changed, truth.sources, truth.source_background) == pytest.approx([40 * 32 / 768] * 8)
    assert np.isnan(background_drift(changed, truth.sources, torch.zeros(8, 32, 32, dtype=torch.bool))).all()


def test_psnr_of_a_known_error() -> None:
    black = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    lighter = black.clone()
    lighter[1] += 51
    # 20 log10(255 / 51) = 13.979 dB.
    assert psnr_db(black, lighter).tolist() == [float("inf"), pytest.approx(13.979, abs=1e-3)]


def test_spread_is_even_and_never_repeats() -> None:
    assert spread(16, 4) == [0, 4, 8, 12]
    assert spread(3, 8) == [0, 1, 2]


def test_a_judge_is_quoted_with_the_figure_that_its_verdict_rests_on() -> None:
    figure = {"value": 0.9, "low": 0.8, "high": 1.0, "n": 50}
    card = {
        "attributes": {"age_years": {"mean_absolute_error": {**figure, "value": 4.25}, "accuracy_child": figure}},
        "attributes_softened": {"age_years": {"mean_absolute_error": figure, "accuracy_child": {**figure, "value": 0.7}}},
        "identity": {"all": {"accuracy": figure}},
    }
    assert in_words(judge_figure(card, "age_years")) == "age_years: mean absolute error 4.25 (n 50; 0.9 on blurred pictures)"
    below = "age_years: accuracy below 13 years 90.0% (n 50; 70.0% on blurred pictures)"
    assert in_words(judge_figure(card, "age_years", "child")) == below
    assert in_words(judge_figure(card, "identity")) == "identity: accuracy 90.0% (n 50)"
    with pytest.raises(UserError, match="no figure for 'smile'"):
        judge_figure(card, "smile")


def test_chart_scales_to_its_intervals() -> None:
    points = [{"value": value, "low": value, "high": value, "n": 3} for value in (0.0, 1.0)]
    drawing = line_chart((0.0, 1.5), [("fp32", points)], "strength", "score, 0 to 1")
    # The plot lies between x 44 and 340 and between y 186 and 14; levels are quarters, since 0 and 1 are round already.
    assert 'points="44.0,186.0 340.0,14.0"' in drawing
    assert all(f">{level}</text>" in drawing for level in ("0", "0.25", "0.5", "0.75", "1"))
    # From 8.2 to 26.9 years in steps of 5: five levels below 30, none outside.
    points = [{"value": value, "low": value, "high": value, "n": 3} for value in (8.2, 26.9)]
    drawing = line_chart((0.0, 1.5), [("fp32", points)], "strength", "years")
    assert ">5</text>" in drawing and ">30</text>" in drawing and ">35</text>" not in drawing
    with pytest.raises(ValueError, match="4 curves"):
        line_chart((0.0, 1.5), [("a", points)] * 4, "strength", "score")
