"""How long each network of a bundle takes in its real runtime on this machine, paired with the same network in eager PyTorch.

Times on a desktop processor are not times on a phone. What carries over is how the networks compare with each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.request import LatencyRequest
from benchmarks.results import Document, Recorder, require_counts
from benchmarks.sessions import open_network, require_runtime
from benchmarks.threads import torch_threads
from benchmarks.timing import interleaved_times, stopwatch
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from torch import nn

    from export.bundle import Bundle
    from textedit_core.checkpoints.store import Checkpoint


def measure(request: LatencyRequest) -> Document:
    """Times every network of a bundle.

    Returns:
        A result document: per network the ms of the runtime and of eager PyTorch, and their ratio within a round.

    Raises:
        UsageError: a count is below one, or the target has no runtime on this machine.
        UserError: bundle or checkpoint is damaged, or the bundle was exported from another checkpoint.
    """
    import torch

    from export.backends import backend_of
    from export.bundle import open_bundle
    from textedit_core.checkpoints.store import open_checkpoint

    require_counts(threads=request.threads, rounds=request.rounds, warmup=request.warmup)
    checkpoint = open_checkpoint(request.checkpoint)
    with open_bundle(request.bundle) as bundle, torch_threads(request.threads), torch.inference_mode():
        manifest = bundle.manifest
        backend = require_runtime(backend_of(manifest).label)
        _require_match(bundle, checkpoint)
        subject = {"model": manifest.name, "bundle_target": manifest.target, "checkpoint_id": checkpoint.checkpoint_id}
        settings = {"threads": request.threads, "rounds": request.rounds, "warmup": request.warmup}
        recorder = Recorder("latency", subject, settings, ("torch", backend.package))
        for case in manifest.golden:
            _record_part(recorder, bundle, checkpoint, case.part, request)
    return recorder.finish()


def _require_match(bundle: Bundle, checkpoint: Checkpoint) -> None:
    exported = bundle.manifest.provenance["checkpoint_id"]
    if exported != checkpoint.checkpoint_id:
        raise UserError(f"the bundle was exported from {exported}, not from {checkpoint.checkpoint_id}; name its --checkpoint")


def _record_part(recorder: Recorder, bundle: Bundle, checkpoint: Checkpoint, part: str, request: LatencyRequest) -> None:
    from export.backends import backend_of
    from export.golden import read_input

    case = next(case for case in bundle.manifest.golden if case.part == part)
    value = read_input(bundle.root, bundle.manifest, case)
    entry = bundle.manifest.part(part)
    run = open_network(backend_of(bundle.manifest).label, bundle.file(entry.file), bundle.manifest.spec(part), request.threads)
    forms = {"runtime": stopwatch(run, value), "PyTorch": stopwatch(_network(checkpoint, part), value)}
    for form, samples in interleaved_times(forms, request.rounds, request.warmup).items():
        precision = entry.precision if form == "runtime" else "fp32"
        recorder.measure(f"{part}, {form}", "networks", "ms", samples, part=part, precision=precision)
    recorder.ratio(part, f"{part}: runtime over eager PyTorch", f"{part}, runtime", f"{part}, PyTorch")


def _network(checkpoint: Checkpoint, part: str) -> nn.Module:
    if part == "encoder":
        return checkpoint.load_encoder()
    if part == "decoder":
        return checkpoint.load_decoder()
    if part == "text_editor":
        from textedit_core.editor import PackedTextEditor

        return PackedTextEditor(checkpoint.load_text_editor())
    return checkpoint.load_editor(part.split("/", 1)[1])
