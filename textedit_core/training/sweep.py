"""Many prompts: one editor each, trained side by side in this process, in local processes or on a Ray cluster.

Workers read the run's checkpoint and write their own editor and state; the checkpoint's index is written by the driver alone, prompt by
prompt, and lists them in the order of the request. Whatever stops a sweep, the same command goes on: finished prompts are skipped, started
ones resume.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from textedit_core.checkpoints.store import open_checkpoint
from textedit_core.config import EditorTraining, Prompt
from textedit_core.errors import TexteditError, UserError, unknown_name
from textedit_core.training.distributed import Team, choose_device
from textedit_core.training.run import Outcome, TrainRequest, record, train_part

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class SweepRequest:
    """What `python -m textedit_core train editors` was asked to do.

    Attributes:
        base: how each editor is trained; its stage is "editor", its prompt and recipe are replaced by those of `prompts`.
        prompts: what to train, with the recipe of each.
        engine: "local", or "ray" for a Ray cluster; its machines need the run's folder and the data under the same paths.
        workers: prompts at a time on the local engine; 1 trains in this process.
        retries: how often work is started again after its worker was killed.
        threads: CPU threads per prompt; also what Ray reserves for it.
        gpus: GPUs that Ray reserves per prompt, fractions allowed.
        address: of the Ray head ("host:port", or "auto" for the one that `ray start` announced); None starts a cluster on this machine.
    """

    base: TrainRequest
    prompts: tuple[tuple[Prompt, EditorTraining], ...]
    engine: str = "local"
    workers: int = 1
    retries: int = 2
    threads: int = 1
    gpus: float = 0.0
    address: str | None = None


@dataclass
class SweepResult:
    """How a sweep ended: the prompts that were trained now, those that were there already, and why the others failed, by id."""

    trained: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


# What an engine reports of one prompt: how it ended, or the line that says why it did not.
Report = tuple[str, Outcome | str]
Engine = Callable[[SweepRequest, Sequence[TrainRequest]], Iterator[Report]]


def sweep(request: SweepRequest) -> SweepResult:
    """Trains every prompt that the checkpoint does not have yet.

    Raises:
        UsageError: the engine or the device does not exist.
        UserError: there is no checkpoint to build on, Ray is missing or its head does not answer, workers keep dying, or some prompts
            failed; the prompts that were finished are in the checkpoint.
    """
    if request.engine not in ENGINES:
        raise unknown_name("engine", request.engine, list(ENGINES), "the engines are")
    directory = request.base.out / "checkpoint"
    present = {} if request.base.replace else open_checkpoint(directory).prompts
    result = SweepResult(skipped=[prompt.id for prompt, _ in request.prompts if prompt.id in present])
    requests = [
        dataclasses.replace(request.base, stage="editor", prompt=prompt, editor=recipe)
        for prompt, recipe in request.prompts
        if prompt.id not in present
    ]
    engine = _engine(request)
    # In this process every prompt shows a bar of its own.
    with Progress(console=Console(stderr=True), disable=engine is _in_turn) as bar:
        task = bar.add_task("prompts", total=len(requests))
        for prompt_id, outcome in engine(request, requests):
            _enter(directory, request, prompt_id, outcome, result)
            bar.update(task, advance=1, description=f"prompts, last {prompt_id}")
    if result.failed:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in result.failed.items())
        raise UserError(f"{len(result.failed)} of {len(requests)} prompts failed, the others are in the checkpoint: {reasons}")
    return result


def train_prompt(request: TrainRequest, threads: int) -> Report:
    """Trains one prompt in a worker; what the user caused comes back as a line, so that it is not tried again."""
    assert request.prompt is not None
    torch.set_num_threads(threads)
    try:
        return request.prompt.id, train_part(request, Team(choose_device(request.loop.device)))
    except TexteditError as error:
        return request.prompt.id, str(error)


def _enter(directory: Path, request: SweepRequest, prompt_id: str, outcome: Outcome | str, result: SweepResult) -> None:
    if isinstance(outcome, str):
        result.failed[prompt_id] = outcome
        return
    # Listed as asked for, whichever worker was first.
    record(directory, [outcome], [prompt.id for prompt, _ in request.prompts])
    (request.base.out / "state" / f"{outcome.stage}.pt").unlink(missing_ok=True)
    result.trained.append(prompt_id)


def _engine(request: SweepRequest) -> Engine:
    if request.engine == "ray":
        from textedit_core.training.ray_engine import on_ray

        return on_ray
    return _in_processes if request.workers > 1 else _in_turn


def _in_turn(request: SweepRequest, requests: Sequence[TrainRequest]) -> Iterator[Report]:
    for one in requests:
        yield train_prompt(one, request.threads)


def _silence() -> None:
    # Bars of several processes would overwrite each other; the driver shows one for all.
    # The file stays open as long as the worker lives.
    sys.stdout = open(os.devnull, "w")


def _in_processes(request: SweepRequest, requests: Sequence[TrainRequest]) -> Iterator[Report]:
    """A pool dies with any of its workers; the next pool takes what is left, which resumes from its saved states."""
    left, deaths = list(requests), 0
    while left:
        done: list[TrainRequest] = []
        with ProcessPoolExecutor(request.workers, multiprocessing.get_context("spawn"), _silence) as pool:
            futures = {pool.submit(train_prompt, one, request.threads): one for one in left}
            try:
                for future in as_completed(futures):
                    report = future.result()
                    done.append(futures[future])
                    yield report
            except BrokenProcessPool:
                # Progress in between shows that the death was not the fault of what is always first.
                deaths = 1 if done else deaths + 1
        left = [one for one in left if one not in done]
        if deaths > request.retries:
            names = ", ".join(one.prompt.id for one in left if one.prompt is not None)
            raise UserError(f"workers were killed {deaths} times in a row, by lack of memory perhaps; use fewer --workers; left: {names}")
