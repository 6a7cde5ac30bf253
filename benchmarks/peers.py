"""One decoder through every runtime at hand, in one run: folded and naive, fp32 and int8, against the machine's own roofline.

All forms are timed in turn, round after round, so that a change of the machine's speed meets all of them. Weights are random: times do
not depend on them. Times of a desktop processor are not times of a phone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.request import PeersRequest
from benchmarks.results import Document, Recorder, require_counts
from benchmarks.roofline import Layer, lower_layers, record_layers
from benchmarks.sessions import lower_folded, lower_for_executorch, open_network
from benchmarks.threads import torch_threads
from benchmarks.timing import Timed, interleaved_times, stopwatch

if TYPE_CHECKING:
    from torch import Tensor, fx, nn

    from export.graphs import GraphSpec

FOLDED_INT8 = "ExecuTorch, folded int8"
FOLDED_FP32 = "ExecuTorch, folded fp32"
NAIVE = "ExecuTorch, naive fp32"
ONNX_NAIVE = "ONNX Runtime, naive fp32"
# A form that takes longer is timed once and not warmed up: the naive export takes more than a minute for 256 px.
SLOW_MS = 5000.0

Run = Callable[["Tensor"], object]


@dataclass(frozen=True)
class Subject:
    """A decoder in the forms that runtimes take: as trained, as usually written, folded; and what it is fed with."""

    decoder: nn.Module
    naive: nn.Module
    graph: fx.GraphModule
    spec: GraphSpec
    value: Tensor
    gmac: float


def measure(request: PeersRequest) -> Document:
    """Times every form of a preset's decoder.

    Returns:
        A result document: the time of each form, why a form is absent, the roofline, and ratios against the goals of the export.

    Raises:
        UsageError: no such preset, or a count is below one.
    """
    import torch

    require_counts(threads=request.threads, rounds=request.rounds, warmup=request.warmup)
    subject = random_decoder(request.preset)
    recorder = Recorder("peers", {"model": request.preset, "random_weights": True}, asdict(request), ("torch", "executorch", "onnxruntime"))
    recorder.measure("GMAC", "work", "GMAC", [subject.gmac])
    with tempfile.TemporaryDirectory(prefix="textedit-peers-") as scratch, torch_threads(request.threads), torch.no_grad():
        _record(recorder, subject, request, Path(scratch))
    return recorder.finish()


def random_decoder(preset_name: str) -> Subject:
    """A preset's decoder with random weights.

    Raises:
        UsageError: no such preset.
    """
    import torch

    from benchmarks.naive_decoder import naive_copy
    from export.cost import macs_by_operation
    from export.fold import fold
    from export.graphs import DECODER, example_input, graph_spec
    from textedit_core.config import preset
    from textedit_core.decoder import build_decoder

    config = preset(preset_name)
    spec = graph_spec(DECODER, config)
    torch.manual_seed(0)
    decoder = build_decoder(config.decoder).eval()
    graph = fold(decoder, example_input(spec))
    gmac = sum(macs_by_operation(graph).values()) / 1e9
    return Subject(decoder, naive_copy(decoder), graph, spec, torch.randn(spec.input.shape), gmac)


def _record(recorder: Recorder, subject: Subject, request: PeersRequest, scratch: Path) -> None:
    runs = _runs(recorder, _makers(subject, request.threads, scratch), request)
    layers = lower_layers(scratch)
    timed = {form: stopwatch(run, subject.value) for form, run in runs.items()}
    for name, layer in layers.items():
        timed[name] = _layer_stopwatch(layer, request.threads)
    times = interleaved_times(timed, request.rounds, request.warmup, SLOW_MS)
    for form in runs:
        recorder.measure(form, "one image", "ms", times[form], precision=form.split()[-1])
    limits = record_layers(recorder, layers, times)
    _conclude(recorder, subject.gmac, limits)


def _layer_stopwatch(layer: Layer, threads: int) -> Timed:
    import torch

    return stopwatch(open_network("android", layer.path, layer.spec, threads), torch.randn(layer.spec.input.shape))


def _runs(recorder: Recorder, makers: Mapping[str, Callable[[], Run]], request: PeersRequest) -> dict[str, Run]:
    """What can be timed here, by name; what cannot is noted with its reason."""
    runs: dict[str, Run] = {}
    for form, make in makers.items():
        if not request.naive_executorch and form.startswith("ExecuTorch, naive"):
            recorder.lack(form, "left out by --no-naive-executorch")
            continue
        try:
            runs[form] = make()
        except Exception as error:
            # A peer that does not work here is a result, not a failure.
            recorder.lack(form, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
    return runs


def _makers(subject: Subject, threads: int, scratch: Path) -> dict[str, Callable[[], Run]]:
    from torch import fx

    from export.backends import onnx as onnx_backend
    from export.backends.backend import Job
    from export.backends.static_int8 import quantize

    value = subject.value

    def executorch(module: nn.Module, name: str) -> Run:
        lower_for_executorch(module, value, scratch / f"{name}.pte")
        return open_network("android", scratch / f"{name}.pte", subject.spec, threads)

    def folded(precision: str) -> Run:
        lower_folded(subject.graph, value, precision, scratch / f"{precision}.pte", subject.spec.part)
        return open_network("android", scratch / f"{precision}.pte", subject.spec, threads)

    def onnx(module: nn.Module, precision: str, name: str) -> Run:
        job = Job(subject.spec, precision, (value,))
        formed = onnx_backend.BACKEND.form(module, job) if isinstance(module, fx.GraphModule) else module
        onnx_backend.lower(formed, job, scratch / f"{name}.onnx")
        return open_network("onnx", scratch / f"{name}.onnx", subject.spec, threads)

    return {
        FOLDED_INT8: lambda: folded("int8"),
        FOLDED_FP32: lambda: folded("fp32"),
        NAIVE: lambda: executorch(subject.naive, "naive"),
        "ExecuTorch, naive int8": lambda: executorch(quantize(subject.naive, [value]), "naive_int8"),
        "ONNX Runtime, folded fp32": lambda: onnx(subject.graph, "fp32", "folded"),
        "ONNX Runtime, folded int8": lambda: onnx(subject.graph, "int8", "folded_int8"),
        ONNX_NAIVE: lambda: onnx(subject.naive, "fp32", "naive"),
        "ONNX Runtime, naive int8": lambda: onnx(subject.naive, "int8", "naive_int8"),
        "PyTorch eager, naive fp32": lambda: subject.naive,
        "PyTorch eager, project's form fp32": lambda: subject.decoder,
        "PyTorch eager, folded int8": lambda: quantize(subject.graph, [value]),
        # In this order: tracing for int8 makes PyTorch forget what it has compiled, and the first timed run would compile again.
        "torch.compile, project's form int8": lambda: compiled_int8(subject.decoder, value),
        "torch.compile, project's form fp32": lambda: compiled_fp32(subject.decoder, value),
    }


def compiled_fp32(module: nn.Module, value: Tensor) -> Run:
    """`torch.compile` with its defaults, compiled on return."""
    import torch

    compiled = torch.compile(module)
    compiled(value)
    return compiled


def compiled_int8(module: nn.Module, value: Tensor) -> Run:
    """Static int8 as PyTorch itself does it on x86: PT2E quantization for Inductor, compiled on return.

    Raises:
        RuntimeError: nothing was quantized.
    """
    import torch
    from torchao.quantization.pt2e.lowering import lower_pt2e_quantized_to_x86
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
        X86InductorQuantizer,
        get_default_x86_inductor_quantization_config,
    )

    from export.quiet import quiet

    quantizer = X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config())
    with quiet():
        # This quantizer knows convolutions by the call that they were traced from, which only a strict trace records.
        prepared = prepare_pt2e(torch.export.export(module, (value,), strict=True).module(check_guards=False), quantizer)
        prepared(value)
        converted = convert_pt2e(prepared)
        if not any("quantize_per" in str(node.target) for node in converted.graph.nodes):
            raise RuntimeError("the quantizer for Inductor found nothing to quantize")
        compiled = lower_pt2e_quantized_to_x86(converted, (value,))
        compiled(value)
    return compiled


def _conclude(recorder: Recorder, gmac: float, limits: dict[str, float]) -> None:
    recorder.ratio("naive over int8", "naive ExecuTorch over folded int8", NAIVE, FOLDED_INT8, at_least=800.0)
    recorder.ratio("onnx over int8", "naive fp32 in ONNX Runtime over folded int8 in ExecuTorch", ONNX_NAIVE, FOLDED_INT8, at_least=2.5)
    recorder.ratio("onnx over fp32", "naive fp32 in ONNX Runtime over folded fp32 in ExecuTorch", ONNX_NAIVE, FOLDED_FP32, at_least=1.0)
    for form, precision, goal in ((FOLDED_INT8, "int8", 0.4), (FOLDED_FP32, "fp32", None)):
        times = recorder.samples(form)
        if times is None or not limits[precision]:
            recorder.lack(f"roofline share {precision}", f"{form!r} or its roofline was not measured")
            continue
        shares = [1000.0 * gmac / value / limits[precision] for value in times]
        text = f"share of the {precision} roofline that {form} reaches"
        recorder.conclude(f"roofline share {precision}", text, "share", shares, ("GMAC", form), at_least=goal)
