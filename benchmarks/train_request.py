"""What a measurement of training speed was asked to do, with its defaults; light enough for --help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainSpeedRequest:
    """One measurement of editor training against the plain loop.

    Attributes:
        checkpoint: whose networks are used, and whose sample faces; None is the embedded reference.
        prompt: one of the checkpoint's prompts, whose texts are trained for.
        batch: images per step, the same for all.
        steps: timed steps of each loop, taken in turn.
        warmup: untimed steps of each before those.
        threads: threads of PyTorch.
    """

    checkpoint: Path | None = None
    prompt: str = "smile"
    batch: int = 16
    steps: int = 8
    warmup: int = 1
    threads: int = 2
