"""What `train` can be told, by stage, and the request that comes of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textedit_core.errors import UsageError, unknown_name
from textedit_core.training.prompt_choice import PromptChoice
from textedit_core.training.prompt_list import read_prompts
from textedit_core.training.prompt_task import Workers
from textedit_core.training.run import TrainRequest
from textedit_core.training.settings import Changed, KeyBook, Sections
from textedit_core.training.stage_spec import StageSpec
from textedit_core.training.stages import STAGES, stage_named
from textedit_core.training.sweep import SweepRequest
from textedit_core.training.whole_model import WholeModel, WholeModelRequest

# Not one stage but many runs of stages: an editor for each prompt of a list, and a whole model.
SWEEP, WHOLE_MODEL = "editors", "all"


@dataclass(frozen=True)
class RunPlace:
    """Where a run reads and writes.

    Attributes:
        preset: the model's preset.
        data: a folder written by render, or of photographs where pictures suffice; "" takes the latents that were imported.
        out: the run's folder.
    """

    preset: str = "mobile_256"
    data: str = ""
    out: str = ""


@dataclass(frozen=True)
class PromptList:
    """The YAML list of prompts of a sweep; `replace` trains those anew that the checkpoint has."""

    prompts: str = ""
    replace: bool = False


def sections_of(spec: StageSpec) -> Sections:
    """What a stage can be told: where it runs, its pace, its recipes, and its prompt if it trains one."""
    return {"run": RunPlace(), "pace": spec.pace, **spec.recipes, **({"prompt": PromptChoice()} if spec.one_prompt else {})}


def key_book() -> KeyBook:
    """The keys of every stage, of sweeps and of whole models."""
    editor = stage_named("editor")
    sweep: Sections = {"run": RunPlace(), "pace": editor.pace, "list": PromptList(), "workers": Workers()}
    whole: Sections = {"run": RunPlace(), "model": WholeModel()}
    return KeyBook({**{spec.name: sections_of(spec) for spec in STAGES}, SWEEP: sweep, WHOLE_MODEL: whole})


def require_stage(name: str) -> None:
    """Raises UsageError where `train` has nothing of that name."""
    known = [*(spec.name for spec in STAGES), SWEEP, WHOLE_MODEL]
    if name not in known:
        raise unknown_name("stage", name, known, "the stages are")


def stage_request(name: str, changes: Changed) -> TrainRequest:
    """The run of one stage.

    Raises:
        UsageError: the run's folder or the prompt is missing.
    """
    spec = stage_named(name)
    choice = PromptChoice(**changes.get("prompt", {}))
    request = _request(spec, changes)
    if not spec.one_prompt:
        return request
    return dataclasses.replace(request, prompt=choice.prompt(name), replace=choice.replace)


def sweep_request(changes: Changed) -> SweepRequest:
    """The run of a list of prompts.

    Raises:
        UsageError: the run's folder or the list is missing.
        UserError: the list cannot be read, or is not as `read_prompts` wants it.
    """
    listed = PromptList(**changes.get("list", {}))
    if not listed.prompts:
        raise UsageError(f"{SWEEP} needs --prompts FILE, a YAML list of prompts; for a single one use: train editor --name ID --text TEXT")
    base = dataclasses.replace(_request(stage_named("editor"), changes), replace=listed.replace)
    return SweepRequest(base, read_prompts(Path(listed.prompts)), Workers(**changes.get("workers", {})))


def whole_model_request(changes: Changed) -> WholeModelRequest:
    """The run of a whole model; raises UsageError where the run's folder or the data is missing."""
    place = _place(changes)
    if not place["data"]:
        raise UsageError("a whole model needs faces; give a folder written by render with --data")
    return WholeModelRequest(place["preset"], Path(place["data"]), place["out"], WholeModel(**changes.get("model", {})))


def _place(changes: Changed) -> dict[str, Any]:
    place = dataclasses.asdict(RunPlace(**changes.get("run", {})))
    if not place["out"]:
        raise UsageError("give the run's folder with --out")
    return {"preset": place["preset"], "data": Path(place["data"]) if place["data"] else None, "out": Path(place["out"])}


def _request(spec: StageSpec, changes: Changed) -> TrainRequest:
    pace = dataclasses.replace(spec.pace, **changes.get("pace", {}))
    return TrainRequest(stage=spec, loop=pace, recipes=spec.recipes_with(changes), **_place(changes))
