"""One decoder through every runtime at hand, in one run: folded and naive, against the machine's own roofline.

All forms are timed in turn, round after round, so that a change of the machine's speed meets all of them. Weights are random: times do
not depend on them. Times of a desktop processor are not times of a phone.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.request import PeersRequest
from benchmarks.results import describe_host, spread, spread_cell, validate
from benchmarks.roofline import roofline
from textedit_core.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from export.graphs import GraphSpec

SCHEMA_PATH = Path(__file__).with_name("peers.schema.json")
NOTE = "times of this host's processor, not of a phone"
REFERENCE = "ExecuTorch, folded int8"
# A form that takes longer is timed once and not warmed up: the naive export takes more than a minute for 256 px.
SLOW_SECONDS = 5.0
# Before each timed run: thread pools spin for a while after their work, at the expense of whatever runs next.
PAUSE_SECONDS = 0.02

Run = Callable[["Tensor"], object]


def measure(request: PeersRequest) -> dict[str, Any]:
    """Times every form of a preset's decoder.

    Returns:
        What peers.schema.json describes: per form the spread of its times in ms, how many runs, and why a form is absent; GMAC; roofline.

    Raises:
        UsageError: no such preset, or a count is below one.
    """
    import torch

    for name, value in (("threads", request.threads), ("iterations", request.iterations), ("warmup", request.warmup)):
        if value < 1:
            raise UsageError(f"--{name} {value} is too small; give at least 1")
    before = torch.get_num_threads()
    torch.set_num_threads(request.threads)
    try:
        with tempfile.TemporaryDirectory(prefix="textedit-peers-") as scratch, torch.no_grad():
            results = _measure(request, Path(scratch))
    finally:
        torch.set_num_threads(before)
    validate(results, SCHEMA_PATH)
    return results


def _measure(request: PeersRequest, scratch: Path) -> dict[str, Any]:
    import torch

    from export.cost import macs_by_operation
    from export.fold import fold
    from export.graphs import DECODER, example_input, graph_spec
    from textedit_core.config import preset
    from textedit_core.decoder import build_decoder

    config = preset(request.preset)
    spec = graph_spec(DECODER, config)
    torch.manual_seed(0)
    decoder = build_decoder(config.decoder).eval()
    value = torch.randn(spec.input.shape)
    graph = fold(decoder, example_input(spec))
    runs, absent = _forms(decoder, graph, spec, value, request, scratch)
    gmac = sum(macs_by_operation(graph).values()) / 1e9
    return {
        "schema_version": 1,
        "note": NOTE,
        "preset": request.preset,
        "gmac": gmac,
        "host": describe_host(),
        "versions": {name: version(name) for name in ("torch", "executorch", "onnxruntime")},
        "settings": {"threads": request.threads, "iterations": request.iterations, "warmup": request.warmup},
        "rows": [*_rows(runs, value, request), *({"form": form, "absent": reason} for form, reason in absent.items())],
        "roofline": roofline(scratch, request.threads),
    }


def _forms(
    decoder: nn.Module, graph: Any, spec: GraphSpec, value: Tensor, request: PeersRequest, scratch: Path
) -> tuple[dict[str, Run], dict[str, str]]:
    """What can be timed here, by name, and what cannot, with the reason."""
    from benchmarks.naive_decoder import naive_copy
    from export.lowering.static_int8 import quantize

    naive = naive_copy(decoder)
    makers: dict[str, Callable[[], Run]] = {
        REFERENCE: lambda: _executorch(quantize(graph, [value]), value, spec, scratch / "int8.pte", request.threads),
        "ExecuTorch, folded fp32": lambda: _executorch(graph, value, spec, scratch / "fp32.pte", request.threads),
        "ExecuTorch, naive fp32": lambda: _executorch(naive, value, spec, scratch / "naive.pte", request.threads),
        "ONNX Runtime, folded fp32": lambda: _onnx(graph, value, spec, scratch / "folded.onnx", request.threads),
        "ONNX Runtime, naive fp32": lambda: _onnx(naive, value, spec, scratch / "naive.onnx", request.threads),
        "PyTorch eager, naive fp32": lambda: naive,
        "PyTorch eager, project's form fp32": lambda: decoder,
        "torch.compile, project's form fp32": lambda: _compiled(decoder, value),
    }
    runs, absent = {}, {}
    for form, make in makers.items():
        if not request.naive_executorch and form == "ExecuTorch, naive fp32":
            absent[form] = "left out by --no-naive-executorch"
            continue
        try:
            runs[form] = make()
        except Exception as error:  # noqa: BLE001 - a peer that does not work here is a result, not a failure
            absent[form] = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return runs, absent


def _rows(runs: dict[str, Run], value: Tensor, request: PeersRequest) -> list[dict[str, Any]]:
    slow = {form: first for form, first in ((form, _milliseconds(run, value)) for form, run in runs.items()) if first > 1000 * SLOW_SECONDS}
    quick = {form: run for form, run in runs.items() if form not in slow}
    times = interleaved_times(quick, value, request.iterations, request.warmup)
    times.update({form: [first] for form, first in slow.items()})
    reference = times.get(REFERENCE)
    rows = []
    for form in runs:
        row: dict[str, Any] = {"form": form, "ms": spread(times[form]), "runs": len(times[form])}
        if reference is not None:
            pairs = zip(times[form], reference, strict=False)
            row["over_reference"] = spread([mine / theirs for mine, theirs in pairs])
        rows.append(row)
    return rows


def interleaved_times(runs: dict[str, Run], value: Tensor, iterations: int, warmup: int) -> dict[str, list[float]]:
    """Times functions in turn, round after round; each round begins with another one.

    Returns:
        Milliseconds of each round, by name.
    """
    names = list(runs)
    for _ in range(warmup):
        for name in names:
            runs[name](value)
    times: dict[str, list[float]] = {name: [] for name in names}
    for iteration in range(iterations):
        start = iteration % max(len(names), 1)
        for name in (*names[start:], *names[:start]):
            times[name].append(_milliseconds(runs[name], value))
    return times


def _milliseconds(run: Run, value: Tensor) -> float:
    time.sleep(PAUSE_SECONDS)
    started = time.perf_counter()
    run(value)
    return 1000.0 * (time.perf_counter() - started)


def _executorch(module: nn.Module, value: Tensor, spec: GraphSpec, path: Path, threads: int) -> Run:
    """Any form, undelegated operations and all; the exporter itself refuses heavy ones."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool

    from export import runtimes
    from export.lowering.static_int8 import bare_trace, quiet

    with quiet():
        edge = to_edge_transform_and_lower(bare_trace(module, value), partitioner=[XnnpackPartitioner()])
        path.write_bytes(edge.to_executorch().buffer)
    # Safe here: no program of this process is running while the pool is replaced.
    _unsafe_reset_threadpool(threads)
    return runtimes.load("android", path, spec)


