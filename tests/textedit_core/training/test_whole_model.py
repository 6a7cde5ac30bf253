"""A whole model in one command: finished stages are skipped, interrupted ones go on, and hours are kept by a rehearsal's measure."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from textedit_core.__main__ import main
from textedit_core.checkpoints.store import open_checkpoint
from textedit_core.errors import UserError
from textedit_core.reference_prompts import REFERENCE_PROMPTS
from textedit_core.training import loop
from textedit_core.training.distributed import SOLO
from textedit_core.training.pace import LoopConfig
from textedit_core.training.reference_recipe import MODEL_RECIPES, Step
from textedit_core.training.rehearsal import Cost, open_plan, share_of_images, shortened
from textedit_core.training.train_settings import key_book
from textedit_core.training.whole_model import WholeModel, WholeModelRequest, step_request, train_steps

# Two steps each, saved after every step.
_PACE: dict[str, Any] = {"images": 16, "batch_size": 8, "warmup_images": 8, "save_seconds": 0.0, "sample_images": 1000}
STEPS = (
    Step("clip", "clip", {"pace": _PACE}),
    Step("identity", "identity", {"pace": _PACE}),
    Step("decoder", "decoder", {"pace": _PACE}),
    Step("encoder", "encoder", {"pace": _PACE}),
    Step("joint", "joint-encoder-decoder", {"pace": _PACE, "joint": {"parts": ("encoder", "decoder")}}),
    Step("editor", "editor-smile", {"pace": _PACE, "editor": {"faces": 8, "views": 1}}, "smile"),
)


def _request(data: Path, out: Path, hours: float = 0.0) -> WholeModelRequest:
    return WholeModelRequest("tiny", data, out, WholeModel(hours=hours, device="cpu"))


class _Steps:
    """Counts the loop's steps, and interrupts it at one of them."""

    def __init__(self, stop_at: int = 0) -> None:
        self.count, self.stop_at, self.factor = 0, stop_at, loop.learning_rate_factor

    def __call__(self, images: int, config: LoopConfig) -> float:
        if self.count + 1 == self.stop_at:
            raise KeyboardInterrupt
        self.count += 1
        return self.factor(images, config)


def _counted(monkeypatch: pytest.MonkeyPatch, stop_at: int = 0) -> _Steps:
    steps = _Steps(stop_at)
    monkeypatch.setattr(loop, "learning_rate_factor", steps)
    return steps


def test_interrupted_model_goes_on_where_it_stopped(noise_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request, plain = _request(noise_dataset, tmp_path), loop.learning_rate_factor
    _counted(monkeypatch, stop_at=6)  # the second step of the third stage
    with pytest.raises(KeyboardInterrupt):
        train_steps(request, STEPS)
    assert set(open_checkpoint(tmp_path / "checkpoint").provenance) == {"clip", "identity"}
    monkeypatch.setattr(loop, "learning_rate_factor", plain)
    rest = _counted(monkeypatch)
    checkpoint = train_steps(request, STEPS)
    assert rest.count == 2 * len(STEPS) - 5
    assert list(checkpoint.provenance) == [step.outcome for step in STEPS]
    assert list(checkpoint.prompts) == ["smile"]
    again = train_steps(request, STEPS)
    assert rest.count == 2 * len(STEPS) - 5 and again.files == checkpoint.files


def test_hours_are_planned_once(noise_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = _request(noise_dataset, tmp_path, hours=1.0)
    large = {**_PACE, "images": 800_000_000}
    requests = {"identity": step_request(request, Step("identity", "identity", {"pace": large}))}
    paces = open_plan(tmp_path, 1.0, requests, (), SOLO)
    # One hour is far too short for them, so that only a share is left, in whole batches.
    assert 8 <= paces["identity"].images < 800_000_000 and paces["identity"].images % 8 == 0
    assert "identity: " in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plan.json"]
    assert open_plan(tmp_path, 1.0, requests, (), SOLO) == paces
    with pytest.raises(UserError, match="plan.json' was made for 1.0 hours of other work; give the same"):
        open_plan(tmp_path, 2.0, requests, (), SOLO)
    (tmp_path / "plan.json").write_text("{", "utf8")
    with pytest.raises(UserError, match="plan.json' cannot be read.*delete it to plan anew"):
        open_plan(tmp_path, 1.0, requests, (), SOLO)


def test_all_stages_are_shortened_by_the_same_share() -> None:
    # Beside the steps 100 + 50 s; the steps 1000 * 0.5 + 100 * 2 = 700 s. Of 500 s, 350 are left for them: a half.
    costs, images = {"a": Cost(100.0, 0.5), "b": Cost(50.0, 2.0)}, {"a": 1000, "b": 100}
    assert share_of_images(costs, images, 500.0) == pytest.approx(0.5)
    assert share_of_images(costs, images, 5000.0) == 1.0
    with pytest.raises(UserError, match="0.04 hours are left, and 0.04 pass beside the steps; give more --hours"):
        share_of_images(costs, images, 150.0)
    pace = LoopConfig(images=1000, batch_size=16, warmup_images=100, ema_half_life_images=200)
    half = dataclasses.replace(pace, images=31 * 16, warmup_images=50, ema_half_life_images=100)
    assert shortened(pace, 0.5) == half and shortened(pace, 1.0) == pace
    assert shortened(pace, 1e-6).images == 16


@pytest.mark.parametrize("name", sorted(MODEL_RECIPES))
def test_recipes_name_what_there_is(name: str) -> None:
    book, outcomes = key_book(), [step.outcome for step in MODEL_RECIPES[name]]
    assert len(set(outcomes)) == len(outcomes)
    for step in MODEL_RECIPES[name]:
        for section, values in step.changes.items():
            for field in values:
                assert book.find(step.stage, f"{section}.{field}", field) == (section, field)
        assert step.outcome.startswith(step.stage)
        assert not step.prompt or (step.prompt in REFERENCE_PROMPTS and step.outcome == f"{step.stage}-{step.prompt}")


def test_reference_recipe_trains_the_shipped_prompts() -> None:
    # The shipped checkpoint records what it was made of; runs that were split by hand carry a suffix there.
    shipped = json.loads((Path(loop.__file__).parents[1] / "reference" / "checkpoint.json").read_text("utf8"))
    steps = {step.outcome for step in MODEL_RECIPES["reference"]}
    assert steps <= set(shipped["provenance"])
    assert {step.prompt for step in MODEL_RECIPES["reference"]} - {""} == {prompt["id"] for prompt in shipped["prompts"]}


def test_faults_of_a_whole_model_are_named(noise_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "all", "--out", str(tmp_path)]) == 2
    assert "a whole model needs faces; give a folder written by render with --data" in capsys.readouterr().err
    assert main(["train", "all", "--out", str(tmp_path), "--data", str(noise_dataset), "--recipe", "referense"]) == 2
    assert "unknown model recipe 'referense'; the recipes are: reference" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
