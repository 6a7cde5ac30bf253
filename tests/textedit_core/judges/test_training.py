"""Training on noise: both judges learn something, resume, are released, measured and opened; and nobody trains against a judge."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from textedit_core.errors import UsageError, UserError
from textedit_core.judges import open_judges
from textedit_core.judges.attribute_table import ATTRIBUTES
from textedit_core.judges.config import AugmentationConfig, IdentityJudgeTraining, JudgesConfig
from textedit_core.judges.networks import CosFaceHead
from textedit_core.judges.stages import AttributeJudgeStage, IdentityJudgeStage, person_codes
from textedit_core.judges.training import release_judges, train_judges
from textedit_core.training.loop import run
from textedit_core.training.pace import LoopConfig

PACE = LoopConfig(images=32, batch_size=8, learning_rate=1e-3, warmup_images=8, sample_images=16, log_steps=2)
MILD = AugmentationConfig(0.5, 0, 0, 0, 0, 0, 0, blur_share=0, shrink_share=0, compression_share=0, noise_share=0)


def test_attribute_loss_sees_no_colour_in_sketches(noise_faces: Any, tiny_config: JudgesConfig, tmp_path: Path) -> None:
    for label in noise_faces.labels:
        label["attributes"]["style"] = "sketch"
    stage = AttributeJudgeStage(tiny_config, MILD, noise_faces, 8, tmp_path)
    losses = stage.players[0].losses(torch.Generator().manual_seed(0), 0.0)
    assert losses["hair_color"] == losses["melanin"] == 0.0
    assert losses["smile"] > 0.0 and set(losses) == {"loss", *(a.name for a in ATTRIBUTES)}


def test_attribute_judge_learns_noise_by_heart(noise_faces: Any, tiny_config: JudgesConfig, tmp_path: Path) -> None:
    torch.manual_seed(0)
    stage = AttributeJudgeStage(tiny_config, MILD, noise_faces, 24, tmp_path)
    run(stage, dataclasses.replace(PACE, images=24 * 25, batch_size=24, learning_rate=1e-2), tmp_path)
    after = float(stage.players[0].losses(torch.Generator().manual_seed(0), 0.0)["male"].detach())
    # The loss of guessing a sex is ln 2 = 0.69.
    assert after < 0.5
    assert (tmp_path / "attributes.safetensors").is_file()


def test_samples_are_what_the_judge_sees(noise_faces: Any, tiny_config: JudgesConfig, tmp_path: Path) -> None:
    stage = IdentityJudgeStage(tiny_config, IdentityJudgeTraining(), MILD, noise_faces, 8, tmp_path)
    samples = stage.samples({})
    assert samples is not None and samples.shape == (32, 3, 32, 32) and samples.abs().max() <= 1.0


def test_a_person_is_what_stays_the_same_in_all_views(noise_faces: Any) -> None:
    codes = person_codes(noise_faces)
    # Of four numbers two are the person's, one changes with the view and one is the same for everybody.
    assert codes.shape == (24, 2)
    assert torch.equal(codes[0], codes[3]) and not torch.equal(codes[3], codes[4])
    torch.testing.assert_close(codes.std(dim=0), torch.ones(2))


def test_detail_is_taken_away_little_by_little() -> None:
    recipe = AugmentationConfig(blur_share=0.4, ramp=0.5)
    assert [recipe.at(progress).blur_share for progress in (0.0, 0.25, 0.5, 1.0)] == [0.0, 0.2, 0.4, 0.4]
    assert recipe.at(0.0).mirror_share == recipe.mirror_share


def test_cosface_subtracts_its_margin_from_the_true_cosine() -> None:
    head = CosFaceHead(2, 2, scale=1.0, margin=0.5)
    head.weight.data = torch.eye(2)
    # Cosines 1 and 0; after the margin 0.5 and 0: the loss is ln(1 + exp(-0.5)).
    loss = head.loss(torch.tensor([[3.0, 0.0]]), torch.tensor([0]))
    assert float(loss.detach()) == pytest.approx(0.47408, abs=1e-4)


def test_train_and_release_both(noise_dataset: Path, tiny_config: JudgesConfig, tmp_path: Path) -> None:
    for which in ("attributes", "identity"):
        assert train_judges(noise_dataset, tmp_path / "run", which=which, loop=PACE, config=tiny_config) == "images"  # type: ignore[arg-type]
    judges = release_judges(tmp_path / "run", noise_dataset, tmp_path / "judges")
    assert judges.card["people"] == 2 and judges.card["images"] == 8  # the fixture's test split
    assert judges.provenance["identity"]["recipe"]["identity"] == dataclasses.asdict(IdentityJudgeTraining())
    assert judges.provenance["attributes"]["people"] == 4
    assert open_judges(tmp_path / "judges").card == judges.card
    assert sorted(path.name for path in (tmp_path / "judges").iterdir()) == [
        "attributes.safetensors", "identity.safetensors", "judges.json",
    ]


def test_an_untrained_judge_cannot_be_released(noise_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no attributes judge yet; train it there with: judges train attributes$"):
        release_judges(tmp_path, noise_dataset, tmp_path / "judges")


def test_unknown_judge_is_named(noise_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown judge 'mood'; the judges are: attributes, identity"):
        train_judges(noise_dataset, tmp_path, which="mood")  # type: ignore[arg-type]


@pytest.mark.parametrize("package", ["training", "losses", "decoder", "encoder", "editor", "perception"])
def test_no_trained_part_knows_the_judges(repository: Path, package: str) -> None:
    for path in sorted((repository / "textedit_core" / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            assert not any(name.startswith("textedit_core.judges") for name in names), path
