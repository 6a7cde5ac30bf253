"""The smallest mix of int8 and float above a floor of quality, found by measuring every layer.

Rounding errors of different layers hardly correlate, so their powers add, and a layer's worth in float is the error power it would
take away per byte it would add. Layers are ranked by that; the shortest list from the top that reaches the floor is found by halving,
and then layers are given back, the largest first, where the floor holds without them. Every mix that was measured is on record.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx

from export import layers
from export.parity import psnr_db
from export.sensitivity import Int8Simulation, observe, sensitivity_inputs

# Tried one by one in the end; smaller layers are not worth a measurement each.
_GIVEN_BACK = 16


@dataclass(frozen=True)
class MixPoint:
    """One measured mix: how many layers stay in float, the bytes of all layers' weights, PSNR in dB of the simulation."""

    float_layers: int
    weight_bytes: int
    psnr_db: float


@dataclass(frozen=True)
class Mix:
    """What was chosen and what was measured on the way.

    Attributes:
        aim_db: what the simulation had to reach, above the floor by a margin.
        kept: graph nodes that stay in float, in order of execution.
        chosen: the mix that they make.
        layers: how many layers there were to choose among.
        curve: all measured mixes, by size.
    """

    aim_db: float
    kept: tuple[str, ...]
    chosen: MixPoint
    layers: int
    curve: tuple[MixPoint, ...]


def smallest_mix(graph: fx.GraphModule, inputs: Sequence[Tensor], aim_db: float) -> Mix:
    """Searches the smallest mix that reaches `aim_db` on the inputs.

    Args:
        graph: folded fp32 network.
        inputs: calibration inputs of batch size 1; the first few are used.
        aim_db: PSNR in dB against the graph in float.
    """
    trial = _Trial(graph, inputs)
    kept = _shortest_prefix(trial, aim_db)
    kept = _given_back(trial, kept, aim_db)
    chosen = trial.measure(kept)
    curve = tuple(sorted(trial.points.values(), key=lambda point: (point.weight_bytes, point.psnr_db)))
    return Mix(aim_db, tuple(name for name in trial.layers if name in kept), chosen, len(trial.layers), curve)


class _Trial:
    """Measures mixes of one network, each once."""

    def __init__(self, graph: fx.GraphModule, inputs: Sequence[Tensor]) -> None:
        self.graph, self.inputs = graph, sensitivity_inputs(inputs)
        self.ranges = observe(graph, self.inputs)
        # Float bytes and int8 bytes of each layer's weight; int8 has a scale of four bytes per output channel.
        self.layers = {node.name: _bytes(node) for node in layers.quantizable(graph)}
        self.points: dict[frozenset[str], MixPoint] = {}
        with torch.no_grad():
            self.reference = torch.cat([graph(value) for value in self.inputs])

    def measure(self, kept: Collection[str]) -> MixPoint:
        key = frozenset(kept)
        if key not in self.points:
            size = sum(whole if name in key else small for name, (whole, small) in self.layers.items())
            reached = round(self._reached([name for name in self.layers if name not in key]), 2)
            self.points[key] = MixPoint(len(key), size, reached)
        return self.points[key]

    def ranked(self) -> list[str]:
        """Layers by the error power that keeping them in float takes away per byte that it adds, the best bargain first."""
        return sorted(self.layers, key=lambda name: (-self._bargain(name), name))

    def _bargain(self, name: str) -> float:
        whole, small = self.layers[name]
        return 10.0 ** (-self._reached([name]) / 10.0) / max(whole - small, 1)

    def _reached(self, quantized: Iterable[str]) -> float:
        simulation = Int8Simulation(self.graph, self.ranges, list(quantized))
        with torch.no_grad():
            return psnr_db(self.reference, torch.cat([simulation.run(value) for value in self.inputs]))


def _shortest_prefix(trial: _Trial, aim_db: float) -> frozenset[str]:
    if trial.measure(()).psnr_db >= aim_db:
        return frozenset()
    order = trial.ranked()
    too_few, enough = 0, len(order)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if trial.measure(order[:middle]).psnr_db >= aim_db:
            enough = middle
        else:
            too_few = middle
    return frozenset(order[:enough])


def _given_back(trial: _Trial, kept: frozenset[str], aim_db: float) -> frozenset[str]:
    for name in sorted(kept, key=lambda name: (-trial.layers[name][0], name))[:_GIVEN_BACK]:
        if trial.measure(kept - {name}).psnr_db >= aim_db:
            kept = kept - {name}
    return kept


def _bytes(layer: fx.Node) -> tuple[int, int]:
    weight = layers.weight_of(layer)
    return 4 * weight.numel(), weight.numel() + 4 * weight.shape[layers.output_axis(layer)]
