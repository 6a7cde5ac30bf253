"""Where the time of one network of an android bundle goes: every kernel's share, as ExecuTorch's own event tracer records it.

Tracing costs a few microseconds per kernel, so the sum is a little more than an untraced run. Times are those of this host's processor.
"""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.request import OperationsRequest
from benchmarks.results import describe_host, spread, spread_cell, validate
from textedit_core.errors import UsageError, UserError

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA_PATH = Path(__file__).with_name("operations.schema.json")
NOTE = "times of this host's processor, not of a phone"
_WHOLE = "Method::execute"
# Brackets around what is listed already.
_BRACKETS = (_WHOLE, "DELEGATE_CALL", "OPERATOR_CALL")


def measure(request: OperationsRequest) -> dict[str, Any]:
    """Traces one network on its golden input.

    Returns:
        What operations.schema.json describes: per kernel, in order of execution, the spread of its times in ms and its share.

    Raises:
        UsageError: a count is below one, or the bundle is not of target android.
        UserError: the bundle is damaged or has no such part.
    """
    from export.bundle import open_bundle
    from export.golden import read_input

    for name, value in (("threads", request.threads), ("iterations", request.iterations), ("warmup", request.warmup)):
        if value < 1:
            raise UsageError(f"--{name} {value} is too small; give at least 1")
    with open_bundle(request.bundle) as bundle:
        manifest = bundle.manifest
        if manifest.target != "android":
            raise UsageError(f"target {manifest.target} is not traced; give a bundle of target android")
        entry = manifest.part(request.part)
        case = next(case for case in manifest.golden if case.part == request.part)
        times = traced_times(bundle.file(entry.file), read_input(bundle.root, manifest, case), request)
    results = {
        "schema_version": 1,
        "note": NOTE,
        "bundle": manifest.name,
        "part": request.part,
        "precision": entry.precision,
        "host": describe_host(),
        "versions": {"executorch": version("executorch")},
        "settings": {"threads": request.threads, "iterations": request.iterations, "warmup": request.warmup},
        **_described(times),
    }
    validate(results, SCHEMA_PATH)
    return results


def traced_times(path: Path, value: Tensor, request: OperationsRequest) -> list[tuple[str, list[float]]]:
    """Milliseconds of every traced event of a .pte program in each timed run, in order of execution, the whole run among them."""
    from executorch.devtools import Inspector
    from executorch.extension.pybindings.portable_lib import _load_for_executorch, _unsafe_reset_threadpool

    _unsafe_reset_threadpool(request.threads)
    module = _load_for_executorch(str(path), enable_etdump=True)
    for _ in range(request.warmup + request.iterations):
        module.forward([value])
    with tempfile.TemporaryDirectory(prefix="textedit-trace-") as scratch:
        trace = Path(scratch, "trace.etdp")
        module.write_etdump_result_to_file(str(trace))
        events = [event for block in Inspector(etdump_path=str(trace)).event_blocks if block.name == "Execute" for event in block.events]
    runs = request.warmup + request.iterations
    return [(e.name, e.perf_data.raw[request.warmup :]) for e in events if e.perf_data is not None and len(e.perf_data.raw) == runs]


def _described(times: list[tuple[str, list[float]]]) -> dict[str, Any]:
    whole = next((values for name, values in times if name == _WHOLE), None)
    if whole is None:
        raise UserError("this build of ExecuTorch records no events; install a wheel with the event tracer")
    total = spread(whole)
    # The tracer's clock ticks in nanoseconds; a kernel below one tick is not listed.
    kernels = [(name, values) for name, values in times if name not in _BRACKETS and min(values) > 0.0]
    rows = [{"kernel": name, "ms": spread(values), "share": spread(values)["median"] / total["median"]} for name, values in kernels]
    return {"whole_ms": total, "kernels": rows}


def format_table(results: dict[str, Any]) -> str:
    """Results as a plain text table, the slowest kernel first."""
    settings = results["settings"]
    lines = [
        f"{results['part']} of {results['bundle']}, {results['precision']}, on {results['host']['processor']} ({results['note']})",
        f"{settings['iterations']} runs, {settings['threads']} thread(s); whole run {spread_cell(results['whole_ms'], 2)} ms",
        f"{'kernel':<64}{'ms':>28}{'share':>8}",
    ]
    for row in sorted(results["kernels"], key=lambda row: -row["ms"]["median"]):
        lines.append(f"{row['kernel']:<64}{spread_cell(row['ms'], 3):>28}{row['share']:>8.1%}")
    return "\n".join(lines)
