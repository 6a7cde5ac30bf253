"""What filling editors in saves an export: every editor of a checkpoint lowered in full, and lowered with templates, for each target.

Processor seconds, which other work on the machine lengthens less than the time on the clock. Forming, quantizing and lowering are counted;
loading and measuring are the same either way.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.request import TemplatesRequest
from benchmarks.results import Document, Recorder, require_counts
from textedit_core.errors import UsageError

if TYPE_CHECKING:
    from torch import fx

    from export.backends.backend import Backend, Job
    from textedit_core.checkpoints.store import Checkpoint

IN_FULL, FILLED = "in full", "with templates"
# With the twelve prompts of the reference; below that, lowering by template is not worth its code.
GOAL_SECONDS = 20.0


def measure(request: TemplatesRequest) -> Document:
    """Lowers all editors again and again, in turn with and without templates.

    Returns:
        A result document: processor seconds by target and way, and what templates save over all targets.

    Raises:
        UsageError: unknown target, a count below one, or a checkpoint without editors of its own.
        UserError: the checkpoint is damaged.
    """
    from export.backends import resolve_backends
    from textedit_core.checkpoints.store import open_checkpoint

    require_counts(rounds=request.rounds)
    backends = resolve_backends(request.target)
    checkpoint = open_checkpoint(request.checkpoint)
    subject = {"model": checkpoint.config.name, "checkpoint_id": checkpoint.checkpoint_id}
    settings = {name: value for name, value in asdict(request).items() if name != "checkpoint"} | {"warmup": 0}
    recorder = Recorder("templates", subject, settings, ("torch", "executorch", "coremltools", "onnx"))
    folded = _folded(checkpoint)
    saved = [0.0] * request.rounds
    for backend in backends:
        in_full, filled = _seconds(backend, folded, request.rounds)
        for way, samples in ((IN_FULL, in_full), (FILLED, filled)):
            recorder.measure(f"{backend.label}: {way}", f"{len(folded)} editors, {backend.label}", "s", samples, series=way)
        saved = [sum(values) for values in zip(saved, (a - b for a, b in zip(in_full, filled, strict=True)), strict=True)]
    sources = [f"{backend.label}: {way}" for backend in backends for way in (IN_FULL, FILLED)]
    text = f"saved by templates, {len(folded)} editors, {request.target}"
    if min(saved) < 0.0:
        recorder.lack("saved", "a round with templates took longer: too few editors share a form, or the machine was busy")
    else:
        recorder.conclude("saved", text, "s", saved, sources, at_least=GOAL_SECONDS)
    return recorder.finish()


def _folded(checkpoint: Checkpoint) -> list[tuple[Job, fx.GraphModule]]:
    """Each editor's folded graph, with its calibration; the job's precision is still open."""
    from export.backends.backend import Job
    from export.fold import fold
    from export.graphs import EDITORS, example_input, graph_spec
    from export.networks import load
    from export.plan import CALIBRATION_FACES

    prompts = tuple(prompt.id for prompt in checkpoint.prompts.values() if not prompt.conditioned)
    if not prompts:
        raise UsageError(f"checkpoint {checkpoint.checkpoint_id} has no editors of its own; train one with `train editor`")
    networks = load(checkpoint, prompts, CALIBRATION_FACES, parity_faces=1)
    graphs = []
    for part, module in networks.modules.items():
        if part.startswith(f"{EDITORS}/"):
            spec = graph_spec(part, checkpoint.config)
            graphs.append((Job(spec, "", tuple(networks.calibration.inputs(part))), fold(module, example_input(spec))))
    return graphs


def _seconds(backend: Backend, folded: list[tuple[Job, fx.GraphModule]], rounds: int) -> tuple[list[float], list[float]]:
    """Processor seconds of each round in full, and of each with templates; what the SDK imports on first use is paid before."""
    _lowered(backend, folded[:1], with_templates=False)
    in_full, filled = [], []
    for _ in range(rounds):
        in_full.append(_lowered(backend, folded, with_templates=False))
        filled.append(_lowered(backend, folded, with_templates=True))
    return in_full, filled


def _lowered(backend: Backend, folded: list[tuple[Job, fx.GraphModule]], *, with_templates: bool) -> float:
    from export.pipeline import lower
    from export.plan import Plan
    from export.templates import Templates

    plan = Plan(backend, backend.resolve_precision(None), "editors", (), (), Path())
    known = Templates() if with_templates else None
    with tempfile.TemporaryDirectory(prefix="textedit-templates-") as scratch:
        started = time.process_time()
        for number, (job, graph) in enumerate(folded):
            ready = replace(job, precision=plan.precision)
            lower(plan, ready, backend.form(graph, ready), Path(scratch, f"{number}{backend.suffix}"), plan.kind.floor_db, known)
        return time.process_time() - started
