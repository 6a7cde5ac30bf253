"""How many multiply-accumulates per second this machine reaches in ExecuTorch on one large layer: the most a network can hope for."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

# Repeated for at least this long after one untimed run; the best repetition counts, since a roofline is a limit.
_SECONDS = 0.5


def roofline(scratch: Path, threads: int) -> dict[str, float]:
    """GMAC per second of a 3x3 convolution (256 channels, 64 px) and a matrix product (1024 x 1024 by 256 columns), fp32 and int8.

    The matrix product is a 1x1 convolution, since linear layers would measure the range of their input in every run.

    Args:
        scratch: folder for the lowered layers.
        threads: threads of the runtime.
    """
    import torch
    from torch import nn

    layers: dict[str, tuple[nn.Module, Tensor]] = {
        "convolution": (nn.Conv2d(256, 256, 3, padding=1), torch.randn(1, 256, 64, 64)),
        "matrix product": (nn.Conv2d(1024, 1024, 1), torch.randn(1, 1024, 16, 16)),
    }
    reached = {}
    for name, (layer, value) in layers.items():
        for precision in ("fp32", "int8"):
            run, gmac = _lowered(layer.eval(), value, precision, scratch / f"{name.split()[0]}_{precision}.pte", threads)
            reached[f"{name} {precision}"] = gmac / _best_seconds(run, value)
    return reached


def _lowered(layer: nn.Module, value: Tensor, precision: str, path: Path, threads: int) -> tuple[Callable[[Tensor], Any], float]:
    from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool

    from export import runtimes
    from export.cost import macs_by_operation
    from export.fold import fold
    from export.graphs import GraphSpec, TensorSpec
    from export.lowering import executorch_backend, static_int8

    graph = fold(layer, value)
    module = static_int8.quantize(graph, [value]) if precision == "int8" else graph
    executorch_backend.lower(module, value, path, "roofline")
    _unsafe_reset_threadpool(threads)
    spec = GraphSpec("roofline", TensorSpec("x", tuple(value.shape)), TensorSpec("y", ()))
    return runtimes.load("android", path, spec), sum(macs_by_operation(graph).values()) / 1e9


def _best_seconds(run: Callable[[Tensor], Any], value: Tensor) -> float:
    run(value)
    best, started = float("inf"), time.perf_counter()
    while time.perf_counter() - started < _SECONDS:
        before = time.perf_counter()
        run(value)
        best = min(best, time.perf_counter() - before)
    return best
