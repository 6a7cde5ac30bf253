"""One full edit of one photo through a bundle's own runtime, beside the same edit with a StyleGAN2 in int8, in one run.

The parts, the whole, the slider's move and both paths take turns, round after round. Memory is measured in processes of their own. Times
of a desktop processor are not times of a phone.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.edit_path import EditFiles, EditPath, bundle_files, random_int8_files
from benchmarks.memory import edit_memory, in_fresh_process, require_counters
from benchmarks.request import EditRequest
from benchmarks.results import Document, Recorder, require_counts
from benchmarks.sessions import lower_for_executorch, require_runtime
from benchmarks.timing import Timed, interleaved_times, stopwatch
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from export.graphs import GraphSpec

# An edit is to be this many times faster than the peer's, to need at most this much memory (bytes), and a slider's move is to cost the
# decoder and, but for five per cent, nothing else.
FASTER_THAN_PEER = 5.0
MEMORY_BYTES = 150e6
SLIDER_OVER_DECODE = 1.05
# What is recorded of `edit_memory`, under which name, and the system's counter behind it.
_MEMORY = (("memory", "peak", "VmHWM"), ("memory once loaded", "loaded", "VmRSS"), ("memory of the runtime", "baseline", "VmRSS"))


def measure(request: EditRequest) -> Document:
    """Times and weighs an edit.

    Returns:
        A result document: ms of encode, edit, decode, slider and the whole of both paths; bytes over the runtime's own; their ratios.

    Raises:
        UsageError: a count is below one, no such prompt or preset, or the bundle's target has no runtime here.
        UserError: the bundle is damaged.
    """
    from export.backends import backend_of
    from export.bundle import open_bundle

    require_counts(threads=request.threads, rounds=request.rounds, warmup=request.warmup, processes=request.processes)
    with open_bundle(request.bundle) as bundle, tempfile.TemporaryDirectory(prefix="textedit-edit-") as scratch:
        manifest = bundle.manifest
        require_runtime(backend_of(manifest).label)
        prompt = request.prompt or manifest.prompts[0].id
        own = bundle_files(bundle, prompt)
        subject = {"model": manifest.name, "bundle_target": manifest.target, "checkpoint_id": manifest.provenance["checkpoint_id"]}
        counts = {name: value for name, value in asdict(request).items() if name not in ("bundle", "prompt")}
        recorder = Recorder("edit", subject, {"prompt": prompt, **counts}, ("torch", "executorch", "onnxruntime"))
        peer = random_int8_files(request.peer, Path(scratch))
        _record_times(recorder, own, peer, request)
        _record_memory(recorder, own, peer, request, Path(scratch))
    return recorder.finish()


def _record_times(recorder: Recorder, own: EditFiles, peer: EditFiles, request: EditRequest) -> None:
    paths = {"": own, f"{request.peer} int8: ": peer}
    timed = {f"{prefix}{name}": run for prefix, files in paths.items() for name, run in _parts(files, request.threads).items()}
    for name, samples in interleaved_times(timed, request.rounds, request.warmup).items():
        recorder.measure(name, "an edit", "ms", samples)
    _record_shares(recorder)
    slider = "a move of the slider over the decoder alone"
    recorder.ratio("slider over decode", slider, "slider", "decode", at_most=SLIDER_OVER_DECODE)
    faster = f"the {request.peer} int8 path over this full edit"
    recorder.ratio("peer over full", faster, f"{request.peer} int8: full", "full", at_least=FASTER_THAN_PEER)


def _record_shares(recorder: Recorder) -> None:
    """Each part's share of the three together, round by round."""
    parts = {part: recorder.samples(part) or [] for part in ("encode", "edit", "decode")}
    sums = [sum(of_round) for of_round in zip(*parts.values(), strict=True)]
    for part, samples in parts.items():
        shares = [value / whole for value, whole in zip(samples, sums, strict=True)]
        recorder.conclude(f"share of {part}", f"share of {part} among the three parts", "share", shares, parts)


def _parts(files: EditFiles, threads: int) -> dict[str, Timed]:
    import torch

    path = EditPath(files, threads)
    torch.manual_seed(0)
    image = torch.rand(files.specs[0].input.shape) * 2.0 - 1.0
    w_plus = path.encode(image)
    delta_w = path.delta(w_plus)
    return {
        "encode": stopwatch(path.encode, image),
        "edit": stopwatch(path.delta, w_plus),
        "decode": stopwatch(path.decode, w_plus),
        "slider": stopwatch(lambda delta: path.slide(w_plus, delta), delta_w),
        "full": stopwatch(path.full, image),
    }


def _record_memory(recorder: Recorder, own: EditFiles, peer: EditFiles, request: EditRequest, scratch: Path) -> None:
    try:
        require_counters()
    except UserError as error:
        recorder.lack("memory", str(error))
        return
    for prefix, files in (("", own), (f"{request.peer} int8: ", peer)):
        trivial = trivial_program(files.target, scratch)
        taken = [in_fresh_process(edit_memory, files, trivial, request.threads) for _ in range(request.processes)]
        for name, kind, counter in _MEMORY:
            recorder.measure(f"{prefix}{name}", "memory", "bytes", [each[kind] for each in taken], counter=counter)
    peak = recorder.samples("memory") or []
    recorder.conclude("peak memory", "peak memory of an edit over the runtime's own", "bytes", peak, ("memory",), at_most=MEMORY_BYTES)


def trivial_program(target: str, scratch: Path) -> tuple[Path, GraphSpec]:
    """A program of one 1x1 convolution of one channel."""
    import torch
    from torch import nn

    from export.backends import onnx
    from export.backends.backend import Job
    from export.graphs import GraphSpec, TensorSpec

    spec = GraphSpec("trivial", TensorSpec("x", (1, 1, 8, 8)), TensorSpec("y", (1, 1, 8, 8)))
    path, value, layer = scratch / f"trivial.{target}", torch.zeros(spec.input.shape), nn.Conv2d(1, 1, 1).eval()
    if target == "onnx":
        onnx.lower(layer, Job(spec, "fp32", (value,)), path)
    else:
        lower_for_executorch(layer, value, path)
    return path, spec
