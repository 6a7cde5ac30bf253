"""Where the time of one network of an android bundle goes: every kernel's share, as ExecuTorch's own event tracer records it.

Tracing costs a few microseconds per kernel, so the sum is a little more than an untraced run. Times are those of this host's processor.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.request import OperationsRequest
from benchmarks.results import Document, Recorder, require_counts
from textedit_core.errors import UsageError, UserError

if TYPE_CHECKING:
    from torch import Tensor

WHOLE = "Method::execute"
# Brackets around what is listed already.
_BRACKETS = (WHOLE, "DELEGATE_CALL", "OPERATOR_CALL")


def measure(request: OperationsRequest) -> Document:
    """Traces one network on its golden input.

    Returns:
        A result document: ms of the whole run and, in order of execution, of every kernel, and the kernels' shares.

    Raises:
        UsageError: a count is below one, or the bundle is not of target android.
        UserError: the bundle is damaged or has no such part.
    """
    from export.backends import backend_of, xnnpack
    from export.bundle import open_bundle
    from export.golden import read_input

    require_counts(threads=request.threads, rounds=request.rounds, warmup=request.warmup)
    with open_bundle(request.bundle) as bundle:
        manifest = bundle.manifest
        backend = backend_of(manifest)
        if backend is not xnnpack.BACKEND:
            raise UsageError(f"target {backend.label} is not traced; give a bundle of target {xnnpack.BACKEND.label}")
        entry = manifest.part(request.part)
        case = next(case for case in manifest.golden if case.part == request.part)
        subject = {"model": manifest.name, "bundle_target": manifest.target, "checkpoint_id": manifest.provenance["checkpoint_id"]}
        settings = {"part": request.part, "threads": request.threads, "rounds": request.rounds, "warmup": request.warmup}
        recorder = Recorder("operations", subject, settings, ("executorch",))
        times = traced_times(bundle.file(entry.file), read_input(bundle.root, manifest, case), request)
    record_kernels(recorder, times, entry.precision)
    return recorder.finish()


def traced_times(path: Path, value: Tensor, request: OperationsRequest) -> list[tuple[str, list[float]]]:
    """Milliseconds of every traced event of a .pte program in each timed run, in order of execution, the whole run among them."""
    from executorch.devtools import Inspector
    from executorch.extension.pybindings.portable_lib import _load_for_executorch, _unsafe_reset_threadpool

    _unsafe_reset_threadpool(request.threads)
    module = _load_for_executorch(str(path), enable_etdump=True)
    for _ in range(request.warmup + request.rounds):
        module.forward([value])
    with tempfile.TemporaryDirectory(prefix="textedit-trace-") as scratch:
        trace = Path(scratch, "trace.etdp")
        module.write_etdump_result_to_file(str(trace))
        events = [event for block in Inspector(etdump_path=str(trace)).event_blocks if block.name == "Execute" for event in block.events]
    runs = request.warmup + request.rounds
    return [(e.name, e.perf_data.raw[request.warmup :]) for e in events if e.perf_data is not None and len(e.perf_data.raw) == runs]


def record_kernels(recorder: Recorder, times: list[tuple[str, list[float]]], precision: str) -> None:
    """Adds a trace to a document, the whole run first.

    Raises:
        UserError: the trace is empty.
    """
    whole = next((values for name, values in times if name == WHOLE), None)
    if whole is None:
        raise UserError("this build of ExecuTorch records no events; install a wheel with the event tracer")
    recorder.measure("whole", "whole run", "ms", whole, precision=precision)
    # The tracer's clock ticks in nanoseconds; a kernel below one tick is not listed.
    kernels = [(name, values) for name, values in times if name not in _BRACKETS and min(values) > 0.0]
    for number, (name, values) in enumerate(kernels, 1):
        identifier = f"{number} {name}"
        recorder.measure(identifier, "kernels", "ms", values, precision=precision)
        recorder.ratio(f"share of {identifier}", f"share of {identifier}", identifier, "whole", unit="share")
