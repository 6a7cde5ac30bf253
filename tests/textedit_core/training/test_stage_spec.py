"""A stage is what its StageSpec says: one from outside runs as the project's own do, and what it does not say is refused."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from textedit_core.checkpoints.store import write_part
from textedit_core.errors import UsageError, UserError
from textedit_core.training.image_source import ImageSource
from textedit_core.training.loop import Player, Stage
from textedit_core.training.pace import LoopConfig
from textedit_core.training.run import TrainRequest, train
from textedit_core.training.settings import KeyBook
from textedit_core.training.stage_spec import Additions, StageRun, StageSpec
from textedit_core.training.stages import STAGES, stage_named
from textedit_core.training.train_settings import sections_of

PACE = LoopConfig(images=32, batch_size=8, warmup_images=8, sample_images=1000, device="cpu", bfloat16=False)


@dataclass(frozen=True)
class BrightnessTraining:
    """A recipe that no module of the project knows."""

    target: float = 0.25


class BrightnessStage(Stage):
    """Fits one number to the mean brightness of the pictures, times `target`."""

    name = "brightness"

    def __init__(self, recipe: BrightnessTraining, run: StageRun) -> None:
        self.recipe, self.run, self.prepared = recipe, run, 0
        self.network = nn.Linear(1, 1, bias=False)
        self.players = [Player("brightness", self.network, self._losses)]

    def prepare(self) -> None:
        self.prepared += 1
        self.images = ImageSource(self.run.data, self.run.team.device)

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        rows = torch.randint(len(self.run.data), (self.run.batch_size,), generator=generator)
        wanted = self.recipe.target * self.images(rows).mean((1, 2, 3), keepdim=False)[:, None]
        return {"loss": (self.network(torch.ones_like(wanted)) - wanted).square().mean()}

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        write_part(self.run.checkpoint.directory, "brightness", averaged["brightness"])


def _build(run: StageRun) -> BrightnessStage:
    return BrightnessStage(run.recipes["brightness"], run)


def _adds(stage: Any) -> Additions:
    return Additions(provenance={"prepared": stage.prepared, "target": stage.recipe.target})


TOY = StageSpec(
    name="brightness",
    trains="one number",
    pace=PACE,
    build=_build,
    recipes={"brightness": BrightnessTraining()},
    data=("rendered", "photos"),
    adds=_adds,
)


def test_a_stage_from_outside_runs(photo_folder: Path, tmp_path: Path) -> None:
    checkpoint = train(TrainRequest(TOY, "tiny", photo_folder, tmp_path, PACE))
    assert set(checkpoint.files) == {"brightness.safetensors"}
    assert checkpoint.provenance["brightness"] == {"images": 32, "seed": 0, "stopped": "images", "prepared": 1, "target": 0.25}


def test_recipe_of_a_stage_from_outside_is_held_on_resuming(photo_folder: Path, tmp_path: Path) -> None:
    request = TrainRequest(TOY, "tiny", photo_folder, tmp_path, PACE)
    train(request)
    with pytest.raises(UserError, match="brightness.pt' was made with brightness.target 0.25, now it is 0.5"):
        train(dataclasses.replace(request, recipes={"brightness": BrightnessTraining(0.5)}))


def test_keys_of_a_stage_from_outside(tmp_path: Path) -> None:
    book = KeyBook({spec.name: sections_of(spec) for spec in (*STAGES, TOY)})
    changes: dict[str, dict[str, Any]] = {}
    book.change(changes, "brightness", "target", "0.5")
    assert changes == {"brightness": {"target": 0.5}}
    assert TOY.recipes_with(changes) == {"brightness": BrightnessTraining(0.5)}
    with pytest.raises(UsageError, match="train decoder has no 'target'; it belongs to: brightness"):
        book.find("decoder", "target", "target")


def test_recipe_that_a_stage_does_not_read_is_refused(photo_folder: Path, tmp_path: Path) -> None:
    request = TrainRequest(TOY, "tiny", photo_folder, tmp_path, PACE, {"decoder": BrightnessTraining()})
    with pytest.raises(UsageError, match="unknown recipe 'decoder'; the brightness stage reads: brightness"):
        train(request)


def test_stage_of_one_prompt_needs_one(photo_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the editor stage needs a prompt; give --name and --text"):
        train(TrainRequest(stage_named("editor"), "tiny", photo_folder, tmp_path, PACE))


def test_no_two_stages_share_a_name() -> None:
    names = [spec.name for spec in STAGES]
    assert len(set(names)) == len(names)
