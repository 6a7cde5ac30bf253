"""Attempts at lowering a part: which are good, and how `auto` goes on after one that is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from export.manifest import ParityEntry

if TYPE_CHECKING:
    from export.edit_success import EditSuccess
    from export.lowering.result import Lowered
    from export.precision_search import Mix
    from export.runtimes import Runner

# How far above its floor `auto` aims on calibration faces, since held-out faces come out a little worse; and where the artifact falls
# short or loses edits, how far above what the mix before it reached there, so that the next one is another.
AUTO_MARGINS_DB = (1.0, 3.0, 6.0)


@dataclass(frozen=True)
class Choice:
    """How a part was lowered: what became of it, the modules that stay in float, and for `auto` the search behind them."""

    lowered: Lowered
    kept: tuple[str, ...] = ()
    mix: Mix | None = None


@dataclass(frozen=True)
class Attempt:
    """A lowered and measured file, loaded; `success` is what the judge of edits says, None where the file is not judged."""

    choice: Choice
    measured: ParityEntry
    run: Runner
    success: EditSuccess | None = None

    @property
    def good(self) -> bool:
        """Whether it reaches its floor and loses no edit."""
        return self.measured.psnr_db >= self.measured.floor_db and (self.success is None or self.success.lost == 0)


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

    parity.require(part, made.measured)
    if made.success is not None:
        edit_success.require_edits(part, made.success, "Choose --precision fp32")
