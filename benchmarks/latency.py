"""How long each network of a bundle takes in its real runtime on this machine, paired with the same network in eager PyTorch.

Times on a desktop processor are not times on a phone. What carries over is how the networks compare with each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.request import LatencyRequest
from benchmarks.results import describe_host, spread, spread_cell, validate
from export import runtimes
from export.bundle import Bundle, open_bundle
from export.golden import read_input
from export.targets import TARGETS
from textedit_core.errors import UsageError, UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from export.graphs import GraphSpec
    from textedit_core.checkpoints.store import Checkpoint

SCHEMA_PATH = Path(__file__).with_name("latency.schema.json")
SCHEMA_VERSION = 1
NOTE = "times of this host's processor, not of a phone"

Runner = Callable[["Tensor"], object]


def measure(request: LatencyRequest) -> dict[str, Any]:
    """Times every network of a bundle.

    Returns:
        What latency.schema.json describes: per network the median, 10th and 90th percentile in ms of the runtime and of eager PyTorch,
        and of their ratio within a pair of runs.

    Raises:
        UsageError: a count is below one, or the target has no runtime on this machine.
        UserError: bundle or checkpoint is damaged, or the bundle was exported from another checkpoint.
    """
    import torch

    from textedit_core.checkpoints.store import open_checkpoint

    _require_positive(request)
    checkpoint = open_checkpoint(request.checkpoint)
    threads_before = torch.get_num_threads()
    torch.set_num_threads(request.threads)
    try:
        with open_bundle(request.bundle) as bundle, torch.inference_mode():
            _require_match(bundle, checkpoint)
            parts = [_measure_part(bundle, checkpoint, case.part, request) for case in bundle.manifest.golden]
            results = _results(bundle, request, parts)
    finally:
        torch.set_num_threads(threads_before)
    validate(results, SCHEMA_PATH)
    return results


def _require_positive(request: LatencyRequest) -> None:
    for name, value in (("threads", request.threads), ("iterations", request.iterations), ("warmup", request.warmup)):
        if value < 1:
            raise UsageError(f"--{name} {value} is too small; give at least 1")


def _require_match(bundle: Bundle, checkpoint: Checkpoint) -> None:
    if bundle.manifest.target not in ("android", "onnx"):
        raise UsageError(f"target {bundle.manifest.target} has no runtime on this machine; give a bundle of target android or onnx")
    exported = bundle.manifest.provenance["checkpoint_id"]
    if exported != checkpoint.checkpoint_id:
        raise UserError(f"the bundle was exported from {exported}, not from {checkpoint.checkpoint_id}; name its --checkpoint")


def _measure_part(bundle: Bundle, checkpoint: Checkpoint, part: str, request: LatencyRequest) -> dict[str, Any]:
    case = next(case for case in bundle.manifest.golden if case.part == part)
    value = read_input(bundle.root, bundle.manifest, case)
    entry = bundle.manifest.part(part)
    run = _runtime(bundle.manifest.target, bundle.file(entry.file), bundle.manifest.spec(part), request.threads)
    lowered, eager = paired_times(run, _network(checkpoint, part), value, request.iterations, request.warmup)
    return {
        "part": part,
        "precision": entry.precision,
        "runtime_ms": spread(lowered),
        "eager_ms": spread(eager),
        "ratio": spread([a / b for a, b in zip(lowered, eager, strict=True)]),
    }


def _network(checkpoint: Checkpoint, part: str) -> nn.Module:
    if part == "encoder":
        return checkpoint.load_encoder()
    if part == "decoder":
        return checkpoint.load_decoder()
    if part == "text_editor":
        from textedit_core.editor import PackedTextEditor

        return PackedTextEditor(checkpoint.load_text_editor())
    return checkpoint.load_editor(part.split("/", 1)[1])


def _runtime(target: str, path: Path, spec: GraphSpec, threads: int) -> Runner:
    if target == "onnx":
        return _onnx_runtime(path, spec, threads)
    from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool

    # Safe here: no program of this process is running while the pool is replaced.
    _unsafe_reset_threadpool(threads)
    return runtimes.load(target, path, spec)


def _onnx_runtime(path: Path, spec: GraphSpec, threads: int) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda value: session.run([spec.output.name], {spec.input.name: value.numpy()})


def paired_times(first: Runner, second: Runner, value: Tensor, iterations: int, warmup: int) -> tuple[list[float], list[float]]:
    """Times two functions in turn, so that a change of the machine's speed meets both; who begins alternates.

    Returns:
        Milliseconds of each iteration, one list per function.
    """
    for _ in range(warmup):
        first(value)
        second(value)
    times: tuple[list[float], list[float]] = ([], [])
    for iteration in range(iterations):
        for side in (0, 1) if iteration % 2 == 0 else (1, 0):
            started = time.perf_counter()
            (first, second)[side](value)
            times[side].append(1000.0 * (time.perf_counter() - started))
    return times


def _results(bundle: Bundle, request: LatencyRequest, parts: list[dict[str, Any]]) -> dict[str, Any]:
    manifest = bundle.manifest
    package = TARGETS[manifest.target].package
    return {
        "schema_version": SCHEMA_VERSION,
        "note": NOTE,
        "bundle": {"name": manifest.name, "target": manifest.target, "checkpoint_id": manifest.provenance["checkpoint_id"]},
        "host": describe_host(),
        "versions": {name: version(name) for name in ("torch", package)},
        "settings": {"threads": request.threads, "iterations": request.iterations, "warmup": request.warmup},
        "parts": parts,
    }


def format_table(results: dict[str, Any]) -> str:
    """Results as a plain text table; a ratio below 1 means that the runtime is faster than eager PyTorch."""
    settings, host = results["settings"], results["host"]
    lines = [
        f"{results['bundle']['name']} for {results['bundle']['target']} on {host['processor']} ({NOTE})",
        f"{settings['iterations']} pairs of runs, {settings['threads']} thread(s); median (10th to 90th percentile)",
        f"{'network':<18}{'precision':<10}{'runtime, ms':>24}{'PyTorch, ms':>24}{'ratio':>22}",
    ]
    for part in results["parts"]:
        columns = [spread_cell(part[key], digits) for key, digits in (("runtime_ms", 2), ("eager_ms", 2), ("ratio", 2))]
        lines.append(f"{part['part']:<18}{part['precision']:<10}{columns[0]:>24}{columns[1]:>24}{columns[2]:>22}")
    return "\n".join(lines)
