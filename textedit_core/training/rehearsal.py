"""Fits a row of stages into some hours: a rehearsal of a few steps measures each, and all are shortened by the same share.

The plan is kept beside the run, so that a run that was interrupted goes on with the images it was begun with.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from textedit_core.atomic import write_text
from textedit_core.errors import UserError
from textedit_core.training.distributed import Team
from textedit_core.training.loop import Stage
from textedit_core.training.pace import LoopConfig
from textedit_core.training.run import TrainRequest, train
from textedit_core.training.stage_spec import Additions, StageRun, StageSpec

PLAN_NAME = "plan.json"
# Spread over the whole course of a stage, since its terms join one after the other.
STEPS = 10
# Of the prompts of one stage the second finds the faces encoded, and a third one is like it.
_REHEARSED_RUNS = 2


@dataclass(frozen=True)
class Cost:
    """What a stage takes: seconds before and after its steps, and seconds per image."""

    around: float
    per_image: float


class _Timed(Stage):
    """A stage that notes when its steps began and ended, and draws no samples."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.name, self.players = stage, stage.name, stage.players
        self.began = self.ended = 0.0

    def prepare(self) -> None:
        self.stage.prepare()
        self.began = time.monotonic()

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        self.ended = time.monotonic()
        self.stage.finish(averaged)


def open_plan(
    out: Path, hours: float, requests: Mapping[str, TrainRequest], finished: Collection[str], team: Team
) -> dict[str, LoopConfig]:
    """The pace of each request, by outcome: its own where `hours` is 0, or as planned; the first call with hours rehearses and plans.

    Args:
        out: the run's folder, which keeps the plan.
        hours: for all requests together that are not finished yet, rehearsal included.
        requests: in the order in which they run.
        finished: outcomes that are in the checkpoint already.
        team: who trains together.

    Raises:
        UserError: the plan that is there was made for other hours or stages, or the hours do not suffice.
    """
    paces = {outcome: request.loop for outcome, request in requests.items()}
    images = {outcome: pace.images for outcome, pace in paces.items()}
    wanted = {"hours": hours, "images": images}
    path = out / PLAN_NAME
    if not path.is_file():
        if not hours or set(requests) <= set(finished):
            return paces
        began = time.monotonic()
        costs = rehearse(out / "rehearsal", requests, team)
        with team.main_process_first():
            if team.is_main_process:
                left = {outcome: cost for outcome, cost in costs.items() if outcome not in finished}
                share = share_of_images(left, images, 3600 * hours - (time.monotonic() - began))
                _tell(requests, left, share)
                _write(path, {**wanted, "share": share})
    plan = _read(path)
    if {key: plan.get(key) for key in wanted} != wanted:
        raise UserError(f"{str(path)!r} was made for {plan.get('hours')} hours of other work; give the same, or delete it to plan anew")
    return {outcome: shortened(pace, plan["share"]) for outcome, pace in paces.items()}


def shortened(pace: LoopConfig, share: float) -> LoopConfig:
    """A pace with a share of its images, whole batches and at least one; warm-up and averaging are shortened alike."""
    if share >= 1.0:
        return pace
    batches = max(1, int(pace.images * share) // pace.batch_size)
    warmup, half_life = int(pace.warmup_images * share), int(pace.ema_half_life_images * share)
    return dataclasses.replace(pace, images=batches * pace.batch_size, warmup_images=warmup, ema_half_life_images=half_life)


def share_of_images(costs: Mapping[str, Cost], images: Mapping[str, int], seconds: float) -> float:
    """The share of their images at which all stages together take `seconds`, at most 1.

    Raises:
        UserError: what surrounds the steps alone takes longer.
    """
    around = sum(cost.around for cost in costs.values())
    steps = sum(cost.per_image * images[outcome] for outcome, cost in costs.items())
    if seconds <= around:
        raise UserError(f"{max(seconds, 0.0) / 3600:.2f} hours are left, and {around / 3600:.2f} pass beside the steps; give more --hours")
    return min(1.0, (seconds - around) / steps)


def _tell(requests: Mapping[str, TrainRequest], costs: Mapping[str, Cost], share: float) -> None:
    for outcome, cost in costs.items():
        pace = requests[outcome].loop
        count = shortened(pace, share).images
        words = f"{count:,} of {pace.images:,} images at {1 / cost.per_image:.1f} a second"
        print(f"{outcome}: {words}, {(cost.around + count * cost.per_image) / 60:.1f} minutes", file=sys.stderr)


def rehearse(folder: Path, requests: Mapping[str, TrainRequest], team: Team) -> dict[str, Cost]:
    """Runs a few steps of each request in `folder`, each on the parts of those before, and removes the folder."""
    costs: dict[str, Cost] = {}
    runs: dict[str, list[Cost]] = {}
    _remove(folder, team)
    for outcome, request in requests.items():
        known = runs.setdefault(request.stage.name if request.stage.one_prompt else outcome, [])
        if len(known) < _REHEARSED_RUNS:
            known.append(_cost(dataclasses.replace(request, out=folder)))
        costs[outcome] = known[-1]
    _remove(folder, team)
    return costs


def _cost(request: TrainRequest) -> Cost:
    stages: list[_Timed] = []

    def build(run: StageRun) -> Stage:
        stages.append(_Timed(request.stage.build(run)))
        return stages[0]

    def adds(stage: Any) -> Additions:
        return request.stage.adds(stage.stage)

    spec: StageSpec = dataclasses.replace(request.stage, build=build, adds=adds)
    images = STEPS * request.loop.batch_size
    began = time.monotonic()
    train(dataclasses.replace(request, stage=spec, loop=dataclasses.replace(request.loop, images=images)))
    steps = stages[0].ended - stages[0].began
    return Cost(time.monotonic() - began - steps, steps / images)


def _remove(folder: Path, team: Team) -> None:
    if team.is_main_process:
        shutil.rmtree(folder, ignore_errors=True)
    team.barrier()


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{str(path)!r} cannot be read: {error}; delete it to plan anew") from None


def _write(path: Path, values: dict[str, Any]) -> None:
    write_text(path, json.dumps(values, indent=1) + "\n")
