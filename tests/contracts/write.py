"""python -m tests.contracts.write: writes the vectors that Python, Swift and Kotlin must agree on, as the Python packages have them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.contracts import geometry, measures, trust

FOLDER = Path(__file__).resolve().parent
VECTORS: dict[str, Callable[[], dict[str, Any]]] = {
    "alignment.json": geometry.crop_transforms,
    "crops.json": geometry.crops,
    "pastes.json": geometry.pastes,
    "compositions.json": geometry.compositions,
    "pixels.json": geometry.conversions,
    "edits.json": geometry.edits,
    "golden.json": measures.golden_cases,
    "spreads.json": measures.spreads,
    "device_results.json": measures.device_results,
    "signatures.json": trust.signatures,
    "bundles.json": trust.bundles,
    "updates.json": trust.updates,
}


def main() -> None:
    """Writes every file anew."""
    for name, made in VECTORS.items():
        (FOLDER / name).write_text(_lines(made()), "utf8")


def _lines(vectors: dict[str, Any]) -> str:
    """JSON with a line for each entry of the outermost lists and objects, so that a change shows as the cases it concerns."""
    fields = []
    for key, value in vectors.items():
        nested = isinstance(value, list | dict)
        entries = [_json(each) for each in value] if isinstance(value, list) else []
        if isinstance(value, dict):
            entries = [f"{_json(name)}: {_json(each)}" for name, each in value.items()]
        opening, closing = "[]" if isinstance(value, list) else "{}"
        body = opening + "\n  " + ",\n  ".join(entries) + "\n " + closing if nested else _json(value)
        fields.append(f" {_json(key)}: {body}")
    return "{\n" + ",\n".join(fields) + "\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


if __name__ == "__main__":
    main()
