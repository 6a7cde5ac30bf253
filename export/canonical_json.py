"""JSON in one byte form, read strictly: what was read can be written again, byte for byte."""

from __future__ import annotations

import json
from typing import Any

from textedit_core.errors import UserError


def canonical_json(values: dict[str, Any]) -> bytes:
    """The one byte form of a JSON object: sorted keys, two-space indent, UTF-8, one final newline."""
    return (json.dumps(values, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def load_json(raw: bytes, source: str) -> dict[str, Any]:
    """Reads a JSON object that `canonical_json` can write again.

    Args:
        raw: the bytes of a file.
        source: its name in errors.

    Raises:
        UserError: it is no JSON, no object, repeats a key, or holds what JSON cannot say.
    """
    try:
        values = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source} is not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise UserError(f"{source} holds a JSON {type(values).__name__}, not an object")
    _require_writable(values, source)
    return values


def _require_writable(values: dict[str, Any], source: str) -> None:
    # Python reads more than JSON can say: half a surrogate pair (\ud800), a number beyond all floats (1e999), and deeper nesting than
    # it writes.
    try:
        canonical_json(values)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{source} is not valid JSON: {error}") from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("an object repeats a key")
    return values


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
