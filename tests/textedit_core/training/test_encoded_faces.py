"""Editors from latents without photographs, and encoders that look at smaller photos than the decoder draws."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.textedit_core.training.faces_in_memory import FacesInMemory
from textedit_core.__main__ import main
from textedit_core.checkpoints.import_model import ImportRequest, import_checkpoint
from textedit_core.checkpoints.store import Checkpoint, write_index, write_part
from textedit_core.decoder import build_decoder
from textedit_core.decoder.config import DecoderConfig
from textedit_core.editor import PromptEditor
from textedit_core.encoder import build_encoder
from textedit_core.errors import UsageError, UserError
from textedit_core.perception.resize import resize_square
from textedit_core.photos import open_photo
from textedit_core.prompts import Prompt
from textedit_core.training.autoencoder_stage import AutoencoderStage
from textedit_core.training.decoder_stage import DecoderTraining
from textedit_core.training.editor_recipe import EditorTraining
from textedit_core.training.encoded_faces import encoded, open_latents, sample_faces
from textedit_core.training.encoder_stage import EncoderTraining
from textedit_core.training.joint_stage import JointStage, JointTraining
from textedit_core.training.loop import run
from textedit_core.training.pace import LoopConfig
from textedit_core.training.run import TrainRequest, train
from textedit_core.training.stages import stage_named

PACE = LoopConfig(images=16, batch_size=8, warmup_images=8, sample_images=8, device="cpu")
DRAWN = Prompt("drawn", "cartoon sketch", "photo")
RECIPE = EditorTraining(views=1, completion=0.0)


@pytest.fixture
def with_latents(tiny_checkpoint: Checkpoint, tmp_path: Path) -> Checkpoint:
    """A run's checkpoint into which forty latents were imported."""
    torch.save(torch.randn(40, 6, 16, generator=torch.Generator().manual_seed(0)), tmp_path / "w.pt")
    return import_checkpoint(ImportRequest(tmp_path / "run" / "checkpoint", latents=tmp_path / "w.pt", base=tiny_checkpoint.directory))


def _request(checkpoint: Checkpoint, stage: str = "editor", recipe: EditorTraining = RECIPE) -> TrainRequest:
    spec = stage_named(stage)
    return TrainRequest(spec, "tiny", None, checkpoint.directory.parent, PACE, {"editor": recipe}, DRAWN if spec.one_prompt else None)


def test_latents_are_split_and_none_is_lost(with_latents: Checkpoint) -> None:
    parts = [open_latents(with_latents, split) for split in ("train", "validation")]
    assert [len(part) for part in parts] == [38, 2]  # every twentieth of forty is kept apart
    together = torch.cat([part.w_plus for part in parts])
    assert together.flatten(1).sum(1).sort().values.equal(with_latents.load_latents().flatten(1).sum(1).sort().values)


def test_editor_learns_from_latents_alone(with_latents: Checkpoint) -> None:
    checkpoint = train(_request(with_latents))
    assert "drawn" in checkpoint.prompts
    assert checkpoint.load_editor("drawn")(torch.randn(1, 6, 16)).abs().sum() > 0
    (cache,) = (with_latents.directory.parent / "cache").iterdir()
    stored = load_file(str(cache))
    assert torch.equal(stored["latents"], open_latents(with_latents, "train").w_plus)
    assert "photo_identities" not in stored
    assert (with_latents.directory.parent / "samples" / "editor-drawn" / "00000016.png").is_file()


def test_photo_as_the_target_of_identity_is_refused(with_latents: Checkpoint) -> None:
    recipe = dataclasses.replace(RECIPE, identity_target="photo")
    with pytest.raises(UsageError, match="no photo to compare with: give --identity-target reconstruction, or photos with --data"):
        train(_request(with_latents, recipe=recipe))
    # A term without weight compares nothing.
    train(_request(with_latents, recipe=dataclasses.replace(recipe, identity_weight=0.0)))


def test_stages_that_look_at_pictures_need_data(with_latents: Checkpoint) -> None:
    with pytest.raises(UsageError, match="the joint stage needs faces; give a folder with --data"):
        train(_request(with_latents, "joint"))


