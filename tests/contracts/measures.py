"""Vectors of what is measured: the self-test's decibels, and how repeated times are summed up."""

from __future__ import annotations

import base64
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.results import Document, spread, validate
from export.golden import check_case
from export.manifest import GoldenCase
from export.parity import psnr_db
from tests.export.test_manifest import sample
from textedit_core.errors import TexteditError

FLOOR_DB = 45.0


def _bits(values: np.ndarray) -> str:
    """Raw little-endian float32, as a bundle stores them; the only form that holds what is not a number."""
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def golden_cases() -> dict[str, Any]:
    """An expected and an actual output: the decibels between them, and whether the self-test passes."""
    rng = np.random.default_rng(6)
    expected = rng.normal(size=12).astype(np.float32)
    noise = rng.normal(size=12).astype(np.float32)
    constant = np.full(12, 0.5, np.float32)
    broken = [np.where(np.arange(12) == 7, wrong, expected) for wrong in (np.nan, np.inf)]
    cases = [
        ("identical", expected, expected, True),
        ("close", expected, expected + 1e-3 * noise, True),
        ("too far", expected, expected + 0.1 * noise, False),
        ("constant and met", constant, constant, True),
        ("constant and missed by a little", constant, constant + np.float32(1e-6), False),
        ("a constant where there is none", expected, constant, False),
        ("one value is not a number", expected, broken[0], False),
        ("one value is infinite", expected, broken[1], False),
        ("expected is not a number", broken[0], expected, False),
        ("too few values", expected, expected[:11], False),
    ]
    return {"tolerance_db": 1e-6, "floor_db": FLOOR_DB, "cases": [_golden_case(*case) for case in cases]}


def _golden_case(name: str, expected: np.ndarray, actual: np.ndarray, passes: bool) -> dict[str, Any]:
    comparable = len(expected) == len(actual) and bool(np.isfinite(expected).all() and np.isfinite(actual).all())
    reached = psnr_db(torch.from_numpy(expected), torch.from_numpy(actual)) if comparable else None
    assert _self_test_passes(expected, actual) is passes, name
    return {"name": name, "expected": _bits(expected), "actual": _bits(actual), "psnr_db": reached, "passes": passes}


def _self_test_passes(expected: np.ndarray, actual: np.ndarray) -> bool:
    case = GoldenCase("decoder", "in.f32", "out.f32", (len(expected),), FLOOR_DB)
    with tempfile.TemporaryDirectory() as folder:
        manifest = replace(sample(), golden=(case,))
        Path(folder, case.input).write_bytes(bytes(4 * int(np.prod(manifest.part("decoder").input.shape))))
        Path(folder, case.output).write_bytes(expected.astype("<f4").tobytes())
        try:
            check_case(Path(folder), manifest, case, lambda value: torch.from_numpy(actual.astype(np.float32)))
        except TexteditError:
            return False
        return True


def spreads() -> dict[str, Any]:
    """Repeated values and their median and percentiles."""
    rng = np.random.default_rng(7)
    samples = [[3.0], [1.0, 2.0], [5.0, 1.0, 3.0], [2.0, 2.0, 2.0, 9.0], rng.uniform(1, 50, 30).round(3).tolist()]
    return {"tolerance": 1e-12, "cases": [{"values": values, **spread(values)} for values in samples]}


def device_results() -> dict[str, Any]:
    """Results as an app writes them, by kind of device; the times are made up."""
    results = {kind: device_result(kind) for kind in ("android", "ios")}
    for kind, document in results.items():
        validate(document, kind)
    return results


def device_result(kind: str) -> Document:
    """One such result, of a device of this kind."""
    machine = {"kind": kind, "emulated": True, "model": "MODEL", "processor": "PROCESSOR", "cores": 6, "system": "SYSTEM 1.0"}
    times = {"full": 9.25, "encode": 3.5, "edit": 0.25, "decode": 5.5, "slider": 5.75}
    parts = {"encode": "encoder", "edit": "editors/smile", "decode": "decoder"}
    measurements: list[dict[str, Any]] = []
    for name, value in times.items():
        entry = {"id": name, "group": "an edit", "series": "full edit" if name == "full" else name, "unit": "ms"}
        labels = {"labels": {"part": parts[name], "precision": "fp16"}} if name in parts else {}
        measurements.append({**entry, "samples": [value, value + 0.5], **labels})
    once = {"load": ("loading", "ms", 120.5, {}), "memory": ("memory", "bytes", 31457280.0, {"labels": {"counter": "phys_footprint"}})}
    for name, (group, unit, value, labels) in once.items():
        measurements.append({"id": name, "group": group, "series": name, "unit": unit, "samples": [value], **labels})
    return {
        "schema_version": 1,
        "benchmark": "device",
        "taken_at": "2026-01-31T12:00:00Z",
        "machine": {**machine, "memory_bytes": 8589934592, "thermal_state": "nominal"},
        "software": {"runtime": "1.0"},
        "subject": {"model": "demo", "bundle_target": kind, "checkpoint_id": "demo-1"},
        "settings": {"rounds": 2, "warmup": 1},
        "measurements": measurements,
    }
