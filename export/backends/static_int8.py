"""Static int8 by PT2E quantization: weights per channel, ranges of activations from calibration faces. ExecuTorch and Core ML share it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from export.graphs import trace
from export.quiet import quiet

if TYPE_CHECKING:
    from torch import Tensor, fx, nn

# So that a channel of zeros has a scale too.
_LEAST_SCALE = 1e-12


def quantize(
    graph: nn.Module, calibration: Sequence[Tensor], keep_float: Collection[str] = (), *, dynamic_linear: bool = True
) -> fx.GraphModule:
    """Returns an int8 copy: symmetric weights per output channel, convolutions in both directions with calibrated activation ranges.

    Linear layers (styles, demodulation, editors) measure the range of their input at run time: they cost next to nothing, and their
    inputs vary more between faces than a fixed range allows.

    Args:
        graph: folded fp32 network.
        calibration: float32 inputs of batch size 1 that set the activation ranges.
        keep_float: names of graph nodes that stay in fp32.
        dynamic_linear: False leaves linear layers in float, for a runtime that cannot measure ranges.
    """
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    from export import layers

    quantizer = XNNPACKQuantizer()
    with quiet(), torch.no_grad():
        traced = bare_trace(graph, calibration[0]).module(check_guards=False)
        # Only what the graph has: the quantizer's search for other kinds takes seconds even where it finds none.
        found = {node.target for node in traced.graph.nodes}
        kinds = (layers.CONVOLUTION, layers.TRANSPOSED_CONVOLUTION, *((layers.LINEAR,) if dynamic_linear else ()))
        for kind in kinds:
            if kind in found:
                quantizer.set_operator_type(kind, _scheme(is_dynamic=kind == layers.LINEAR))
        left_alone = {*keep_float, *(node.name for node in layers.resampling_filters(traced))}
        quantizer.set_filter_function(lambda node: node.name not in left_alone)
        prepared = prepare_pt2e(traced, quantizer)
        for sample in calibration:
            prepared(sample)
        return convert_pt2e(prepared)


def weight_as_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A linear layer's weight as `quantize` stores it.

    Args:
        weight: float32 [out,in].

    Returns:
        int8 [out,in] and its scales, float32 [out].
    """
    import torch

    spec = _scheme(is_dynamic=True).weight
    observer = spec.observer_or_fake_quant_ctr(
        ch_axis=spec.ch_axis, dtype=spec.dtype, qscheme=spec.qscheme, quant_min=spec.quant_min, quant_max=spec.quant_max
    )
    observer(weight)
    scales, zero_points = observer.calculate_qparams()
    arguments = (scales, zero_points, spec.ch_axis, spec.quant_min, spec.quant_max, spec.dtype)
    return torch.ops.quantized_decomposed.quantize_per_channel(weight, *arguments), scales.float()


def _scheme(is_dynamic: bool) -> Any:
    """XNNPACK's scheme by output channel, with scales as small as they come.

    The stock scheme takes 2^-12 for the least scale. Weights of layers with a few hundred inputs have smaller ones, and lost a bit or more
    of their eight.
    """
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import get_symmetric_quantization_config
    from torchao.quantization.pt2e import HistogramObserver, PerChannelMinMaxObserver

    def exact(spec: Any, observer: Any) -> Any:
        return dataclasses.replace(spec, observer_or_fake_quant_ctr=observer.with_args(eps=_LEAST_SCALE))

    stock = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=is_dynamic)
    weight = exact(stock.weight, PerChannelMinMaxObserver)
    if is_dynamic:
        return dataclasses.replace(stock, weight=weight)
    activation = exact(stock.input_activation, HistogramObserver)
    return dataclasses.replace(stock, weight=weight, input_activation=activation, output_activation=activation)


def bare_trace(graph: nn.Module, example: Tensor) -> Any:
    """Traces a graph without the history of its nodes, which passes would copy again and again."""
    program = trace(graph, example)
    for node in program.graph.nodes:
        node.meta.pop("from_node", None)
    return program
