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
        rounds: timed runs of each network and of its PyTorch form, in turn.
        warmup: untimed rounds before those.
    """

    bundle: Path
    checkpoint: Path | None = None
    threads: int = 1
    rounds: int = 30
    warmup: int = 5


@dataclass(frozen=True)
class OperationsRequest:
    """One trace of a network's kernels.

    Attributes:
        bundle: a bundle directory or stored zip of target android.
        part: `encoder`, `decoder`, `text_editor` or `editors/ID`.
        threads: threads of the runtime.
        rounds: timed runs.
        warmup: untimed runs before those.
    """

    bundle: Path
    part: str = "decoder"
    threads: int = 1
    rounds: int = 20
    warmup: int = 3


@dataclass(frozen=True)
class PeersRequest:
    """One decoder through every runtime at hand.

    Attributes:
        preset: whose decoder, with random weights; see `textedit_core.config.PRESETS`.
        threads: threads that each runtime may use.
        rounds: rounds in which every form is timed once.
        warmup: untimed rounds before those.
        naive_executorch: time the naive ExecuTorch export too, which takes over a minute per image at 256 px.
    """

    preset: str = "stylegan2_256_narrow"
    threads: int = 2
    rounds: int = 10
    warmup: int = 2
    naive_executorch: bool = True


@dataclass(frozen=True)
class UpsamplingRequest:
    """The forms of an up-sampling convolution.

    Attributes:
        threads: threads that each runtime may use.
        rounds: rounds in which every form is timed once.
        warmup: untimed rounds before those.
    """

    threads: int = 2
    rounds: int = 10
    warmup: int = 2


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
        rounds: timed steps of each loop, taken in turn.
        warmup: untimed steps of each before those.
        threads: threads of PyTorch.
    """

    checkpoint: Path | None = None
    prompt: str = "smile"
    batch: int = 16
    rounds: int = 8
    warmup: int = 1
    threads: int = 2


@dataclass(frozen=True)
class EditRequest:
    """One full edit, beside the same with a StyleGAN2.

    Attributes:
        bundle: a bundle directory or stored zip of target android or onnx.
        prompt: one of its prompts; None is the first.
        peer: preset of the int8 path beside it, with random weights.
        threads: threads of the runtime.
        rounds: timed runs of each part of both paths, in turn.
        warmup: untimed rounds before those.
        processes: in how many processes the memory is measured, one after the other.
    """

    bundle: Path
    prompt: str | None = None
    peer: str = "stylegan2_256_narrow"
    threads: int = 2
    rounds: int = 20
    warmup: int = 3
    processes: int = 3


@dataclass(frozen=True)
class DecoderRequest:
    """The StyleGAN2 decoder at several sides.

    Attributes:
        sizes: sides of the image in pixels.
        threads: counts of threads, each in a process of its own.
        rounds: timed runs of every form, in turn.
        warmup: untimed rounds before those.
    """

    sizes: tuple[int, ...] = (64, 128, 256, 512, 1024)
    threads: tuple[int, ...] = (1, 2)
    rounds: int = 7
    warmup: int = 1


@dataclass(frozen=True)
class ExportSpeedRequest:
    """Exports by number of prompts and by side.

    Attributes:
        checkpoint: what is exported; None is the embedded reference.
        target: a target's name or `all`.
        counts: numbers of prompts, rising.
        sizes: sides in pixels of StyleGAN2 with random weights, rising; none by default.
        parity_faces: held-out faces that each artifact is measured on.
    """

    checkpoint: Path | None = None
    target: str = "all"
    counts: tuple[int, ...] = (1, 12, 64)
    sizes: tuple[int, ...] = ()
    parity_faces: int = 8


@dataclass(frozen=True)
class TemplatesRequest:
    """Editors lowered with and without templates.

    Attributes:
        checkpoint: whose editors; None is the embedded reference.
        target: a target's name or `all`.
        rounds: how often each way is timed.
    """

    checkpoint: Path | None = None
    target: str = "all"
    rounds: int = 2


@dataclass(frozen=True)
class AppsRequest:
    """The picture path of the phone apps, as their own timing programs measure it on this machine.

    Attributes:
        android: folder in which `android_demo/check` has worked; None leaves the Kotlin core out.
        android_before: the same of an older checkout, whose pasting is the plain form; None takes that of `android`.
        ios: the built program EditorTimings; None leaves the Swift core out.
        rounds: timed runs of each form in a process.
        processes: processes of each form, in turn.
    """

    android: Path | None = None
    android_before: Path | None = None
    ios: Path | None = None
    rounds: int = 20
    processes: int = 3


@dataclass(frozen=True)
class ReportRequest:
    """Results to be laid side by side.

    Attributes:
        results: result documents, all of desktops or all of one kind of device.
        out: folder for report.md and its plots.
    """

    results: tuple[Path, ...]
    out: Path = Path("benchmark-report")


@dataclass(frozen=True)
class DeviceRequest:
    """A run of the demo app's benchmark on a connected device.

    Attributes:
        kind: of device; see `benchmarks.device.COLLECTORS`.
        out: where the result is written.
        device: as the platform's tool names it; None takes the only one, where the tool allows that.
    """

    kind: str
    out: Path
    device: str | None = None


@dataclass(frozen=True)
class ForeignFilesRequest:
    """Foreign files to write: the folder that receives them, the generator's side in pixels, and the seed of the weights."""

    out: Path
    resolution: int = 1024
    seed: int = 0
