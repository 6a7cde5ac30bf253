"""Small result documents for tests."""

from __future__ import annotations

from typing import Any

from benchmarks.results import Document

# What an app on a telephone may write; the names are made up.
DEVICE: dict[str, Any] = {
    "schema_version": 1,
    "benchmark": "device",
    "taken_at": "2026-01-31T12:00:00Z",
    "machine": {"kind": "android", "emulated": False, "model": "m", "processor": "p", "cores": 8, "system": "s", "thermal_state": "none"},
    "software": {"executorch": "1"},
    "subject": {"model": "tiny", "bundle_target": "android", "checkpoint_id": "tiny-0"},
    "settings": {"threads": 2, "rounds": 3, "warmup": 1},
    "measurements": [
        {"id": "full", "group": "an edit", "series": "full", "unit": "ms", "samples": [9.0, 8.0, 10.0]},
        {"id": "decode", "group": "an edit", "series": "decode", "unit": "ms", "samples": [6.0, 4.0, 5.0], "labels": {"part": "decoder"}},
    ],
}
DESKTOP_MACHINE = {"kind": "desktop", "emulated": False, "model": "m", "processor": "p", "cores": 2, "system": "s", "load_average": 0.5}


def desktop(factor: float) -> Document:
    """The document of a desktop with a curve, bars, a goal that is met and one that is missed; times grow with `factor`."""
    curve = [
        {
            "id": f"{side} px",
            "group": "one image",
            "series": "int8",
            "scale": {"axis": "image side, px", "value": side},
            "unit": "ms",
            "samples": [factor * side, factor * side * 1.1],
        }
        for side in (64, 128, 256)
    ]
    return {
        **DEVICE,
        "benchmark": "decoder",
        "machine": DESKTOP_MACHINE,
        "measurements": [*DEVICE["measurements"], *curve],
        "figures": [
            {"id": "a", "text": "one", "unit": "ratio", "samples": [6.0], "from": ["full"], "goal": {"at_least": 5.0}, "met": True},
            {"id": "b", "text": "two", "unit": "bytes", "samples": [2e6], "from": ["full"], "goal": {"at_most": 1e6}, "met": False},
        ],
        "absent": [{"id": "c", "reason": "no compiler here"}],
    }
