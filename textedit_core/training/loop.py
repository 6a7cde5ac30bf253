"""The training loop: one for every stage, with bfloat16, clipping, EMA, progress, samples, exact resume and two ways to stop early."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from torchvision.utils import save_image

from textedit_core.config import LoopConfig
from textedit_core.errors import UserError


@dataclass(frozen=True)
class Player:
    """One optimised module and its loss; a stage with a discriminator has two.

    `losses(step_generator, progress)` draws its batch from the generator alone, so step k always sees the same data, and returns
    named scalars among which "loss" is minimised; `progress` runs from 0 to 1.
    """

    name: str
    module: nn.Module
    losses: Callable[[torch.Generator, float], dict[str, Tensor]]
    learning_rate_scale: float = 1.0
    betas: tuple[float, float] | None = None


class Stage(Protocol):
    """What the loop needs of a stage."""

    name: str
    players: list[Player]

    def samples(self, averaged: dict[str, nn.Module]) -> Tensor | None:
        """A grid of images float [N,3,R,R] in [-1,1] made with the EMA modules, eight a row, or None."""

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        """Writes the stage's parts of the checkpoint from the EMA modules."""


def run(stage: Stage, config: LoopConfig, folder: Path) -> str:
    """Trains a stage to its end and returns why it stopped: "images", "converged" or "threshold".

    `folder` receives state/STAGE.pt (resumed from when it exists), samples/STAGE and tensorboard/STAGE.
    """
    trainer = _Trainer(stage, config, folder)
    trainer.resume()
    reason = trainer.train()
    trainer.save()
    stage.finish(trainer.averaged)
    return reason


def learning_rate_factor(images: int, config: LoopConfig) -> float:
    """Linear warm-up, then half a cosine down to zero at `config.images`."""
    warm = min(1.0, (images + config.batch_size) / max(config.warmup_images, 1))
    return warm * 0.5 * (1.0 + math.cos(math.pi * min(images / config.images, 1.0)))


class _Trainer:
    def __init__(self, stage: Stage, config: LoopConfig, folder: Path) -> None:
        self.stage, self.config, self.folder = stage, config, folder
        self.state_path = folder / "state" / f"{stage.name}.pt"
        self.samples_folder = folder / "samples" / stage.name
        for path in (self.state_path.parent, self.samples_folder):
            path.mkdir(parents=True, exist_ok=True)
        self.writer = SummaryWriter(str(folder / "tensorboard" / stage.name))
        self.optimizers = {p.name: self._optimizer(p) for p in stage.players}
        self.averaged = {p.name: copy.deepcopy(p.module).eval().requires_grad_(False) for p in stage.players}
        self.step = 0
        self.smoothed: dict[str, float] = {}
        self.history: list[tuple[int, float]] = []

    def _optimizer(self, player: Player) -> torch.optim.Optimizer:
        rate = self.config.learning_rate * player.learning_rate_scale
        parameters = [p for p in player.module.parameters() if p.requires_grad]
        return torch.optim.Adam(parameters, lr=rate, betas=player.betas or self.config.betas)

    @property
    def images(self) -> int:
        return self.step * self.config.batch_size

    def train(self) -> str:
        last_save = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns) as bar:
            task = bar.add_task(self.stage.name, total=self.config.images)
            while self.images < self.config.images:
                self._step()
                bar.update(task, completed=self.images, description=f"{self.stage.name} loss {self.smoothed['loss']:.4f}")
                if self._crossed(self.config.sample_images):
                    self._sample()
                if time.monotonic() - last_save > self.config.save_seconds:
                    self.save()
                    last_save = time.monotonic()
                reason = self._early_stop()
                if reason:
                    return reason
        self._sample()
        return "images"

    def _step(self) -> None:
        progress = self.images / self.config.images
        factor = learning_rate_factor(self.images, self.config)
        for index, player in enumerate(self.stage.players):
            generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.step * 7 + index)
            optimizer = self.optimizers[player.name]
            for group in optimizer.param_groups:
                group["lr"] = self.config.learning_rate * player.learning_rate_scale * factor
            player.module.train()
            with torch.autocast(self.config.device, torch.bfloat16, enabled=self.config.bfloat16):
                losses = player.losses(generator, progress)
            if not torch.isfinite(losses["loss"]):
                where = f"stage {self.stage.name}, image {self.images}"
                raise UserError(f"{where}: the loss of {player.name} is not finite; lower the learning rate")
            optimizer.zero_grad(set_to_none=True)
            losses["loss"].backward()
            nn.utils.clip_grad_norm_(player.module.parameters(), self.config.gradient_clip)
            optimizer.step()
            self._average(player)
            self._log(losses, prefix="" if index == 0 else f"{player.name}/")
        self.step += 1

    @torch.no_grad()
    def _average(self, player: Player) -> None:
        half_life = min(self.config.ema_half_life_images, max(self.images, 1) * 0.2)
        decay = 0.5 ** (self.config.batch_size / max(half_life, 1e-8))
        for average, current in zip(self.averaged[player.name].parameters(), player.module.parameters(), strict=True):
            average.lerp_(current, 1.0 - decay)
        for average, current in zip(self.averaged[player.name].buffers(), player.module.buffers(), strict=True):
            average.copy_(current)

    def _log(self, losses: dict[str, Tensor], prefix: str) -> None:
        for name, value in losses.items():
            key, number = prefix + name, float(value.detach())
            self.smoothed[key] = number + 0.98 * (self.smoothed.get(key, number) - number)
            if self.step % self.config.log_steps == 0:
                self.writer.add_scalar(key, number, self.images)
        if not prefix:
            self.history.append((self.images, self.smoothed["loss"]))

    def _crossed(self, every: int) -> bool:
        return self.images // every != (self.images - self.config.batch_size) // every

    def _early_stop(self) -> str | None:
        if self.config.loss_threshold and self.images > self.config.warmup_images and self.smoothed["loss"] < self.config.loss_threshold:
            return "threshold"
        patience = self.config.patience_images
        if not patience or self.images < 2 * patience:
            return None
        before = min(loss for images, loss in self.history if images <= self.images - patience)
        recent = min(loss for images, loss in self.history if images > self.images - patience)
        return "converged" if recent > before * (1.0 - self.config.min_improvement) else None

    @torch.no_grad()
    def _sample(self) -> None:
        grid = self.stage.samples(self.averaged)
        if grid is not None:
            path = self.samples_folder / f"{self.images:08d}.png"
            save_image(grid.float().clamp(-1, 1) * 0.5 + 0.5, path, nrow=8)

    def save(self) -> None:
        state = {
            "step": self.step,
            "smoothed": self.smoothed,
            "history": self.history,
            "modules": {p.name: p.module.state_dict() for p in self.stage.players},
            "averaged": {name: module.state_dict() for name, module in self.averaged.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
        }
        scratch = self.state_path.with_suffix(".writing")
        torch.save(state, scratch)
        scratch.replace(self.state_path)

    def resume(self) -> None:
        if not self.state_path.is_file():
            return
        try:
            state = torch.load(self.state_path, map_location=self.config.device, weights_only=True)
            for player in self.stage.players:
                player.module.load_state_dict(state["modules"][player.name])
                self.averaged[player.name].load_state_dict(state["averaged"][player.name])
                self.optimizers[player.name].load_state_dict(state["optimizers"][player.name])
            self.step, self.smoothed, self.history = state["step"], state["smoothed"], state["history"]
        except Exception as error:
            raise UserError(f"cannot resume from {str(self.state_path)!r} ({error}); delete it to start this stage anew") from None
