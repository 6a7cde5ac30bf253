"""What a measurement was asked to do, with its defaults; light enough for --help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LatencyRequest:
    """One latency measurement.

    Attributes:
        bundle: a bundle directory or stored zip.
        checkpoint: what it was exported from; None is the embedded reference.
        threads: threads that the runtime and PyTorch may use each.
        iterations: timed pairs of runs per network.
        warmup: untimed runs of both sides before those.
    """

    bundle: Path
    checkpoint: Path | None = None
    threads: int = 1
    iterations: int = 30
    warmup: int = 5


@dataclass(frozen=True)
class OperationsRequest:
    """One trace of a network's kernels.

    Attributes:
        bundle: a bundle directory or stored zip of target android.
        part: `encoder`, `decoder`, `text_editor` or `editors/ID`.
        threads: threads of the runtime.
        iterations: timed runs.
        warmup: untimed runs before those.
    """

    bundle: Path
    part: str = "decoder"
    threads: int = 1
    iterations: int = 20
    warmup: int = 3


@dataclass(frozen=True)
class PeersRequest:
    """One decoder through every runtime at hand.

    Attributes:
        preset: whose decoder, with random weights; see `textedit_core.config.PRESETS`.
        threads: threads that each runtime may use.
        iterations: rounds in which every form is timed once.
        warmup: untimed rounds before those.
        naive_executorch: time the naive ExecuTorch export too, which takes over a minute per image at 256 px.
    """

    preset: str = "stylegan2_256"
    threads: int = 2
    iterations: int = 10
    warmup: int = 2
    naive_executorch: bool = True


@dataclass(frozen=True)
class RenderRequest:
    """One measurement of the renderer.

    Attributes:
        assets: asset tree, or the packed file.
        images: timed images of all processes together; sketches and cartoons among them in the shares of a dataset.
        workers: processes; None takes one per CPU core.
        resolution: image side in pixels.
    """

    assets: Path
    images: int = 64
    workers: int | None = None
    resolution: int = 256


@dataclass(frozen=True)
class TrainSpeedRequest:
    """One measurement of editor training against the plain loop.

    Attributes:
        checkpoint: whose networks are used, and whose sample faces; None is the embedded reference.
        prompt: one of the checkpoint's prompts, whose texts are trained for.
        batch: images per step, the same for all.
        steps: timed steps of each loop, taken in turn.
        warmup: untimed steps of each before those.
        threads: threads of PyTorch.
    """

    checkpoint: Path | None = None
    prompt: str = "smile"
    batch: int = 16
    steps: int = 8
    warmup: int = 1
    threads: int = 2
