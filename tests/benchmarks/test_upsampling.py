"""The forms of the up-sampling convolution are one function, and each is timed in each runtime."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import upsampling
from benchmarks.__main__ import main
from benchmarks.results import validate
from benchmarks.upsampling import FORMS, INTERPOLATED, TRANSPOSED, forms


def test_forms_are_one_function() -> None:
    made = forms(6, 5)
    x = torch.randn(1, 6, 8, 8)
    with torch.no_grad():
        results = {name: make(x)(x) for name, make in made.items()}
    inside = (..., slice(2, -2), slice(2, -2))
    for name, result in results.items():
        seen = inside if name == INTERPOLATED else ...
        # Sums of some hundred products of about one, in another order.
        torch.testing.assert_close(result[seen], results[TRANSPOSED][seen], rtol=1e-4, atol=1e-5)


def test_every_form_is_held_against_the_transposed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upsampling, "SHAPES", ((4, 4, 4),))
    assert main(["upsampling", "--rounds", "2", "--warmup", "1", "--threads", "1", "--json", str(tmp_path / "u.json")]) == 0
    document = json.loads((tmp_path / "u.json").read_text())
    validate(document)
    # Four forms and the filter alone, in three runtimes; three forms held against the first in each.
    assert len(document["measurements"]) == 15 and len(document["figures"]) == 9
    for figure in document["figures"]:
        of, over = ({m["id"]: m["samples"] for m in document["measurements"]}[source] for source in figure["from"])
        assert figure["samples"] == [a / b for a, b in zip(of, over, strict=True)]
        assert any(f", {form}" in figure["from"][0] for form in FORMS[1:]) and figure["from"][1].endswith(f", {TRANSPOSED}")
