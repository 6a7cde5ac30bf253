"""The samples in tests/contracts/manifest, which the readers in Kotlin and Swift must judge as this one does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from export.manifest import parse, serialise
from tests.export.test_manifest import sample
from textedit_core.errors import UserError

SAMPLES = Path(__file__).resolve().parent.parent / "contracts" / "manifest"
VERDICTS: dict[str, str | None] = json.loads((SAMPLES / "verdicts.json").read_text("utf8"))


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


def test_the_valid_sample_is_what_this_version_writes() -> None:
    assert (SAMPLES / "valid.json").read_bytes() == serialise(sample())
