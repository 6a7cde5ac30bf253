"""The vectors in tests/contracts are what the Python packages give today; the readers in Swift and Kotlin are tested against them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contracts.write import FOLDER, VECTORS


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_are_up_to_date(name: str) -> None:
    stored = json.loads((FOLDER / name).read_text("utf8"))
    made = json.loads(json.dumps(VECTORS[name]()))
    assert _same(stored, made), f"{name} differs from what Python gives; if that is meant, run python -m tests.contracts.write"


def test_no_file_without_a_writer() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == set(VECTORS)


def _same(stored: Any, made: Any) -> bool:
    """Equal, but for the last digits of a float: the system's square roots and cosines may round differently."""
    if isinstance(stored, float) and isinstance(made, float):
        return made == pytest.approx(stored, rel=1e-12, abs=1e-12)
    if isinstance(stored, list) and isinstance(made, list):
        return len(stored) == len(made) and all(map(_same, stored, made))
    if isinstance(stored, dict) and isinstance(made, dict):
        return stored.keys() == made.keys() and all(_same(stored[key], made[key]) for key in stored)
    return type(stored) is type(made) and stored == made
