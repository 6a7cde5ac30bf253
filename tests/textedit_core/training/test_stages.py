"""All stages in order on a tiny dataset of noise: every part is written, can be opened, resumed and refused when something is missing."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from textedit_core.checkpoints.store import Checkpoint, open_checkpoint
from textedit_core.errors import UsageError, UserError
from textedit_core.prompts import Prompt
from textedit_core.training import loop
from textedit_core.training.data import FaceDataset
from textedit_core.training.decoder_stage import DecoderTraining
from textedit_core.training.editor_recipe import EditorTraining
from textedit_core.training.joint_stage import JointTraining
from textedit_core.training.pace import LoopConfig
from textedit_core.training.run import TrainRequest, train
from textedit_core.training.stages import stage_named

PACE = LoopConfig(images=48, batch_size=8, learning_rate=1e-3, warmup_images=8, sample_images=16, log_steps=2)
SMILE = Prompt("smile", "a girl with smile face", "a girl with neutral face", {"en": "Smile"})


def _request(stage: str, data: Path, out: Path) -> TrainRequest:
    spec = stage_named(stage)
    recipes = {"decoder": DecoderTraining(adversarial=0.1, preview_share=0.5, adversarial_share=0.4)} if stage == "decoder" else {}
    return TrainRequest(spec, "tiny", data, out, PACE, recipes, SMILE if spec.one_prompt else None)


@pytest.fixture(scope="module")
def run_folder(noise_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that went through every stage, once for the module."""
    out = tmp_path_factory.mktemp("run")
    for stage in ("clip", "identity", "decoder", "encoder", "editor", "joint"):
        train(_request(stage, noise_dataset, out))
    return out


@pytest.fixture
def own_run(run_folder: Path, tmp_path: Path) -> Path:
    """A copy of that run to go on from."""
    return shutil.copytree(run_folder, tmp_path / "run")


def _digest(checkpoint: Path, name: str) -> str:
    return hashlib.sha256((checkpoint / "checkpoint" / f"{name}.safetensors").read_bytes()).hexdigest()


def test_every_stage_leaves_its_part(run_folder: Path) -> None:
    checkpoint = open_checkpoint(run_folder / "checkpoint")
    # The mapping takes the dataset's scene code of 5 numbers, whatever the preset says.
    assert checkpoint.load_mapping()(torch.zeros(1, 5)).shape == (1, 16)
    w_plus = checkpoint.load_encoder()(torch.zeros(2, 3, 32, 32))
    image = checkpoint.load_decoder()(w_plus + checkpoint.load_editor("smile")(w_plus))
    assert image.shape == (2, 3, 32, 32)
    assert torch.isfinite(image).all()
    assert checkpoint.load_clip().encode_image(image).shape == (2, 16)
    assert checkpoint.load_identity().embed(image).shape == (2, 16)
    # What the editor stage found out about the prompt is entered in its record.
    assert list(checkpoint.prompts) == ["smile"]
    assert dataclasses.replace(checkpoint.prompts["smile"], calibration=SMILE.calibration, reached=SMILE.reached) == SMILE


def test_provenance_tells_how_each_stage_ended(run_folder: Path) -> None:
    provenance = open_checkpoint(run_folder / "checkpoint").provenance
    for stage in ("clip", "identity", "decoder", "encoder", "editor-smile", "joint"):
        assert provenance[stage] == {"images": 48, "seed": 0, "stopped": "images"}


def test_sample_grids_are_drawn_for_the_picture_stages(run_folder: Path) -> None:
    for stage in ("decoder", "encoder", "editor-smile", "joint"):
        names = {path.name for path in (run_folder / "samples" / stage).iterdir()}
        assert {"00000016.png", "00000048.png"} <= names


def test_only_the_editor_moves_in_the_editor_stage(own_run: Path, noise_dataset: Path) -> None:
    before = {name: _digest(own_run, name) for name in ("encoder", "decoder", "mapping", "clip", "identity")}
    child = Prompt("child", "a female child", "a female adult", {"en": "Child"})
    checkpoint = train(dataclasses.replace(_request("editor", noise_dataset, own_run), prompt=child))
    assert {name: _digest(own_run, name) for name in before} == before
    assert list(checkpoint.prompts) == ["smile", "child"]
    assert any(bool(p.any()) for p in checkpoint.load_editor("child").parameters())


@pytest.mark.parametrize(
    "recipe",
    [
        EditorTraining(text_match="euclidean", latent_norm="l1", identity_form="euclidean", identity_target="photo"),
        EditorTraining(text_match="one_minus_match", identity_form="one_minus_match", directional=0.0),
        EditorTraining(text_match="cross_entropy", identity_weight=0.0, latent_weight=0.0),
        EditorTraining(text_match="directional"),
    ],
    ids=lambda recipe: recipe.text_match,
)
def test_every_form_of_the_three_losses_trains(own_run: Path, noise_dataset: Path, recipe: EditorTraining) -> None:
    prompt = Prompt("other", "photo", "cartoon sketch")
    request = dataclasses.replace(_request("editor", noise_dataset, own_run), recipes={"editor": recipe}, prompt=prompt)
    editor = train(request).load_editor("other")
    assert any(bool(group.leave.weight.any()) for group in editor.groups.values())


