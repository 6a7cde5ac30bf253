"""Held-out figures on cases whose answers are known, with intervals over people."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from textedit_core.judges.attribute_table import ATTRIBUTES, targets_of
from textedit_core.judges.intervals import mean_figure
from textedit_core.judges.measurement import measure_judges
from textedit_core.judges.store import Judges
from textedit_core.judges.verification import equal_error_threshold, verification

LABEL = {"style": "photo", "age_years": 30.0, "male": 0.0}


class _Oracle:
    """A judge that knows the labels and recognises people, whatever it is shown."""

    def __init__(self, faces: Any) -> None:
        self.faces = faces
        self.targets = targets_of([label["attributes"] for label in faces.labels])

    def attributes(self, images: Tensor) -> dict[str, Tensor]:
        values = {}
        for attribute in ATTRIBUTES:
            target = self.targets[attribute.name]
            values[attribute.name] = torch.nn.functional.one_hot(target.long(), attribute.outputs) if attribute.choices else target
        return values

    def identity(self, images: Tensor) -> Tensor:
        return torch.eye(self.faces.num_identities)[self.faces.identities]


def test_an_oracle_is_right_everywhere(noise_faces: Any) -> None:
    card = measure_judges(_Oracle(noise_faces), noise_faces)  # type: ignore[arg-type]
    assert (card["images"], card["people"]) == (24, 6)
    smile = card["attributes"]["smile"]
    assert smile["accuracy"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 24}
    # A quarter of the smiles is a hint of 0.25.
    assert smile["accuracy_clear"]["n"] == 18 and smile["mean_absolute_error"]["value"] == 0.0
    assert card["attributes"]["age_years"]["accuracy_child"]["value"] == 1.0
    # Every third picture is a sketch, which shows no hair colour.
    assert card["attributes"]["hair_color"]["accuracy"]["n"] == 16
    assert card["identity"]["all"]["equal_error_rate"]["value"] == 0.0
    # Six people with four pictures have six pairs each, and 24 * 20 / 2 pairs with others.
    assert (card["identity"]["all"]["accuracy"]["n"], card["identity"]["all"]["people_pairs"]) == (36, 240)


def test_untrained_judges_can_be_measured(tiny_judges: Judges, noise_faces: Any) -> None:
    card = measure_judges(tiny_judges, noise_faces)
    assert set(card["attributes"]) == set(card["attributes_softened"]) == {a.name for a in ATTRIBUTES}
    for figures in card["attributes"].values():
        for figure in figures.values():
            assert figure["n"] == 0 or figure["low"] <= figure["value"] <= figure["high"]


def test_a_mean_of_equal_values_has_no_spread_and_people_widen_it() -> None:
    assert mean_figure(np.ones(10), np.arange(10)) == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 10}
    assert mean_figure(np.zeros(0), np.zeros(0, dtype=np.int64))["value"] is None
    values = np.repeat([0.0, 1.0, 0.0, 1.0, 0.0, 1.0], 20)
    alike = mean_figure(values, np.repeat(np.arange(6), 20))
    apart = mean_figure(values, np.arange(120))
    assert alike["value"] == apart["value"] == 0.5
    # Standard errors 0.5 / sqrt(6) and 0.5 / sqrt(120); an interval is about four wide.
    assert alike["high"] - alike["low"] > 2.5 * (apart["high"] - apart["low"])


def test_threshold_balances_both_errors() -> None:
    genuine = np.array([0.9, 0.8, 0.7, 0.2], dtype=np.float32)
    impostor = np.array([0.6, 0.1, 0.0, -0.1], dtype=np.float32)
    # At 0.6 one of four genuine pairs is refused and one of four impostors accepted.
    assert equal_error_threshold(genuine, impostor) == pytest.approx(0.6)


def test_verification_counts_pairs_by_condition() -> None:
    people = np.array([0, 0, 1, 1])
    embeddings = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32)
    labels = [LABEL, {**LABEL, "style": "sketch"}, LABEL, {**LABEL, "age_years": 60.0}]
    figures = verification(embeddings, people, labels)
    assert figures["across_style"]["tar_at_far_1e-2"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 1}
    assert figures["across_age"]["accuracy"]["n"] == 1
    assert figures["same_style"]["people_pairs"] == 2  # the first picture with both of the other person
    assert verification(embeddings[:2], people[:2], labels[:2])["all"] is None
