"""The engines of a sweep: the prompts in turn in this process, in local processes, or on a Ray cluster."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from textedit_core.errors import UserError, unknown_name
from textedit_core.training.prompt_task import Report, Workers, train_prompt
from textedit_core.training.ray_engine import on_ray
from textedit_core.training.run import TrainRequest

Engine = Callable[[Workers, Sequence[TrainRequest]], Iterator[Report]]
ENGINES = ("local", "ray")


def engine_of(workers: Workers) -> Engine:
    """The engine that `workers.engine` names; local workers get processes of their own when there are several.

    Raises:
        UsageError: there is no such engine.
    """
    if workers.engine not in ENGINES:
        raise unknown_name("engine", workers.engine, list(ENGINES), "the engines are")
    if workers.engine == "ray":
        return on_ray
    return in_processes if workers.workers > 1 else in_turn


def in_turn(workers: Workers, requests: Sequence[TrainRequest]) -> Iterator[Report]:
    """Trains each request in this process."""
    for request in requests:
        yield train_prompt(request, workers.threads)


def _silence() -> None:
    # Bars of several processes would overwrite each other; the driver shows one for all.
    sys.stdout = open(os.devnull, "w")  # open as long as the worker lives


def in_processes(workers: Workers, requests: Sequence[TrainRequest]) -> Iterator[Report]:
    """Trains the requests in a pool, which dies with any of its workers; the next pool takes what is left, which resumes from its states.

    Raises:
        UserError: workers keep dying.
    """
    left, deaths = list(requests), 0
    while left:
        done: list[TrainRequest] = []
        with ProcessPoolExecutor(workers.workers, multiprocessing.get_context("spawn"), _silence) as pool:
            futures = {pool.submit(train_prompt, request, workers.threads): request for request in left}
            try:
                for future in as_completed(futures):
                    report = future.result()
                    done.append(futures[future])
                    yield report
            except BrokenProcessPool:
                # A prompt finished since the last crash: start counting anew.
                deaths = 1 if done else deaths + 1
        left = [request for request in left if request not in done]
        if deaths > workers.retries:
            names = ", ".join(request.prompt.id for request in left if request.prompt is not None)
            raise UserError(f"workers were killed {deaths} times in a row, by lack of memory perhaps; use fewer --workers; left: {names}")
