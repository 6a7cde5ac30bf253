"""The forms of StyleGAN2's up-sampling convolution in every runtime at hand: which one an export should write.

All of them are the same function (`interpolated` but for the two outermost pixels): a 3x3 convolution of the image with zeros between its
pixels, then the [1,3,3,1] filter. Weights are random: times do not depend on them. Times of a desktop processor are not times of a phone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.request import UpsamplingRequest
from benchmarks.results import Document, Recorder, require_counts
from benchmarks.sessions import network_job, open_network, require_runtime
from benchmarks.timing import Timed, interleaved_times, stopwatch

if TYPE_CHECKING:
    from torch import Tensor, fx, nn

# Channels in and out and the side before: the three largest of StyleGAN2 at 256 px.
SHAPES = ((512, 512, 32), (512, 256, 64), (256, 128, 128))
# target, name and precision
RUNTIMES = (("android", "ExecuTorch", "fp32"), ("android", "ExecuTorch", "int8"), ("onnx", "ONNX Runtime", "fp32"))
TRANSPOSED, PHASES, COMPOSITE, INTERPOLATED = "transposed", "phases", "phases with the filter", "interpolated"
FORMS = (TRANSPOSED, PHASES, COMPOSITE, INTERPOLATED)


def measure(request: UpsamplingRequest) -> Document:
    """Times every form in every runtime, all in turn.

    Returns:
        A result document: ms by shape, runtime and form, and what each form takes of the time of the transposed convolution.

    Raises:
        UsageError: a count is below one.
    """
    require_counts(threads=request.threads, rounds=request.rounds, warmup=request.warmup)
    subject = {"model": "stylegan2", "random_weights": True}
    recorder = Recorder("upsampling", subject, asdict(request), ("torch", "executorch", "onnxruntime"))
    for inputs, outputs, side in SHAPES:
        with tempfile.TemporaryDirectory(prefix="textedit-upsampling-") as scratch:
            timed = _runs(inputs, outputs, side, request.threads, Path(scratch))
            times = interleaved_times(timed, request.rounds, request.warmup)
        for name, samples in times.items():
            group = f"to {2 * side} px, {inputs} to {outputs} channels"
            recorder.measure(f"{2 * side} px: {name}", group, "ms", samples, series=name)
        for _, runtime, precision in RUNTIMES:
            base = f"{2 * side} px: {runtime} {precision}, {TRANSPOSED}"
            for form in FORMS[1:]:
                identifier = f"{2 * side} px: {runtime} {precision}, {form}"
                recorder.ratio(f"{identifier} over {TRANSPOSED}", f"{identifier} over {TRANSPOSED}", identifier, base)
    return recorder.finish()


def forms(inputs: int, outputs: int) -> dict[str, Callable[[Tensor], fx.GraphModule]]:
    """FORMS by name, each as what makes its graph for an input float32 [1,I,S,S]."""
    from export.fold import fold, retrace
    from export.rewrites.upsampling import transposed_as_phases

    layer = _layer(inputs, outputs)

    def transposed(value: Tensor) -> fx.GraphModule:
        return fold(_module(layer.resampled_convolution, layer.weight), value)

    def as_phases(value: Tensor) -> fx.GraphModule:
        graph = transposed(value)
        transposed_as_phases(graph)
        graph.recompile()
        return retrace(graph, value)

    def composite(value: Tensor) -> fx.GraphModule:
        return fold(_composite(layer.weight), value)

    def interpolated(value: Tensor) -> fx.GraphModule:
        return fold(_interpolated(layer.weight), value)

    return dict(zip(FORMS, (transposed, as_phases, composite, interpolated), strict=True))


def _layer(inputs: int, outputs: int) -> nn.Module:
    import torch

    from textedit_core.decoder.layers import ModulatedConv2d

    torch.manual_seed(0)
    layer = ModulatedConv2d(inputs, outputs, 3, 4, upsample="fir").eval().requires_grad_(False)
    layer.weight *= layer.weight_gain
    return layer


def _module(function: Callable[..., Tensor], weight: Tensor) -> nn.Module:
    from torch import nn

    class Form(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("weight", weight)

        def forward(self, x: Tensor) -> Tensor:
            return function(x, self.weight)

    return Form()


def _composite(weight: Tensor) -> nn.Module:
    """The filter folded into the kernel, 6x6 then, and that one in phases of 3x3."""
    from torch.nn import functional as F

    from export.rewrites.upsampling import phases
    from textedit_core.decoder.layers import fir_kernel

    outputs, inputs = weight.shape[:2]
    # A transposed convolution places its kernel, a convolution slides it; the filter is symmetric, and so need not be turned.
    kernel = F.conv2d(weight.reshape(-1, 1, 3, 3), 4.0 * fir_kernel()[None, None], padding=3).reshape(outputs, inputs, 6, 6)
    return _module(lambda x, w: F.pixel_shuffle(F.conv2d(x, w, padding=1), 2), phases(kernel.transpose(0, 1), padding=2))


def _interpolated(weight: Tensor) -> nn.Module:
    """Bilinear doubling is the filter on the image with zeros between its pixels, borders aside; then the convolution."""
    from torch.nn import functional as F

    from textedit_core.decoder.layers import bilinear_double

    return _module(lambda x, w: F.conv2d(bilinear_double(x), w, padding=1), weight.flip(2, 3).contiguous())


def _filter(channels: int) -> nn.Module:
    """The filter alone. Its channels have different kernels here, since int8 leaves filters that treat all alike in float."""
    from torch import nn

    return nn.Conv2d(channels, channels, 4, padding=1, groups=channels, bias=False).eval()


def _runs(inputs: int, outputs: int, side: int, threads: int, scratch: Path) -> dict[str, Timed]:
    import torch

    from export.fold import fold

    value = torch.randn(1, inputs, side, side)
    graphs = [(name, make(value), value) for name, make in forms(inputs, outputs).items()]
    doubled = torch.randn(1, outputs, 2 * side + 1, 2 * side + 1)
    graphs.append(("the filter alone", fold(_filter(outputs), doubled), doubled))
    runs: dict[str, Timed] = {}
    for target, runtime, precision in RUNTIMES:
        for name, graph, x in graphs:
            path = scratch / f"{len(runs)}.{target}"
            runs[f"{runtime} {precision}, {name}"] = _opened(graph, x, target, precision, path, threads)
    return runs


def _opened(graph: fx.GraphModule, value: Tensor, target: str, precision: str, path: Path, threads: int) -> Timed:
    backend, job = require_runtime(target), network_job("upsampling", value, precision)
    # Not in the backend's own form: which that should be is the question.
    backend.lower(backend.quantize(graph, job, ()), job, path)
    return stopwatch(open_network(target, path, job.spec, threads), value)
