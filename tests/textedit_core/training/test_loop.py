"""The training loop: pace, averaging, exact resume, early stops and the error of a loss that is not finite."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from textedit_core.errors import UserError
from textedit_core.training.loop import Player, Stage, learning_rate_factor, run
from textedit_core.training.pace import LoopConfig

PACE = LoopConfig(images=80, batch_size=4, learning_rate=1e-2, warmup_images=8, bfloat16=False, sample_images=40, log_steps=5)


class ToyStage(Stage):
    """Fits a line through noise; dropout-free, batch-normed, so that weights, buffers and optimiser state all matter."""

    name = "toy"

    def __init__(self, loss: Callable[[Tensor], Tensor] = lambda error: error.square().mean(), killed_at_step: int | None = None) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        self.loss, self.killed_at_step, self.steps = loss, killed_at_step, 0
        self.finished: dict[str, Tensor] | None = None
        self.progress: list[float] = []
        self.players = [Player("toy", self.network, self._losses)]

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        if self.steps == self.killed_at_step:
            raise KeyboardInterrupt
        self.steps += 1
        self.progress.append(progress)
        x = torch.randn(4, 3, generator=generator)
        return {"loss": self.loss(self.network(x) - x.sum(1, keepdim=True))}

    def samples(self, averaged: dict[str, nn.Module]) -> Tensor | None:
        return torch.zeros(2, 3, 4, 4)

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        self.finished = averaged["toy"].state_dict()


def test_learning_rate_warms_up_and_falls_as_a_cosine() -> None:
    config = LoopConfig(images=1000, batch_size=10, warmup_images=100)
    assert learning_rate_factor(0, config) == pytest.approx(0.1)  # the first batch of 10 of 100
    assert learning_rate_factor(40, config) == pytest.approx(0.5 * 0.5 * (1 + math.cos(0.04 * math.pi)))
    assert learning_rate_factor(500, config) == pytest.approx(0.5)
    assert learning_rate_factor(1000, config) == pytest.approx(0.0)
    assert learning_rate_factor(2000, config) == pytest.approx(0.0)


def test_run_shows_every_image_and_leaves_its_traces(tmp_path: Path) -> None:
    stage = ToyStage()
    assert run(stage, PACE, tmp_path) == "images"
    assert stage.steps == 20  # 80 images in batches of 4
    assert stage.progress == [pytest.approx(step / 20) for step in range(20)]
    assert stage.finished is not None
    assert (tmp_path / "state" / "toy.pt").is_file()
    assert sorted(path.name for path in (tmp_path / "samples" / "toy").iterdir()) == ["00000040.png", "00000080.png"]
    assert list((tmp_path / "tensorboard" / "toy").iterdir())


@pytest.mark.parametrize("matrix_rate", [0.0, 0.1], ids=["adam", "muon"])
def test_training_lowers_the_loss(tmp_path: Path, matrix_rate: float) -> None:
    stage = ToyStage()
    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(1))
    before = (stage.network(x) - x.sum(1, keepdim=True)).square().mean()
    run(stage, dataclasses.replace(PACE, images=1200, learning_rate=3e-2, matrix_rate=matrix_rate), tmp_path)
    assert (stage.network(x) - x.sum(1, keepdim=True)).square().mean() < 0.5 * before


@pytest.mark.parametrize("matrix_rate", [0.0, 0.1], ids=["adam", "muon"])
@pytest.mark.parametrize("killed_at_step", [1, 7, 19])
def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path, killed_at_step: int, matrix_rate: float) -> None:
    whole, killed, resumed = ToyStage(), ToyStage(killed_at_step=killed_at_step), ToyStage()
    pace = dataclasses.replace(PACE, matrix_rate=matrix_rate)
    saving = dataclasses.replace(pace, save_seconds=0.0)
    run(whole, pace, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(killed, saving, tmp_path / "halves")
    run(resumed, saving, tmp_path / "halves")
    assert resumed.steps == whole.steps - killed_at_step
    assert whole.finished is not None and resumed.finished is not None
    for name, value in whole.finished.items():
        assert torch.equal(resumed.finished[name], value), name
    for name, value in whole.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], value), name


def test_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    run(ToyStage(), PACE, tmp_path)
    again = ToyStage()
    run(again, PACE, tmp_path)
    assert again.steps == 0


def test_seed_changes_the_data(tmp_path: Path) -> None:
    finished = []
    for seed in (0, 0, 1):
        stage = ToyStage()
        run(stage, dataclasses.replace(PACE, seed=seed), tmp_path / str(len(finished)))
        assert stage.finished is not None
        finished.append(stage.finished["0.weight"])
    assert torch.equal(finished[0], finished[1])
    assert not torch.equal(finished[0], finished[2])


def test_average_follows_at_half_life_zero_and_lags_otherwise(tmp_path: Path) -> None:
    for half_life, follows in ((0, True), (1000, False)):
        stage = ToyStage()
        run(stage, dataclasses.replace(PACE, ema_half_life_images=half_life), tmp_path / str(half_life))
        assert stage.finished is not None
        assert torch.equal(stage.finished["0.weight"], stage.network[0].weight) is follows
        assert torch.equal(stage.finished["1.running_mean"], stage.network[1].running_mean)


def test_loss_that_stands_still_has_converged(tmp_path: Path) -> None:
    stage = ToyStage(loss=lambda error: 0.0 * error.sum() + 1.0)
    assert run(stage, dataclasses.replace(PACE, patience_images=16), tmp_path) == "converged"
    assert stage.steps == 8  # two patiences of 16 images, the least that can be compared, in batches of 4
    assert stage.finished is not None


def test_falling_loss_has_not_converged(tmp_path: Path) -> None:
    values = iter([0.5**step for step in range(20)])  # far more than the 0.5% per patience that count as progress, even when smoothed
    stage = ToyStage(loss=lambda error: 0.0 * error.sum() + next(values))
    assert run(stage, dataclasses.replace(PACE, patience_images=16), tmp_path) == "images"


def test_low_loss_stops_after_the_warm_up(tmp_path: Path) -> None:
    stage = ToyStage(loss=lambda error: 0.0 * error.sum() + 0.5)
    assert run(stage, dataclasses.replace(PACE, loss_threshold=0.6), tmp_path) == "threshold"
    assert stage.steps == 3  # the first step beyond 8 warm-up images


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_loss_that_is_not_finite_names_stage_and_image(tmp_path: Path, value: float) -> None:
    values = iter([1.0, 1.0, value])
    stage = ToyStage(loss=lambda error: 0.0 * error.sum() + next(values))
    with pytest.raises(UserError, match="stage toy, image 8: the loss of toy is not finite; lower the learning rate"):
        run(stage, PACE, tmp_path)
    assert stage.finished is None


def test_damaged_state_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "toy.pt").write_bytes(b"half a file")
    with pytest.raises(UserError, match=r"cannot resume from .*toy.pt.*delete it to start this stage anew"):
        run(ToyStage(), PACE, tmp_path)


def test_rates_are_those_of_the_parameters_they_name(tmp_path: Path) -> None:
    stage = ToyStage()
    stage.players = [Player("toy", stage.network, stage._losses, rates={"0.": 0.0, "2.": 1.0})]
    before = {name: value.detach().clone() for name, value in stage.network.named_parameters()}
    run(stage, PACE, tmp_path)
    moved = {name for name, value in stage.network.named_parameters() if not torch.equal(value, before[name])}
    assert moved == {"1.weight", "1.bias", "2.weight", "2.bias"}


def test_second_player_has_its_own_pace(tmp_path: Path) -> None:
    stage = ToyStage()
    still, moving = nn.Linear(2, 1), nn.Linear(2, 1)
    before = [network.weight.detach().clone() for network in (still, moving)]

    def losses_of(network: nn.Linear) -> Callable[[torch.Generator, float], dict[str, Tensor]]:
        return lambda generator, progress: {"loss": network(torch.ones(1, 2)).square().sum()}

    stage.players += [Player("still", still, losses_of(still), 0.0), Player("moving", moving, losses_of(moving))]
    run(stage, PACE, tmp_path)
    assert torch.equal(still.weight, before[0])
    assert not torch.equal(moving.weight, before[1])
