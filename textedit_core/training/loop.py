"""The training loop: one for every stage, with bfloat16, clipping, EMA, progress, samples, exact resume and two ways to stop early."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from timm.optim import Muon
from torch import Tensor, nn
from torchvision.utils import save_image

from textedit_core.errors import UserError
from textedit_core.training.distributed import SOLO, Team, share_batch_statistics
from textedit_core.training.journal import Journal
from textedit_core.training.pace import LoopConfig
from textedit_core.training.state_file import load_state, save_state

# Of Adam and Muon; a player may have its own.
BETAS = (0.9, 0.99)
# Gradients are shortened to this norm.
GRADIENT_CLIP = 1.0
# A loss that fell by less than this fraction over the patience has hardly fallen.
MIN_IMPROVEMENT = 0.005


@dataclass(frozen=True)
class Player:
    """One optimised module and its loss; a stage with a discriminator has two.

    `losses(step_generator, progress)` draws its batch from the generator alone, so step k always sees the same data, and returns
    named scalars among which "loss" is minimised; `progress` runs from 0 to 1. A player with `betas` of its own learns by Adam alone.
    `rates` are factors on the learning rate of parameters whose names begin so.
    """

    name: str
    module: nn.Module
    losses: Callable[[torch.Generator, float], dict[str, Tensor]]
    learning_rate_scale: float = 1.0
    betas: tuple[float, float] | None = None
    rates: Mapping[str, float] = field(default_factory=dict)

    def rate_of(self, parameter: str) -> float:
        """The factor on the learning rate of the parameter of this name."""
        return self.learning_rate_scale * next((factor for prefix, factor in self.rates.items() if parameter.startswith(prefix)), 1.0)


class Stage(Protocol):
    """What the loop needs of a stage; stages inherit the two answers that most of them give."""

    name: str
    players: list[Player]

    def prepare(self) -> None:
        """Does the work of minutes that precedes the first step, such as encoding faces; every process of a team calls it."""
        return None

    def samples(self, averaged: dict[str, nn.Module]) -> Tensor | None:
        """A grid of images float [N,3,R,R] in [-1,1] made with the EMA modules, eight a row, or None."""
        return None

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        """Writes the stage's parts of the checkpoint from the EMA modules."""


def run(stage: Stage, config: LoopConfig, folder: Path, team: Team = SOLO, settings: Mapping[str, Any] | None = None) -> str:
    """Trains a stage to its end and returns why it stopped: "images", "converged" or "threshold".

    `folder` receives state/STAGE.pt (resumed from when it exists), samples/STAGE and tensorboard/STAGE. `settings` are flat values that a
    resumed run must share with the one that it goes on from.

    Raises:
        UserError: the state is damaged or was made with other settings, or a loss is not finite; the last saved state stays as it was.
    """
    stage.prepare()
    trainer = _Trainer(stage, config, folder, team, dict(settings or {}))
    trainer.resume()
    reason = trainer.train()
    trainer.save()
    if team.is_main_process:
        stage.finish(trainer.averaged)
    team.barrier()
    return reason


def learning_rate_factor(images: int, config: LoopConfig) -> float:
    """Linear warm-up, then half a cosine down to zero at `config.images`."""
    warm = min(1.0, (images + config.batch_size) / max(config.warmup_images, 1))
    return warm * 0.5 * (1.0 + math.cos(math.pi * min(images / config.images, 1.0)))


