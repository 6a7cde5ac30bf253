"""The Ray engine of a sweep: one task per prompt, retried by Ray when its worker dies."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from typing import Any

from textedit_core.errors import UserError
from textedit_core.training.prompt_task import Report, Workers, train_prompt
from textedit_core.training.run import TrainRequest

# Seconds between two looks whether the head still answers, and how long an answer may take.
HEAD_CHECK_SECONDS = 5.0
HEAD_ANSWER_SECONDS = 5.0


def on_ray(workers: Workers, requests: Sequence[TrainRequest]) -> Iterator[Report]:
    """Trains each request as a Ray task and yields the reports as they come.

    Raises:
        UserError: Ray is not installed, no head answers at `workers.address`, the head stops answering, or a prompt's workers keep dying.
    """
    try:
        import ray
    except ImportError:
        raise UserError("--engine ray needs Ray; install it with: pip install 'textedit[distributed]'") from None
    _connect(ray, workers)
    try:
        task = ray.remote(num_cpus=workers.threads, num_gpus=workers.gpus, max_retries=workers.retries)(train_prompt)
        yield from _reports(ray, {task.remote(request, workers.threads): request for request in requests}, _head_of(ray))
    finally:
        ray.shutdown()


def _connect(ray: Any, workers: Workers) -> None:
    where: dict[str, Any] = {"address": workers.address} if workers.address else _own_cluster(workers)
    if workers.address and workers.address != "auto" and not _answers(workers.address):
        raise UserError(f"no Ray head answers at {workers.address!r}; start one with 'ray start --head', or leave out --address")
    try:
        ray.init(**where, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"cannot join Ray ({reason}); start a head with 'ray start --head', or leave out --address") from None


def _own_cluster(workers: Workers) -> dict[str, Any]:
    # Ray's workers are "nice" by default and starve beside anything else, though here they are the work itself.
    return {"num_cpus": workers.workers * workers.threads, "include_dashboard": False, "_system_config": {"worker_niceness": 0}}


def _head_of(ray: Any) -> str:
    return ray.get_runtime_context().gcs_address


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), HEAD_ANSWER_SECONDS):
            return True
    except (OSError, ValueError):
        return False


def _reports(ray: Any, tasks: dict[Any, TrainRequest], head: str) -> Iterator[Report]:
    total = len(tasks)
    while tasks:
        ready, _ = ray.wait(list(tasks), timeout=HEAD_CHECK_SECONDS)
        # Ray itself would wait a minute for a dead head, and then end this process.
        if not ready and not _answers(head):
            finished = total - len(tasks)
            raise UserError(
                f"the Ray head at {head} stopped answering; {finished} of {total} prompts are finished and kept: "
                "start it again, and the same command trains the rest"
            )
        for reference in ready:
            request = tasks.pop(reference)
            assert request.prompt is not None
            yield _report(ray, reference, request.prompt.id)


def _report(ray: Any, reference: Any, prompt_id: str) -> Report:
    try:
        return ray.get(reference)
    except ray.exceptions.WorkerCrashedError:
        return prompt_id, "its workers were killed again and again, out of memory perhaps; reserve more --threads for each"
    except ray.exceptions.RayError as error:
        return prompt_id, str(error).strip().splitlines()[-1]
