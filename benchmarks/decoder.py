"""How the StyleGAN2 decoder scales through ExecuTorch: image sides, threads and precisions, against the machine's own roofline.

At each side all precisions and counts of threads take turns with the roofline's layers, each count in a process of its own. Weights are
random: times do not depend on them. Times of a desktop processor are not times of a phone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.request import DecoderRequest
from benchmarks.results import Document, Recorder, require_counts
from benchmarks.roofline import PRECISIONS, Layer, lower_layers, record_layers
from benchmarks.sessions import lower_folded
from benchmarks.timing import Timed, interleaved_times
from benchmarks.worker import Worker
from textedit_core.errors import UsageError

if TYPE_CHECKING:
    from export.graphs import GraphSpec

AXIS = "image side, px"


@dataclass(frozen=True)
class Row:
    """One decoder at one side: its files by precision, what they take, and the multiply-accumulates of an image in units of 1e9."""

    side: int
    files: dict[str, Path]
    spec: GraphSpec
    gmac: float


def measure(request: DecoderRequest) -> Document:
    """Times the decoder at every side.

    Returns:
        A result document: ms, GMAC, bytes and the share of the roofline, by side, precision and threads.

    Raises:
        UsageError: a count is below one, a list is empty or names something twice.
        UserError: StyleGAN2 has no such side.
    """
    require_counts(rounds=request.rounds, warmup=request.warmup)
    for name, values in (("sizes", request.sizes), ("threads", request.threads)):
        if not values or len(set(values)) < len(values) or min(values) < 1:
            raise UsageError(f"--{name} {','.join(map(str, values))!r}: give different positive numbers, separated by commas")
    listed = {"sizes": _listed(request.sizes), "thread_counts": _listed(request.threads)}
    settings = {**listed, "rounds": request.rounds, "warmup": request.warmup}
    recorder = Recorder("decoder", {"model": "stylegan2", "random_weights": True}, settings, ("torch", "executorch"))
    with tempfile.TemporaryDirectory(prefix="textedit-decoder-") as scratch, ExitStack() as stack:
        layers = lower_layers(Path(scratch))
        workers = {threads: stack.enter_context(Worker(threads)) for threads in request.threads}
        roof = {
            _name(name, threads): worker.load(name, layer.path, layer.spec)
            for threads, worker in workers.items()
            for name, layer in layers.items()
        }
        rows: list[Row] = []
        times: dict[str, list[float]] = {}
        for side in request.sizes:
            row = lower_decoder(side, Path(scratch))
            rows.append(row)
            _extend(times, _row_times(row, workers, roof, request))
        _record(recorder, rows, layers, times, request)
    return recorder.finish()


def lower_decoder(side: int, scratch: Path) -> Row:
    """StyleGAN2's decoder of one side, folded, in fp32 and static int8.

    Raises:
        UserError: StyleGAN2 has no such side.
    """
    import torch

    from export.cost import macs_by_operation
    from export.fold import fold
    from export.graphs import DECODER, graph_spec
    from textedit_core.config import stylegan2
    from textedit_core.decoder import build_decoder

    config = stylegan2(side)
    spec = graph_spec(DECODER, config)
    torch.manual_seed(0)
    value = torch.randn(spec.input.shape)
    graph = fold(build_decoder(config.decoder).eval(), value)
    files = {precision: scratch / f"{side}_{precision}.pte" for precision in PRECISIONS}
    for precision, path in files.items():
        lower_folded(graph, value, precision, path, DECODER)
    return Row(side, files, spec, sum(macs_by_operation(graph).values()) / 1e9)


def _row_times(row: Row, workers: Mapping[int, Worker], roof: Mapping[str, Timed], request: DecoderRequest) -> dict[str, list[float]]:
    timed = {
        _name(f"{row.side} px {precision}", threads): worker.load(precision, path, row.spec)
        for threads, worker in workers.items()
        for precision, path in row.files.items()
    }
    times = interleaved_times({**timed, **roof}, request.rounds, request.warmup)
    for worker in workers.values():
        for precision in row.files:
            worker.drop(precision)
    return times


def _record(
    recorder: Recorder, rows: Sequence[Row], layers: Mapping[str, Layer], times: Mapping[str, list[float]], request: DecoderRequest
) -> None:
    for row in rows:
        recorder.measure(f"{row.side} px GMAC", "work", "GMAC", [row.gmac], series="GMAC", scale=(AXIS, row.side))
        for precision, path in row.files.items():
            size = f"{row.side} px {precision} bytes"
            recorder.measure(size, "file", "bytes", [path.stat().st_size], series=precision, scale=(AXIS, row.side))
    for precision in PRECISIONS:
        for threads in request.threads:
            for row in rows:
                name = _name(f"{row.side} px {precision}", threads)
                series = _name(precision, threads)
                recorder.measure(
                    name, "one image", "ms", times[name], series=series, scale=(AXIS, row.side), precision=precision, threads=threads
                )
    for threads in request.threads:
        of_threads = {name: times[_name(name, threads)] for name in layers}
        limits = record_layers(recorder, layers, of_threads, f", {_threads(threads)}")
        _conclude(recorder, rows, limits, threads)


def _conclude(recorder: Recorder, rows: Sequence[Row], limits: Mapping[str, float], threads: int) -> None:
    for row in rows:
        for precision in PRECISIONS:
            name = _name(f"{row.side} px {precision}", threads)
            shares = [1000.0 * row.gmac / value / limits[precision] for value in recorder.samples(name) or []]
            recorder.conclude(f"roofline share of {name}", f"{name}: share of the roofline", "share", shares, (name, f"{row.side} px GMAC"))


def _extend(times: dict[str, list[float]], more: Mapping[str, list[float]]) -> None:
    for name, values in more.items():
        times.setdefault(name, []).extend(values)


def _name(what: str, threads: int) -> str:
    return f"{what}, {_threads(threads)}"


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _listed(values: Sequence[int]) -> str:
    return ",".join(map(str, values))
