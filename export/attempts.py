"""Attempts at lowering a part: what stays in float, which attempts are good, and how `auto` goes on after one that is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from export.manifest import ParityEntry

if TYPE_CHECKING:
    from torch import Tensor, fx

    from export.backends.backend import Precision, Runner
    from export.backends.lowered import Lowered
    from export.edit_success import EditSuccess
    from export.precision_search import Mix

# Safety margins in dB. First try: the floor + 1. After a failed try: what that one reached + 3, then + 6, so that the search must pick
# another mix.
AUTO_MARGINS_DB = (1.0, 3.0, 6.0)


@dataclass(frozen=True)
class Choice:
    """How a part was lowered: what became of it, the modules that stay in float, and for `auto` the search behind them."""

    lowered: Lowered
    kept: tuple[str, ...] = ()
    mix: Mix | None = None


@dataclass(frozen=True)
class Attempt:
    """A lowered file, measured and loaded.

    `measured` is None where nothing on this machine runs the file; `success` is what the judge of edits says, None where it is not asked.
    """

    choice: Choice
    measured: ParityEntry | None
    run: Runner
    success: EditSuccess | None = None

    @property
    def good(self) -> bool:
        """Whether it reaches its floor, as far as that was measured, and loses no edit."""
        reached = self.measured is None or self.measured.psnr_db >= self.measured.floor_db
        return reached and (self.success is None or self.success.lost == 0)


def layers_in_float(
    precision: Precision, graph: fx.GraphModule, calibration: Sequence[Tensor], aim_db: float
) -> tuple[tuple[str, ...], Mix | None]:
    """Names of the layers that stay in float where others become int8, and the search that chose them where there was one.

    Args:
        precision: says which layers stay.
        graph: formed fp32 network.
        calibration: float32 inputs of batch size 1.
        aim_db: what a searched mix has to reach on them in simulation.
    """
    if precision.float_layers == "searched":
        from export.precision_search import smallest_mix

        mix = smallest_mix(graph, calibration, aim_db)
        return mix.kept, mix
    if precision.float_layers == "sensitive":
        from export.sensitivity import keep_in_float

        return keep_in_float(graph, calibration), None
    return (), None


def best_mix(attempt: Callable[[float], Attempt], floor_db: float) -> Attempt:
    """Aims higher until an attempt is good; returns it, or the last one.

    Args:
        attempt: searches a mix that reaches an aim in dB in simulation, lowers it and measures the file.
        floor_db: what the file has to reach.
    """
    reached = floor_db
    for margin in AUTO_MARGINS_DB:
        made = attempt(reached + margin)
        if made.good or made.choice.mix is None:
            break
        reached = made.choice.mix.chosen.psnr_db
    return made


def require_good(part: str, made: Attempt) -> None:
    """Refuses an attempt below its floor, or one that loses edits.

    Raises:
        UserError: naming the part and what it lacks.
    """
    from export import edit_success, parity

    if made.measured is not None:
        parity.require(part, made.measured)
    if made.success is not None:
        edit_success.require_edits(part, made.success, "Choose --precision fp32")
