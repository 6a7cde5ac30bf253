"""How many multiply-accumulates per second a machine reaches in ExecuTorch on one large layer: the most a network can hope for.

The layers are timed in turn with whatever they are compared with, in the same rounds. A roofline is a limit, so that its best round counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.results import Recorder
from benchmarks.sessions import lower_folded

if TYPE_CHECKING:
    from torch import Tensor, nn

    from export.graphs import GraphSpec

PRECISIONS = ("fp32", "int8")


@dataclass(frozen=True)
class Layer:
    """One lowered layer: its file, what it takes, and its multiply-accumulates in units of 1e9."""

    path: Path
    spec: GraphSpec
    gmac: float
    precision: str


def lower_layers(scratch: Path) -> dict[str, Layer]:
    """A 3x3 convolution (512 channels, 64 px) and a matrix product (1024 x 1024 by 256 columns), fp32 and int8, by name.

    The convolution is the largest of StyleGAN2 at 256 px: smaller ones reach less, and would
    flatter what is held against them. The matrix product is a 1x1 convolution, since linear layers would measure the range of their
    input in every run.

    Args:
        scratch: folder for the lowered layers.
    """
    import torch
    from torch import nn

    layers: dict[str, tuple[nn.Module, Tensor]] = {
        "convolution": (nn.Conv2d(512, 512, 3, padding=1), torch.randn(1, 512, 64, 64)),
        "matrix product": (nn.Conv2d(1024, 1024, 1), torch.randn(1, 1024, 16, 16)),
    }
    return {
        f"roofline, {name} {precision}": _lowered(layer.eval(), value, precision, scratch / f"{name.split()[0]}_{precision}.pte")
        for name, (layer, value) in layers.items()
        for precision in PRECISIONS
    }


def _lowered(layer: nn.Module, value: Tensor, precision: str, path: Path) -> Layer:
    from export.cost import macs_by_operation
    from export.fold import fold
    from export.graphs import GraphSpec, TensorSpec

    graph = fold(layer, value)
    lower_folded(graph, value, precision, path, "roofline")
    spec = GraphSpec("roofline", TensorSpec("x", tuple(value.shape)), TensorSpec("y", ()))
    return Layer(path, spec, sum(macs_by_operation(graph).values()) / 1e9, precision)


def record_layers(recorder: Recorder, layers: Mapping[str, Layer], times: Mapping[str, list[float]], suffix: str = "") -> dict[str, float]:
    """Adds what the layers reached to a document.

    Args:
        recorder: the document.
        layers: by name, from `lower_layers`.
        times: milliseconds of their rounds, by name.
        suffix: appended to the ids.

    Returns:
        The limit by precision in GMAC/s: the best round of the better layer.
    """
    limits: dict[str, float] = dict.fromkeys(PRECISIONS, 0.0)
    for name, layer in layers.items():
        paces = [1000.0 * layer.gmac / value for value in times[name]]
        recorder.measure(f"{name}{suffix}", "roofline", "GMAC/s", paces, precision=layer.precision)
        limits[layer.precision] = max(limits[layer.precision], *paces)
    return limits
