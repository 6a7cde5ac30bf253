"""What a run's losses were: smoothed for the progress bar and for stopping, written for TensorBoard, and checked for being finite."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from textedit_core.errors import UserError
from textedit_core.training.distributed import Team

SMOOTHING = 0.98


class Journal:
    """Notes of every step, read from the device and averaged over the team every `settle_steps` steps, all in one transfer.

    Args:
        stage: name for errors.
        folder: where TensorBoard looks; only the leading process writes.
        log_steps: steps between two entries for TensorBoard.
        settle_steps: steps between two looks at the values; 1 looks before the weights move.
    """

    def __init__(self, stage: str, folder: Path, log_steps: int, settle_steps: int, team: Team) -> None:
        self.stage, self.log_steps, self.settle_steps, self.team = stage, log_steps, settle_steps, team
        self.writer = SummaryWriter(str(folder)) if team.is_main_process else None
        self.smoothed: dict[str, float] = {}
        self.history: list[tuple[int, float]] = []
        self._notes: list[tuple[int, str, str, list[str], Tensor]] = []

    @property
    def loss(self) -> float:
        """The first player's smoothed loss; not a number before the first note is settled."""
        return self.smoothed.get("loss", float("nan"))

    @property
    def settled(self) -> bool:
        """True where every note has been looked at, so that the weights are known to be good."""
        return not self._notes

    def note(self, images: int, player: str, values: dict[str, Tensor], prefix: str) -> None:
        """Takes a step's scalars, float on any device.

        Raises:
            UserError: the loss or the gradient's norm ("gradient_norm") is not finite, as far as the values are looked at now.
        """
        stacked = torch.stack([value.detach().float().to(self.team.device) for value in values.values()])
        self._notes.append((images, player, prefix, list(values), stacked))
        if self.settle_steps == 1:
            self.settle()

    def end_step(self, steps: int) -> None:
        """Looks at the notes when it is time to."""
        if steps % self.settle_steps == 0:
            self.settle()

    def settle(self) -> None:
        """Looks at every note that waits; raises as `note` does."""
        if not self._notes:
            return
        notes, self._notes = self._notes, []
        numbers = self.team.mean(torch.cat([note[-1] for note in notes])).tolist()
        for images, player, prefix, names, _ in notes:
            values = dict(zip(names, numbers, strict=False))
            del numbers[: len(names)]
            self._check(images, player, values)
            self._enter(images, values, prefix)

    def _check(self, images: int, player: str, values: dict[str, float]) -> None:
        for name, what in (("loss", "loss"), ("gradient_norm", "gradient of the loss")):
            if not -float("inf") < values[name] < float("inf"):
                where = f"stage {self.stage}, image {images}"
                raise UserError(f"{where}: the {what} of {player} is not finite; lower the learning rate")

    def _enter(self, images: int, values: dict[str, float], prefix: str) -> None:
        step = len(self.history)
        for name, number in values.items():
            key = prefix + name
            self.smoothed[key] = number + SMOOTHING * (self.smoothed.get(key, number) - number)
            if self.writer is not None and step % self.log_steps == 0:
                self.writer.add_scalar(key, number, images)
        if not prefix:
            self.history.append((images, self.smoothed["loss"]))
