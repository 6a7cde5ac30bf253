"""A whole model, stage after stage: what is finished is skipped, what was begun goes on, and the whole can be made to fit some hours."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textedit_core.checkpoints.store import INDEX_NAME, Checkpoint, open_checkpoint
from textedit_core.errors import UsageError
from textedit_core.training.distributed import open_team
from textedit_core.training.prompt_choice import PromptChoice
from textedit_core.training.reference_recipe import Step, model_recipe
from textedit_core.training.rehearsal import open_plan
from textedit_core.training.run import TrainRequest, train
from textedit_core.training.stages import stage_named


@dataclass(frozen=True)
class WholeModel:
    """How a whole model is trained: by which recipe, in how many hours at most (0: as long as the recipe takes), where, by which seed.

    `partners` is the folder that `render --partners` wrote, for the compositor; `pairs` a folder of pairs of photographs, or "".
    """

    recipe: str = "reference"
    partners: str = ""
    pairs: str = ""
    hours: float = 0.0
    device: str = "auto"
    seed: int = 0


@dataclass(frozen=True)
class WholeModelRequest:
    """What `python -m textedit_core train all` was asked to do; preset, data and out as in TrainRequest."""

    preset: str
    data: Path
    out: Path
    options: WholeModel = WholeModel()


def train_whole_model(request: WholeModelRequest) -> Checkpoint:
    """Runs every step of the recipe that is not finished yet.

    Raises:
        UsageError: the recipe, the preset or the device does not exist.
        UserError: a stage fails, as `train` says; the hours do not suffice, or are others than those that the run was begun with.
    """
    return train_steps(request, model_recipe(request.options.recipe))


def train_steps(request: WholeModelRequest, steps: Sequence[Step]) -> Checkpoint:
    """Runs some steps, in order; raises as `train_whole_model` does."""
    requests = {step.outcome: step_request(request, step) for step in steps}
    team = open_team(request.options.device, min(each.loop.batch_size for each in requests.values()))
    paces = open_plan(request.out, request.options.hours, requests, _finished(request.out), team)
    for number, (outcome, each) in enumerate(requests.items(), 1):
        each = dataclasses.replace(each, loop=paces[outcome])
        finished = outcome in _finished(request.out)
        if team.is_main_process:
            how = "finished before" if finished else f"{each.loop.images:,} images"
            print(f"{number} of {len(requests)}, {outcome}: {how}", file=sys.stderr, flush=True)
        if not finished:
            train(each)
    return open_checkpoint(request.out / "checkpoint")


def step_request(request: WholeModelRequest, step: Step) -> TrainRequest:
    """The run of one step at the recipe's own pace.

    Raises:
        UsageError: the step learns from partners, and none are given.
    """
    spec = stage_named(step.stage)
    options = request.options
    data, changes = request.data, step.changes
    if "partners" in spec.data:
        if not options.partners:
            raise UsageError(f"{step.outcome} learns from rendered partners; render them with render --partners N, and give partners=DIR")
        data = Path(options.partners)
        changes = {**changes, step.stage: {**changes.get(step.stage, {}), "pairs": options.pairs}}
    pace = dataclasses.replace(spec.pace, **changes.get("pace", {}), device=options.device, seed=options.seed)
    prompt = PromptChoice(step.prompt).prompt(step.stage) if step.prompt else None
    recipes = spec.recipes_with({**changes, "prompt": {"name": step.prompt}})
    return TrainRequest(spec, request.preset, data, request.out, pace, recipes, prompt)


def _finished(out: Path) -> set[str]:
    directory = out / "checkpoint"
    return set(open_checkpoint(directory).provenance) if (directory / INDEX_NAME).is_file() else set()
