"""What a backend is: one object that says all that the exporter needs to know of it. One file declares one, `BACKENDS` lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from textedit_core.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor, fx

    from export.backends.lowered import Lowered
    from export.compute_units import Advice
    from export.graphs import GraphSpec

# A loaded network: float32 of batch size 1 (or one that the backend takes at once) to float32.
Runner = Callable[["Tensor"], "Tensor"]
# Which layers stay in float where others become int8: none; those that a simulation finds spoilt; or, of all mixes, the smallest that
# reaches the floor (precision_search) and loses no edit (edit_success).
FloatLayers = Literal["none", "sensitive", "searched"]


@dataclass(frozen=True)
class Precision:
    """One way to store weights and to compute; docs/bundle.md says what each is.

    Attributes:
        floor_db: PSNR in dB that an artifact must reach against the fp32 networks.
        bytes_per_weight: what a weight takes, for the estimate of a plan.
        float_layers: which layers stay in float.
        one_face: calibrated for batch size 1 alone.
    """

    floor_db: float
    bytes_per_weight: float
    float_layers: FloatLayers = "none"
    one_face: bool = False


@dataclass(frozen=True)
class Job:
    """One network to lower.

    Attributes:
        spec: its name, input and output.
        precision: one of the backend's.
        calibration: float32 inputs of batch size 1; the first fixes the shapes, all set the ranges of int8.
        batch_sizes: how many inputs it takes at once, ascending from 1.
    """

    spec: GraphSpec
    precision: str
    calibration: tuple[Tensor, ...]
    batch_sizes: tuple[int, ...] = (1,)


def as_it_is(graph: fx.GraphModule, job: Job, kept: tuple[str, ...]) -> fx.GraphModule:
    """The `quantize` of a backend that gives its precisions to the weights when it writes them."""
    return graph


@dataclass(frozen=True)
class Backend:
    """What lowers a graph for one device family, and what runs the result.

    Attributes:
        target: the device family, as `--target` and the manifest name it.
        id: what `--backend` calls it.
        name: what executes the graph inside the runtime, as the manifest names it.
        runtime: what a device loads the networks with, as the manifest names it.
        min_os: the oldest operating system that runs the bundle.
        suffix: extension of a lowered network, a file or (Core ML) a directory.
        tools: the Python packages that lower, whose versions the manifest records; the first is the runtime's own.
        precisions: by name, the default first.
        form: a folded graph in the form that the backend runs best; the same function. The graph stays as it is.
        lower: writes a formed and quantized graph to a path.
        load: opens a lowered network with so many threads, None for the runtime's own number; None where nothing on the exporting
            machine runs it.
        proof: how `load` runs the network; empty where nothing does.
        leaves_open: what that does not prove.
        quantize: a formed graph with the arithmetic of int8 in it, but for the layers named in `kept`.
        default: whether it is the one that the target has when none is named.
        real_time: whether `load` runs the runtime itself, so that times mean something; False for an evaluation of the saved file.
        takes_batches: whether a network can be lowered for several faces at once.
        advise: which compute units an app should ask for, by part and precision; None where the runtime has no such choice.
    """

    target: str
    id: str
    name: str
    runtime: str
    min_os: str
    suffix: str
    tools: tuple[str, ...]
    precisions: Mapping[str, Precision]
    form: Callable[[fx.GraphModule, Job], fx.GraphModule]
    lower: Callable[[fx.GraphModule, Job, Path], Lowered]
    load: Callable[[Path, GraphSpec, int | None], Runner] | None
    proof: str
    leaves_open: str
    quantize: Callable[[fx.GraphModule, Job, tuple[str, ...]], fx.GraphModule] = as_it_is
    default: bool = True
    real_time: bool = True
    takes_batches: bool = False
    advise: Callable[[str, str], Advice] | None = None

    @property
    def label(self) -> str:
        """The target's name, followed by the backend's where that is not the default: `android`, `android-vulkan`."""
        return self.target if self.default else f"{self.target}-{self.id}"

    @property
    def package(self) -> str:
        """The Python package whose version stands for the runtime's."""
        return self.tools[0]

    def resolve_precision(self, name: str | None) -> str:
        """Returns `name`, or the default precision for None.

        Raises:
            UsageError: the backend does not have this precision.
        """
        if name is None:
            return next(iter(self.precisions))
        if name not in self.precisions:
            raise UsageError(f"unknown precision {name!r}; target {self.label} accepts: {', '.join(self.precisions)}")
        return name


# What only a phone can tell, whatever ran the networks here.
PHONE_ALONE = "speed, memory and energy, which need the phone"