def test_checkpoint_without_latents_names_the_ways_out(tiny_checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tiny_checkpoint.directory.parent), "--preset", "tiny", "--name", "drawn", "--text", "cartoon sketch"]
    assert main(["train", "editor", *out, "--neutral-text", "photo"]) == UserError.exit_code
    words = capsys.readouterr().err
    assert "holds no latents to train on; give photographs with --data" in words and "import --latents FILE --base CHECKPOINT" in words


@pytest.fixture
def large_decoder(tiny_checkpoint: Checkpoint) -> Checkpoint:
    """An encoder that looks at 32 px and a decoder that draws 64 px, as imported models have 256 and 1024."""
    before = tiny_checkpoint.config
    config = dataclasses.replace(
        before,
        encoder=dataclasses.replace(before.encoder, num_ws=8),
        decoder=DecoderConfig("mobile", 64, 16, ((4, 16), (8, 16), (16, 8), (32, 8))),
        editor=dataclasses.replace(before.editor, num_ws=8),
    )
    torch.manual_seed(0)
    write_part(tiny_checkpoint.directory, "encoder", build_encoder(config.encoder))
    write_part(tiny_checkpoint.directory, "decoder", build_decoder(config.decoder))
    for name in tiny_checkpoint.prompts:
        write_part(tiny_checkpoint.directory, f"editors/{name}", PromptEditor(config.editor))
    return write_index(tiny_checkpoint.directory, config, list(tiny_checkpoint.prompts.values()), {})


def test_encoder_sees_photos_reduced(large_decoder: Checkpoint) -> None:
    encoder = large_decoder.load_encoder()
    images = FacesInMemory(2, size=64).images([0, 1])
    assert torch.equal(encoded(encoder, images), encoder(resize_square(images, 32)))
    assert torch.equal(encoded(encoder, images[..., ::2, ::2]), encoder(images[..., ::2, ::2]))


def test_grid_has_one_size(large_decoder: Checkpoint) -> None:
    shown = sample_faces(FacesInMemory(3), large_decoder.load_encoder(), torch.device("cpu"), 8)
    decoder = large_decoder.load_decoder()
    assert decoder(shown.w_plus).shape[-1] == 64 and shown.grid(decoder, [shown.w_plus]).shape == (9, 3, 32, 32)


def test_joint_training_compares_at_the_decoders_size(large_decoder: Checkpoint, tmp_path: Path) -> None:
    faces = FacesInMemory(12, size=64), FacesInMemory(2, size=64, seed=1)
    stage = JointStage(JointTraining(), EncoderTraining(), EditorTraining(completion=0.0), *faces, 8, large_decoder)
    seen: list[int] = []
    stage.networks["encoder"].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-1]))
    before = {name: (large_decoder.directory / f"{name}.safetensors").read_bytes() for name in ("encoder", "decoder")}
    run(stage, PACE, tmp_path)
    assert set(seen) == {32} and stage.focus.shape[-1] == 64
    for name, content in before.items():
        assert (large_decoder.directory / f"{name}.safetensors").read_bytes() != content
    # Two faces: photo, reconstruction and two edits each are one row of eight, with frames of 2 px.
    assert open_photo(tmp_path / "samples" / "joint" / "00000016.png").image.size == (8 * 66 + 2, 66 + 2)


def test_autoencoder_reads_smaller_photos_than_it_draws(large_decoder: Checkpoint, tmp_path: Path) -> None:
    recipe = DecoderTraining(perceptual=0.0, adversarial=0.1, preview_share=0.0, adversarial_share=0.5)
    faces = FacesInMemory(12, size=64), FacesInMemory(2, size=64, seed=1)
    run(AutoencoderStage(large_decoder.config, recipe, EncoderTraining(), *faces, 8, large_decoder), PACE, tmp_path)
    again = write_index(large_decoder.directory, large_decoder.config, list(large_decoder.prompts.values()), {})
    assert again.load_decoder()(again.load_encoder()(torch.zeros(1, 3, 32, 32))).shape == (1, 3, 64, 64)
