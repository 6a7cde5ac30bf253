"""The result document: what follows from given samples, and what the schema refuses."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.results import Recorder, read_document, require_counts, spread, validate, write_document
from benchmarks.tables import text_table
from tests.benchmarks.documents import DEVICE, desktop
from textedit_core.errors import UsageError, UserError


def recorder() -> Recorder:
    """Two measurements of three rounds, the second of which the machine was slow in."""
    made = Recorder("edit", {"model": "tiny"}, {"rounds": 3, "warmup": 1}, ("numpy",))
    made.measure("slow", "group", "ms", [60.0, 600.0, 50.0])
    made.measure("quick", "group", "ms", [10.0, 100.0, 10.0], precision="int8")
    return made


def test_ratios_are_formed_within_a_round() -> None:
    made = recorder()
    made.ratio("r", "slow over quick", "slow", "quick", at_least=5.5)
    made.ratio("s", "slow over quick", "slow", "quick", at_least=6.5)
    made.ratio("t", "slow over quick", "slow", "quick", at_most=6.0)
    first, second, third = made.finish()["figures"]
    # 60 / 10, 600 / 100, 50 / 10: the slow round does not show.
    assert first["samples"] == [6.0, 6.0, 5.0] and first["from"] == ["slow", "quick"]
    assert first["met"] and not second["met"] and third["met"]


def test_a_form_that_was_run_once_is_compared_with_the_first_round() -> None:
    made = recorder()
    made.measure("once", "group", "ms", [8000.0])
    made.ratio("r", "once over quick", "once", "quick", at_least=800.0)
    (figure,) = made.finish()["figures"]
    assert figure["samples"] == [800.0] and figure["met"]


def test_a_ratio_of_what_was_not_measured_is_absent() -> None:
    made = recorder()
    made.ratio("r", "slow over gone", "slow", "gone", at_least=1.0)
    document = made.finish()
    assert document["figures"] == [] and document["absent"] == [{"id": "r", "reason": "'gone' was not measured"}]


def test_spread_is_interpolated() -> None:
    # The ranks of 0..10: tenth percentile 1, median 5, ninetieth 9.
    assert spread([float(value) for value in range(11)]) == {"median": 5.0, "p10": 1.0, "p90": 9.0}


def test_counts_below_one_are_refused() -> None:
    with pytest.raises(UsageError, match="--parity-faces 0 is too small"):
        require_counts(rounds=1, parity_faces=0)


def test_a_document_is_written_and_read_back(tmp_path: Path) -> None:
    document = recorder().finish()
    write_document(document, tmp_path / "r.json")
    assert read_document(tmp_path / "r.json") == document
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"machine": {**DEVICE["machine"], "kind": "toaster"}}, "machine/kind"),
        ({"machine": {name: value for name, value in DEVICE["machine"].items() if name != "emulated"}}, "machine: 'emulated'"),
        ({"taken_at": "yesterday"}, "taken_at"),
        ({"settings": {"rounds": 0}}, "settings/rounds"),
        ({"measurements": []}, "measurements"),
        ({"extra": 1}, "top level.*extra"),
        ({"figures": [{"id": "a", "text": "t", "unit": "ms", "samples": [1.0], "from": ["full"], "goal": {"at_most": 1.0}}]}, "figures/0"),
    ],
)
def test_what_breaks_the_schema_is_named(change: dict[str, Any], where: str) -> None:
    validate(DEVICE)
    with pytest.raises(UserError, match=where):
        validate({**DEVICE, **change})


def test_an_id_is_used_once() -> None:
    document = copy.deepcopy(DEVICE)
    document["measurements"][1]["id"] = "full"
    with pytest.raises(UserError, match="two measurements with the id 'full'"):
        validate(document)


def test_unreadable_results_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    for name in ("broken.json", "gone.json"):
        with pytest.raises(UserError, match=f"{name}' cannot be read as a result"):
            read_document(tmp_path / name)


def test_the_text_says_what_was_measured_where() -> None:
    text = text_table(desktop(1.0))
    assert "not of a phone" in text and "load average before 0.5" in text and "no compiler here" in text
    # Of 9, 8 and 10: median 9, and 0.2 of the way from 8 to 9 and from 10 to 9.
    assert "9.00 ms (8.20 to 9.80)" in text
    assert "goal at least 5.00 times: met" in text and "goal at most 1.000 MB: MISSED" in text
    assert "not of a phone" not in text_table(DEVICE)


def test_the_example_in_the_documents_fits_the_schema(repository: Path) -> None:
    page = (repository / "docs" / "benchmarks.md").read_text("utf8")
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    validate(json.loads(example))
