"""The work of one prompt of a sweep, as a worker does it, and how many workers there are."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from textedit_core.errors import TexteditError
from textedit_core.training.distributed import Team, choose_device
from textedit_core.training.run import Outcome, TrainRequest, train_part

# What a worker reports of one prompt: how it ended, or the line that says why it did not.
Report = tuple[str, Outcome | str]


@dataclass(frozen=True)
class Workers:
    """Who trains the prompts of a sweep.

    Attributes:
        engine: "local", or "ray" for a Ray cluster; its machines need the run's folder and the data under the same paths.
        workers: prompts at a time on the local engine; 1 trains in this process.
        retries: how often work is started again after its worker was killed.
        threads: CPU threads per prompt; also what Ray reserves for it.
        gpus: GPUs that Ray reserves per prompt, fractions allowed.
        address: of the Ray head ("host:port", or "auto" for the one that `ray start` announced); "" starts a cluster on this machine.
    """

    engine: str = "local"
    workers: int = 1
    retries: int = 2
    threads: int = 1
    gpus: float = 0.0
    address: str = ""


def train_prompt(request: TrainRequest, threads: int) -> Report:
    """Trains one prompt in a worker; what the user caused comes back as a line, so that it is not tried again."""
    assert request.prompt is not None
    torch.set_num_threads(threads)
    try:
        return request.prompt.id, train_part(request, Team(choose_device(request.loop.device)))
    except TexteditError as error:
        return request.prompt.id, str(error)
