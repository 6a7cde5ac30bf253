"""Which convolutions int8 spoils: a simulation of int8 on the folded graph, and the search for those that must stay in float.

Everything in int8 can ruin an image while most layers would not be noticed, so the layers are measured one by one. The simulation
rounds inputs, weights (per output channel) and outputs of a convolution to eight bits over the ranges seen on calibration faces,
which is the arithmetic of static quantization (Jacob et al. 2018) up to the order of sums.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor, fx

from export import layers
from export.parity import psnr_db

# Aimed at on calibration faces: above the floor of 30 dB, since held-out faces come out a little worse, and where banding vanishes.
TARGET_DB = 36.0
# Enough to rank layers; more faces change the order rarely.
_SAMPLES = 4


class Int8Simulation(fx.Interpreter):
    """Runs a folded graph with the named convolutions and linear layers rounded to int8.

    A linear layer's input is rounded over the range that it has at that moment, and its output not at all, as `static_int8` has it.

    Args:
        graph: folded fp32 network.
        ranges: lowest and highest input and output per convolution, from `observe`.
        quantized: names of the layers to round.
    """

    def __init__(self, graph: fx.GraphModule, ranges: dict[str, tuple[float, ...]], quantized: Collection[str]) -> None:
        super().__init__(graph)
        self.ranges, self.quantized = ranges, set(quantized)

    def run_node(self, n: fx.Node) -> Any:
        if n.name not in self.quantized:
            return super().run_node(n)
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        weight = _round_channels(args[1], layers.output_axis(n))
        if n.target == layers.LINEAR:
            source = _round_range(args[0], float(args[0].min()), float(args[0].max()))
            return layers.LINEAR(source, weight, *args[2:], **kwargs)
        in_low, in_high, out_low, out_high = self.ranges[n.name]
        result = n.target(_round_range(args[0], in_low, in_high), weight, *args[2:], **kwargs)
        return _round_range(result, out_low, out_high)


class _RangeObserver(fx.Interpreter):
    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.convolutions = {node.name for node in layers.convolutions(graph)}
        self.ranges: dict[str, tuple[float, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n.name in self.convolutions:
            source = self.env[n.args[0]]
            seen = (float(source.min()), float(source.max()), float(result.min()), float(result.max()))
            old = self.ranges.get(n.name, seen)
            self.ranges[n.name] = tuple(pick(a, b) for pick, a, b in zip((min, max, min, max), old, seen, strict=True))
        return result


def observe(graph: fx.GraphModule, inputs: Sequence[Tensor]) -> dict[str, tuple[float, ...]]:
    """Lowest and highest input, lowest and highest output of each quantizable convolution over the inputs, by node name."""
    observer = _RangeObserver(graph)
    with torch.no_grad():
        for value in inputs:
            observer.run(value)
    return observer.ranges


def sensitivity_inputs(inputs: Sequence[Tensor]) -> list[Tensor]:
    """A few of the inputs, spread evenly over them."""
    return list(inputs[:: max(1, len(inputs) // _SAMPLES)])[:_SAMPLES]


def keep_in_float(graph: fx.GraphModule, inputs: Sequence[Tensor], target_db: float = TARGET_DB) -> tuple[str, ...]:
    """Names of the convolutions, most sensitive first, that must stay in float to reach the target on `inputs`.

    How many is found by bisection, since an encoder of StyleGAN's family has some 200 of them: the result is the fewest where every further
    one in float helps, as it nearly always does.

    Args:
        graph: folded fp32 network.
        inputs: calibration inputs of batch size 1; the first few are used, the first alone to put the convolutions in order.
        target_db: PSNR in dB against the graph in float.
    """
    if not layers.convolutions(graph):
        return ()
    inputs = sensitivity_inputs(inputs)
    ranges = observe(graph, inputs)
    with torch.no_grad():
        references = [graph(value) for value in inputs]

    def reached(quantized: Collection[str], samples: int) -> float:
        with torch.no_grad():
            rounded = [Int8Simulation(graph, ranges, quantized).run(value) for value in inputs[:samples]]
        return psnr_db(torch.cat(references[:samples]), torch.cat(rounded))

    if reached(list(ranges), len(inputs)) >= target_db:
        return ()
    order = sorted(ranges, key=lambda name: (reached([name], 1), name))
    too_few, enough = 0, len(order)
    while enough - too_few > 1:
        count = (too_few + enough) // 2
        if reached(order[count:], len(inputs)) >= target_db:
            enough = count
        else:
            too_few = count
    return tuple(order[:enough])


def _round_range(value: Tensor, low: float, high: float) -> Tensor:
    low, high = min(low, 0.0), max(high, 0.0)
    scale = max(high - low, 1e-12) / 255.0
    zero_point = round(-low / scale) - 128
    return torch.fake_quantize_per_tensor_affine(value, scale, zero_point, -128, 127)


def _round_channels(weight: Tensor, axis: int) -> Tensor:
    scale = (weight.abs().transpose(0, axis).flatten(1).amax(1) / 127.0).clamp_min(1e-12)
    return torch.fake_quantize_per_channel_affine(weight, scale, torch.zeros_like(scale, dtype=torch.int32), axis, -127, 127)