def _onnx(module: nn.Module, value: Tensor, spec: GraphSpec, path: Path, threads: int) -> Run:
    import onnxruntime

    from export.lowering import onnx_backend

    onnx_backend.lower(module, spec, "fp32", [value], path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda x: session.run([spec.output.name], {spec.input.name: x.numpy()})


def _compiled(module: nn.Module, value: Tensor) -> Run:
    import torch

    compiled = torch.compile(module)
    compiled(value)
    return compiled


def format_table(results: dict[str, Any]) -> str:
    """Results as a plain text table; times over the reference's are ratios within a round."""
    settings, roof = results["settings"], results["roofline"]
    lines = [
        f"decoder of {results['preset']}, {results['gmac']:.2f} GMAC, on {results['host']['processor']} ({results['note']})",
        f"{settings['iterations']} rounds, {settings['threads']} thread(s); median (10th to 90th percentile)",
        f"{'form':<38}{'ms':>28}{'runs':>6}{'over ' + REFERENCE:>36}{'GMAC/s':>10}",
    ]
    for row in results["rows"]:
        if "absent" in row:
            lines.append(f"{row['form']:<38}{row['absent']}")
            continue
        ratio = spread_cell(row["over_reference"], 2) if "over_reference" in row else ""
        pace = results["gmac"] * 1000.0 / row["ms"]["median"]
        lines.append(f"{row['form']:<38}{spread_cell(row['ms'], 2):>28}{row['runs']:>6}{ratio:>36}{pace:>10.1f}")
    lines += [f"roofline, {name}: {value:.1f} GMAC/s" for name, value in roof.items()]
    return "\n".join(lines)