def test_joint_stage_moves_what_it_is_told_to(own_run: Path, noise_dataset: Path) -> None:
    shutil.rmtree(own_run / "state")
    before = {name: _digest(own_run, name) for name in ("encoder", "decoder", "editors/smile")}
    train(dataclasses.replace(_request("joint", noise_dataset, own_run), recipes={"joint": JointTraining(("decoder", "editors"))}))
    after = {name: _digest(own_run, name) for name in before}
    assert {name for name in before if after[name] != before[name]} == {"decoder", "editors/smile"}


def test_joint_stage_refuses_unknown_parts(own_run: Path, noise_dataset: Path) -> None:
    with pytest.raises(UsageError, match="unknown part 'editor'.*decoder, editors, encoder"):
        train(dataclasses.replace(_request("joint", noise_dataset, own_run), recipes={"joint": JointTraining(("encoder", "editor"))}))


@pytest.mark.parametrize("killed_at_step", [1, 5])
def test_killed_decoder_stage_resumes_to_the_same_bytes(
    run_folder: Path, noise_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at_step: int
) -> None:
    for name in ("whole", "halves"):
        shutil.copytree(run_folder / "checkpoint", tmp_path / name / "checkpoint")
    train(_request("decoder", noise_dataset, tmp_path / "whole"))
    request = _request("decoder", noise_dataset, tmp_path / "halves")
    request = dataclasses.replace(request, loop=dataclasses.replace(PACE, save_seconds=0.0))
    _kill_at(monkeypatch, killed_at_step)
    with pytest.raises(KeyboardInterrupt):
        train(request)
    monkeypatch.undo()
    train(request)
    for part in ("decoder", "mapping"):
        expected = load_file(str(tmp_path / "whole" / "checkpoint" / f"{part}.safetensors"))
        resumed = load_file(str(tmp_path / "halves" / "checkpoint" / f"{part}.safetensors"))
        assert all(torch.equal(resumed[key], value) for key, value in expected.items())


def _kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    original = loop.learning_rate_factor

    def interrupted(images: int, config: LoopConfig) -> float:
        if images == step * config.batch_size:
            raise KeyboardInterrupt
        return original(images, config)

    monkeypatch.setattr(loop, "learning_rate_factor", interrupted)


def test_discriminator_cannot_join_during_the_preview(own_run: Path, noise_dataset: Path) -> None:
    recipe = DecoderTraining(adversarial=0.1, preview_share=0.5, adversarial_share=0.6)
    with pytest.raises(UserError, match="adversarial_share 0.6 begins within preview_share 0.5"):
        train(dataclasses.replace(_request("decoder", noise_dataset, own_run), recipes={"decoder": recipe}))


def test_stage_without_the_parts_it_builds_on_says_which(noise_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no clip"):
        train(_request("decoder", noise_dataset, tmp_path))
    with pytest.raises(UserError, match="has no decoder.safetensors; train it"):
        train(_request("encoder", noise_dataset, tmp_path))


def test_unknown_stage_and_preset_are_usage_errors(noise_dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown stage 'polish'; the stages are: autoencoder, clip, compositor, decoder"):
        stage_named("polish")
    with pytest.raises(UsageError, match="unknown preset 'huge'"):
        train(dataclasses.replace(_request("clip", noise_dataset, tmp_path), preset="huge"))
    assert list(tmp_path.iterdir()) == []


def test_missing_dataset_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere.*missing"):
        train(_request("clip", tmp_path / "nowhere", tmp_path / "out"))


def test_switched_off_groups_return_zero_and_unknown_ones_are_refused(own_run: Path, noise_dataset: Path) -> None:
    request = dataclasses.replace(_request("editor", noise_dataset, own_run), prompt=Prompt("round", "a child"))
    checkpoint = train(dataclasses.replace(request, recipes={"editor": EditorTraining(groups=("coarse",))}))
    delta_w = checkpoint.load_editor("round")(torch.randn(1, 6, 16, generator=torch.Generator().manual_seed(0)))
    assert delta_w[:, :4].abs().max() > 0.0 and delta_w[:, 4:].abs().max() == 0.0  # coarse is levels 0 to 3
    with pytest.raises(UsageError, match="'fin'.*coarse, fine, medium"):
        train(dataclasses.replace(request, prompt=Prompt("other", "a child"), recipes={"editor": EditorTraining(groups=("fin",))}))


def test_an_editor_trains_on_faces_of_another_world(tiny_checkpoint: Checkpoint, noise_dataset: Path) -> None:
    # The checkpoint's mapping reads 8 numbers of a scene, the dataset's faces have 5: an editor looks at pictures alone.
    codes = FaceDataset(noise_dataset, "train", 32).scene_codes.shape[1]
    assert codes != tiny_checkpoint.config.mapping.z_dim
    prompt = Prompt("old", "a female adult", "a female child")
    loop = LoopConfig(images=8, batch_size=4, device="cpu")
    request = TrainRequest(stage_named("editor"), "tiny", noise_dataset, tiny_checkpoint.directory.parent, loop, prompt=prompt)
    assert train(request).config == tiny_checkpoint.config
    with pytest.raises(UserError, match="another config"):
        train(dataclasses.replace(request, stage=stage_named("decoder")))
