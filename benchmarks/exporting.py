"""What an export costs: seconds, peak memory and bytes of all targets, by number of prompts and, on request, by the image's side.

Each export is `python -m export` in a process of its own, interpreter and imports included, once: it takes minutes. Prompts beyond the
checkpoint's own are its editors with slightly other weights. For sides other than the reference's, StyleGAN2 with random weights is
exported.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.exported_models import random_model, with_prompts
from benchmarks.memory import in_fresh_process, peak_bytes, require_counters
from benchmarks.request import ExportSpeedRequest
from benchmarks.results import Document, Recorder
from textedit_core.errors import UsageError, UserError

PROMPTS_AXIS, SIDES_AXIS = "prompts", "image side, px"
# An export of all targets with so many prompts is to take no longer than this, and each further prompt this much time and space.
GOAL_PROMPTS = 12
EXPORT_SECONDS = 180.0
PROMPT_SECONDS = 2.0
PROMPT_BYTES = 0.3e6
# Encoder and decoder are calibrated on what the prompts make of faces, so that their bytes differ a little between exports.
STORED_ONCE = 1.01


@dataclass(frozen=True)
class Exported:
    """One export: wall time, the most memory of its process, and per target its precision and bytes.

    `whole` are the bytes of the bundle, `shared` those of its networks other than editors of one prompt.
    """

    seconds: float
    peak: int
    precision: dict[str, str]
    whole: dict[str, int]
    shared: dict[str, int]


def measure(request: ExportSpeedRequest) -> Document:
    """Exports, again and again.

    Returns:
        A result document: s and bytes per number of prompts and per side; what each further prompt costs; how often encoder and decoder
        are stored.

    Raises:
        UsageError: a list is empty, unsorted or holds a number below one.
        UserError: the checkpoint is damaged, or an export failed.
    """
    from textedit_core.checkpoints.store import open_checkpoint

    _require_rising("counts", request.counts)
    _require_rising("sizes", request.sizes or (1,))
    require_counters()
    checkpoint = open_checkpoint(request.checkpoint)
    settings = {"target": request.target, "parity_faces": request.parity_faces, "rounds": 1, "warmup": 0}
    subject = {"model": checkpoint.config.name, "checkpoint_id": checkpoint.checkpoint_id}
    recorder = Recorder("export", subject, settings, ("torch", "executorch", "coremltools", "onnx", "onnxruntime"))
    with tempfile.TemporaryDirectory(prefix="textedit-export-") as scratch:
        by_count = {}
        for count in request.counts:
            folder = with_prompts(checkpoint, count, Path(scratch, f"{count}_prompts"))
            by_count[count] = _exported(folder, request, Path(scratch, f"{count}_out"))
            _record(recorder, by_count[count], f"{count} prompts", PROMPTS_AXIS, count)
        _conclude(recorder, by_count)
        for side in request.sizes:
            _record_side(recorder, checkpoint.directory, side, request, Path(scratch))
    return recorder.finish()


def _require_rising(name: str, values: Sequence[int]) -> None:
    if not values or list(values) != sorted(set(values)) or values[0] < 1:
        raise UsageError(f"--{name} {','.join(map(str, values))!r}: give rising positive numbers, separated by commas")


def _record_side(recorder: Recorder, faces_from: Path, side: int, request: ExportSpeedRequest, scratch: Path) -> None:
    try:
        folder = random_model(side, faces_from, scratch / f"{side}_px")
        made = _exported(folder, request, scratch / f"{side}_px_out")
    except UserError as error:
        recorder.lack(f"stylegan2, {side} px", str(error))
        return
    _record(recorder, made, f"stylegan2, {side} px", SIDES_AXIS, side)


def _exported(checkpoint: Path, request: ExportSpeedRequest, out: Path) -> Exported:
    arguments = ["--target", request.target, "--checkpoint", str(checkpoint), "--out", str(out)]
    arguments += ["--parity-faces", str(request.parity_faces)]
    started = time.perf_counter()
    peak = in_fresh_process(run_export, arguments)
    seconds = time.perf_counter() - started
    return Exported(seconds, peak, *_sizes(out))


def run_export(arguments: list[str]) -> int:
    """Runs `python -m export` here and returns the peak memory of this process in bytes; to be called `in_fresh_process`.

    Raises:
        UserError: the export failed; the message is its own.
    """
    from export.__main__ import main

    errors = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        status = main(arguments)
    if status != 0:
        last = (errors.getvalue().strip() or f"status {status}").splitlines()[-1]
        raise UserError(f"the export failed: {last.removeprefix('error: ')}")
    return peak_bytes()


def _sizes(out: Path) -> tuple[dict[str, str], dict[str, int], dict[str, int]]:
    from export.bundle import open_bundle

    precision, whole, shared = {}, {}, {}
    for path in sorted(out.iterdir()):
        with open_bundle(path) as opened:
            manifest = opened.manifest
            precision[manifest.target] = manifest.parts[0].precision
            whole[manifest.target] = sum(entry.bytes for entry in manifest.files)
            networks = [entry for entry in manifest.files if entry.path.startswith("models/")]
            shared[manifest.target] = sum(entry.bytes for entry in networks if not entry.path.startswith("models/editors/"))
    return precision, whole, shared


def _record(recorder: Recorder, made: Exported, name: str, axis: str, value: int) -> None:
    scale = (axis, float(value))
    recorder.measure(f"{name}: time", f"time by {axis}", "s", [made.seconds], series="all targets", scale=scale)
    recorder.measure(f"{name}: peak memory", f"peak memory by {axis}", "bytes", [made.peak], series="all targets", scale=scale)
    for target, whole in made.whole.items():
        labels: dict[str, Any] = {"precision": made.precision[target]}
        series = f"{target} {made.precision[target]}"
        recorder.measure(f"{name}: {target}", f"bundle by {axis}", "bytes", [whole], series=series, scale=scale, **labels)
        shared = f"{name}: {target}, networks that prompts share"
        recorder.measure(shared, f"shared networks by {axis}", "bytes", [made.shared[target]], series=series, scale=scale, **labels)


def _conclude(recorder: Recorder, by_count: dict[int, Exported]) -> None:
    if GOAL_PROMPTS in by_count:
        source = f"{GOAL_PROMPTS} prompts: time"
        text = f"export of all targets with {GOAL_PROMPTS} prompts"
        recorder.conclude("export time", text, "s", recorder.samples(source) or [], (source,), at_most=EXPORT_SECONDS)
    fewest, most = min(by_count), max(by_count)
    if fewest == most:
        recorder.lack("cost of a further prompt", "needs two different --counts")
        return
    few, many, further = by_count[fewest], by_count[most], most - fewest
    seconds = (many.seconds - few.seconds) / further
    if seconds < 0.0:
        recorder.lack("further prompt", "more prompts took less time: the machine was busy with other work")
    else:
        sources = (f"{most} prompts: time", f"{fewest} prompts: time")
        recorder.conclude("further prompt", "each further prompt, all targets", "s", [seconds], sources, at_most=PROMPT_SECONDS)
    for target, precision in many.precision.items():
        label = f"{target} {precision}"
        sources = (f"{most} prompts: {target}", f"{fewest} prompts: {target}")
        each = (many.whole[target] - few.whole[target]) / further
        goal = PROMPT_BYTES if precision == "int8" else None
        recorder.conclude(f"further prompt, {label}", f"each further prompt, bundle {label}", "bytes", [each], sources, at_most=goal)
        once = f"times that {label} stores encoder and decoder with {most} prompts"
        of, over = (f"{count} prompts: {target}, networks that prompts share" for count in (most, fewest))
        recorder.ratio(f"stored once, {label}", once, of, over, at_most=STORED_ONCE)
