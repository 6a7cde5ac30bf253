"""Plain photographs: opened and split, encoder and decoder trained from them alone, and an editor on borrowed perception networks."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from textedit_core.checkpoints.store import Checkpoint, open_checkpoint
from textedit_core.errors import UserError
from textedit_core.prompts import Prompt
from textedit_core.training.autoencoder_stage import STAGE
from textedit_core.training.decoder_stage import DecoderTraining
from textedit_core.training.editor_recipe import EditorTraining
from textedit_core.training.encoder_stage import EncoderTraining
from textedit_core.training.pace import LoopConfig
from textedit_core.training.photos import PhotoFolder
from textedit_core.training.run import TrainRequest, train
from textedit_core.training.stages import stage_named

PACE = LoopConfig(images=32, batch_size=8, learning_rate=1e-3, warmup_images=8, sample_images=16, device="cpu")
ALONE = DecoderTraining(perceptual=0.0, adversarial=0.1, preview_share=0.0, adversarial_share=0.5, augment_target=0.6)


def _request(photos: Path, out: Path, **changes: object) -> TrainRequest:
    recipes = {"decoder": ALONE, "encoder": EncoderTraining(w_norm=0.01, delta=0.01)}
    request = TrainRequest(STAGE, "tiny", photos, out, PACE, recipes)
    return dataclasses.replace(request, **changes)  # type: ignore[arg-type]


def test_photos_are_split_by_name_and_resized(photo_folder: Path) -> None:
    parts = {split: PhotoFolder(photo_folder, split, 32) for split in ("train", "validation", "test")}
    assert len(parts["train"]) >= 16 and all(len(part) >= 1 for part in parts.values())
    images = parts["train"].images([0, 1])
    assert images.shape == (2, 3, 32, 32) and images.abs().max() <= 1.0
    assert len(list(photo_folder.glob("cache-photos-32-*.npy"))) == 1
    assert len({label["sha256"] for label in parts["train"].labels}) == len(parts["train"])


def test_adding_a_photo_moves_no_other(photo_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(photo_folder, tmp_path / "photos", ignore=shutil.ignore_patterns("*.npy"))
    before = {label["sha256"] for label in PhotoFolder(folder, "train", 32).labels}
    Image.new("RGB", (40, 40)).save(folder / "black.png")
    assert before <= {label["sha256"] for label in PhotoFolder(folder, "train", 32).labels}


def test_encoder_and_decoder_come_from_photographs_alone(photo_folder: Path, tmp_path: Path) -> None:
    checkpoint = train(_request(photo_folder, tmp_path))
    assert set(checkpoint.files) == {"encoder.safetensors", "decoder.safetensors"}
    image = checkpoint.load_decoder()(checkpoint.load_encoder()(torch.zeros(1, 3, 32, 32)))
    assert image.shape == (1, 3, 32, 32) and torch.isfinite(image).all()
    assert (tmp_path / "samples" / "autoencoder" / "00000032.png").is_file()


def test_training_brings_the_picture_nearer(photo_folder: Path, tmp_path: Path) -> None:
    photos = PhotoFolder(photo_folder, "train", 32).images(list(range(8)))

    def error(images: int) -> float:
        recipe = DecoderTraining(perceptual=0.0, preview_share=0.0)
        pace = dataclasses.replace(PACE, images=images, learning_rate=5e-3, ema_half_life_images=0, bfloat16=False)
        checkpoint = train(_request(photo_folder, tmp_path / str(images), loop=pace, recipes={"decoder": recipe}))
        with torch.no_grad():
            return float((checkpoint.load_decoder()(checkpoint.load_encoder()(photos)) - photos).square().mean())

    assert error(160) < error(8)


def test_editor_on_photographs_with_perception_networks_from_elsewhere(
    photo_folder: Path, tmp_path: Path, tiny_checkpoint_factory: Callable[[Path], Checkpoint]
) -> None:
    tiny_checkpoint_factory(tmp_path / "checkpoint")
    features = dataclasses.replace(ALONE, perceptual=0.2, identity=0.2, perceptual_share=1.0)
    train(_request(photo_folder, tmp_path, recipes={"decoder": features}))
    prompt = Prompt("older", "a female adult", "a female child")
    recipes = {"editor": EditorTraining(faces=8, views=1)}
    checkpoint = train(_request(photo_folder, tmp_path, stage=stage_named("editor"), prompt=prompt, recipes=recipes))
    assert "older" in checkpoint.prompts


def test_faults_of_a_photo_folder_are_named(photo_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no dataset.json; plain photographs train autoencoder.*the decoder stage needs a rendered set"):
        train(_request(photo_folder, tmp_path / "out", stage=stage_named("decoder"), recipes={}))
    few = tmp_path / "few"
    few.mkdir()
    Image.new("RGB", (40, 40)).save(few / "one.png")
    with pytest.raises(UserError, match="has 1 photographs; training needs at least 8"):
        train(_request(few, tmp_path / "out"))
    for number in range(8):
        Image.new("RGB", (40, 30)).save(few / f"{number}.png")
    with pytest.raises(UserError, match="0.png' is 40x30; training needs aligned, square photographs"):
        train(_request(few, tmp_path / "out"))
    with pytest.raises(UserError, match="has no clip"):
        train(_request(photo_folder, tmp_path / "out", recipes={"decoder": DecoderTraining(preview_share=0.0)}))


def test_resume_with_another_setting_names_it_and_keeps_the_state(photo_folder: Path, tmp_path: Path) -> None:
    train(_request(photo_folder, tmp_path))
    state = tmp_path / "state" / "autoencoder.pt"
    before = state.read_bytes()
    for change, message in (
        ({"loop": dataclasses.replace(PACE, batch_size=4)}, "batch_size 8, now it is 4; give the same value to resume, or delete the file"),
        ({"recipes": {"decoder": dataclasses.replace(ALONE, adversarial=0.2)}}, "decoder.adversarial 0.1, now it is 0.2"),
    ):
        with pytest.raises(UserError, match=f"autoencoder.pt' was made with {message}"):
            train(_request(photo_folder, tmp_path, **change))
    assert state.read_bytes() == before
    assert open_checkpoint(tmp_path / "checkpoint").load_decoder()
    # Where it runs and what it shows on the way may differ.
    train(_request(photo_folder, tmp_path, loop=dataclasses.replace(PACE, device="auto", log_steps=7)))