class _Trainer:
    def __init__(self, stage: Stage, config: LoopConfig, folder: Path, team: Team, settings: dict[str, Any]) -> None:
        self.stage, self.config, self.team, self.settings = stage, config, team, settings
        self.state_path = folder / "state" / f"{stage.name}.pt"
        self.samples_folder = folder / "samples" / stage.name
        if team.is_main_process:
            for path in (self.state_path.parent, self.samples_folder):
                path.mkdir(parents=True, exist_ok=True)
        for player in stage.players:
            player.module.to(team.device)
        self.optimizers = {p.name: self._optimizer(p) for p in stage.players}
        self.averaged = {p.name: copy.deepcopy(p.module).eval().requires_grad_(False) for p in stage.players}
        for player in stage.players:
            share_batch_statistics(player.module, team)
        # Reading a number off a GPU stops it, so its losses are looked at now and then; on the CPU at every step.
        every = config.log_steps if team.device.type == "cuda" else 1
        self.journal = Journal(stage.name, folder / "tensorboard" / stage.name, config.log_steps, every, team)
        self.step = 0

    def _optimizer(self, player: Player) -> torch.optim.Optimizer:
        config = self.config
        by_factor: dict[float, list[nn.Parameter]] = {}
        for name, parameter in player.module.named_parameters():
            if parameter.requires_grad:
                by_factor.setdefault(player.rate_of(name), []).append(parameter)
        muon = config.matrix_rate > 0.0 and player.betas is None
        rate = config.matrix_rate if muon else config.learning_rate
        groups: list[dict[str, Any]] = [{"params": some, "lr": rate * factor} for factor, some in by_factor.items()]
        if muon:
            return Muon(groups, lr=rate, nesterov=True, fallback_lr_scale=config.learning_rate / rate, betas=BETAS)
        fused = self.team.device.type == "cuda"
        return torch.optim.Adam(groups, lr=rate, betas=player.betas or BETAS, fused=fused or None)

    @property
    def images(self) -> int:
        return self.step * self.config.batch_size

    def train(self) -> str:
        last_save = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), disable=not self.team.is_main_process) as bar:
            task = bar.add_task(self.stage.name, total=self.config.images)
            while self.images < self.config.images:
                self._step()
                bar.update(task, completed=self.images, description=f"{self.stage.name} loss {self.journal.loss:.4f}")
                if self._crossed(self.config.sample_images):
                    self._sample()
                if time.monotonic() - last_save > self.config.save_seconds and self.journal.settled:
                    self.save()
                    last_save = time.monotonic()
                reason = self._early_stop()
                if reason:
                    return reason
        self.journal.settle()
        self._sample()
        return "images"

    def _step(self) -> None:
        progress = self.images / self.config.images
        factor = learning_rate_factor(self.images, self.config)
        for index, player in enumerate(self.stage.players):
            generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + self.step * 7 + index)
            optimizer = self.optimizers[player.name]
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
            player.module.train()
            with torch.autocast(self.team.device.type, torch.bfloat16, enabled=self.config.bfloat16):
                losses = player.losses(generator, progress)
            optimizer.zero_grad(set_to_none=True)
            losses["loss"].backward()
            self.team.average_gradients(player.module)
            norm = nn.utils.clip_grad_norm_(player.module.parameters(), GRADIENT_CLIP)
            # Before the weights move: what is not finite must not reach them where that can still be prevented.
            self.journal.note(self.images, player.name, {**losses, "gradient_norm": norm}, "" if index == 0 else f"{player.name}/")
            optimizer.step()
            self._average(player)
        self.step += 1
        self.journal.end_step(self.step)

    @torch.no_grad()
    def _average(self, player: Player) -> None:
        half_life = min(self.config.ema_half_life_images, max(self.images, 1) * 0.2)
        decay = 0.5 ** (self.config.batch_size / max(half_life, 1e-8))
        average = self.averaged[player.name]
        torch._foreach_lerp_(list(average.parameters()), list(player.module.parameters()), 1.0 - decay)
        for mean, current in zip(average.buffers(), player.module.buffers(), strict=True):
            mean.copy_(current)

    def _crossed(self, every: int) -> bool:
        return self.images // every != (self.images - self.config.batch_size) // every

    def _early_stop(self) -> str | None:
        journal, config = self.journal, self.config
        if not journal.settled:
            return None
        if config.loss_threshold and self.images > config.warmup_images and journal.loss < config.loss_threshold:
            return "threshold"
        patience = config.patience_images
        if not patience or self.images < 2 * patience:
            return None
        before = min(loss for images, loss in journal.history if images <= self.images - patience)
        recent = min(loss for images, loss in journal.history if images > self.images - patience)
        return "converged" if recent > before * (1.0 - MIN_IMPROVEMENT) else None

    @torch.no_grad()
    def _sample(self) -> None:
        grid = self.stage.samples(self.averaged) if self.team.is_main_process else None
        if grid is not None:
            path = self.samples_folder / f"{self.images:08d}.png"
            save_image(grid.float().clamp(-1, 1) * 0.5 + 0.5, path, nrow=8)

    def save(self) -> None:
        """Writes the state; the processes of a team hold the same, so one writes."""
        if not self.team.is_main_process:
            return
        state = {
            "settings": self.settings,
            "step": self.step,
            "smoothed": self.journal.smoothed,
            "history": self.journal.history,
            "modules": {p.name: p.module.state_dict() for p in self.stage.players},
            "averaged": {name: module.state_dict() for name, module in self.averaged.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
        }
        save_state(state, self.state_path)

    def resume(self) -> None:
        """Goes on from the state file, if there is one; every process reads it before any writes it anew."""
        state = load_state(self.state_path, self.settings, self.team.device)
        if state is not None:
            try:
                for player in self.stage.players:
                    player.module.load_state_dict(state["modules"][player.name])
                    self.averaged[player.name].load_state_dict(state["averaged"][player.name])
                    self.optimizers[player.name].load_state_dict(state["optimizers"][player.name])
                self.step, self.journal.smoothed, self.journal.history = state["step"], state["smoothed"], state["history"]
            except Exception as error:
                reason = str(error).splitlines()[0]
                raise UserError(f"cannot resume from {str(self.state_path)!r} ({reason}); delete it to start this stage anew") from None
        self.team.barrier()
