"""Many prompts: one editor each, trained one after the other or side by side.

Workers read the run's checkpoint and write their own editor and state; the checkpoint's index is written by the driver alone, prompt by
prompt, and lists them in the order of the request. Whatever stops a sweep, the same command goes on: finished prompts are skipped, started
ones resume.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import Progress

from textedit_core.checkpoints.store import open_checkpoint
from textedit_core.errors import UserError
from textedit_core.file_lock import sole_writer
from textedit_core.prompts import Prompt
from textedit_core.training.editor_recipe import EditorTraining
from textedit_core.training.engines import engine_of, in_turn
from textedit_core.training.prompt_task import Workers
from textedit_core.training.run import Outcome, TrainRequest, record


@dataclass(frozen=True)
class SweepRequest:
    """What `python -m textedit_core train editors` was asked to do.

    Attributes:
        base: how each editor is trained; prompt and recipe of the edit are replaced by those of `prompts`.
        prompts: what to train, with the recipe of each.
        workers: who trains them.
    """

    base: TrainRequest
    prompts: tuple[tuple[Prompt, EditorTraining], ...]
    workers: Workers = Workers()


@dataclass
class SweepResult:
    """How a sweep ended: the prompts that were trained now, those that were there already, and why the others failed, by id."""

    trained: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def sweep(request: SweepRequest) -> SweepResult:
    """Trains every prompt that the checkpoint does not have yet.

    Raises:
        UsageError: the engine or the device does not exist.
        UserError: there is no checkpoint to build on, Ray is missing or its head does not answer, workers keep dying, or some prompts
            failed (the prompts that were finished are in the checkpoint); another process is training into the same folder.
    """
    engine = engine_of(request.workers)
    present = {} if request.base.replace else open_checkpoint(request.base.out / "checkpoint").prompts
    result = SweepResult(skipped=[prompt.id for prompt, _ in request.prompts if prompt.id in present])
    requests = [
        dataclasses.replace(request.base, prompt=prompt, recipes={**request.base.recipes, "editor": recipe})
        for prompt, recipe in request.prompts
        if prompt.id not in present
    ]
    # In this process every prompt shows a bar of its own.
    with sole_writer(request.base.out), Progress(console=Console(stderr=True), disable=engine is in_turn) as bar:
        task = bar.add_task("prompts", total=len(requests))
        for prompt_id, outcome in engine(request.workers, requests):
            _enter(request, prompt_id, outcome, result)
            bar.update(task, advance=1, description=f"prompts, last {prompt_id}")
    if result.failed:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in result.failed.items())
        raise UserError(f"{len(result.failed)} of {len(requests)} prompts failed, the others are in the checkpoint: {reasons}")
    return result


def _enter(request: SweepRequest, prompt_id: str, outcome: Outcome | str, result: SweepResult) -> None:
    if isinstance(outcome, str):
        result.failed[prompt_id] = outcome
        return
    # Listed as asked for, whichever worker was first.
    record(request.base, outcome, [prompt.id for prompt, _ in request.prompts])
    result.trained.append(prompt_id)
