"""The samples in tests/contracts/manifest, which the readers in Kotlin and Swift must judge as this one does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from export.manifest import Manifest, parse, serialise
from tests.export.test_manifest import compositor_sample, compute_units_sample, sample, unproven_sample, vector_sample
from textedit_core.errors import UserError

SAMPLES = Path(__file__).resolve().parent.parent / "contracts" / "manifest"
VERDICTS: dict[str, str | None] = json.loads((SAMPLES / "verdicts.json").read_text("utf8"))

VALID = {
    "valid.json": sample,
    "vector.json": vector_sample,
    "compositor.json": compositor_sample,
    "compute_units.json": compute_units_sample,
    "parity_not_run.json": unproven_sample,
}


def test_every_sample_has_a_verdict() -> None:
    assert set(VERDICTS) == {path.name for path in SAMPLES.glob("*.json")} - {"verdicts.json"}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name: str) -> None:
    raw, reason = (SAMPLES / name).read_bytes(), VERDICTS[name]
    if reason is None:
        assert serialise(parse(raw, name)) == raw
        return
    with pytest.raises(UserError, match=reason):
        parse(raw, name)


@pytest.mark.parametrize(("name", "made"), VALID.items())
def test_the_valid_samples_are_what_this_version_writes(name: str, made: Callable[[], Manifest]) -> None:
    assert (SAMPLES / name).read_bytes() == serialise(made())
