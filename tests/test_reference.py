"""The embedded reference model: it is there, brings held-out faces back, edits them as the prompts say, and exports to a valid bundle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from export.__main__ import main as export_main
from textedit_core.__main__ import main as core_main
from textedit_core.checkpoints.store import Checkpoint, open_checkpoint
from textedit_core.judges.store import SHIPPED as JUDGES
from textedit_core.latents import apply_edit
from textedit_core.photos import open_photo
from textedit_core.training.prompt_space import prompt_space, split_texts, understood
from textedit_core.training.text_editor_stage import HELDOUT_EVERY

PROMPTS = (
    *("smile", "child", "sketch", "cartoon", "aged", "glasses"),
    *("surprised", "laughing", "angry", "eyes_closed", "grey", "black_hair"),
)
FACES = 16
# What an app and a repository can carry; docs/training.md states them.
SHIPPED_MB, COMPOSITOR_MB, TRAINING_ONLY_MB = 20.0, 2.5, 25.0


@pytest.fixture(scope="module")
def reference() -> Checkpoint:
    """The model that ships inside the package; without it nothing here passes."""
    return open_checkpoint(None)


@pytest.fixture(scope="module")
def photos(reference: Checkpoint) -> Tensor:
    """Held-out faces, float32 [16,3,S,S] in [-1,1]."""
    paths = reference.faces("heldout")[:FACES]
    return torch.cat([reference.config.pixel.to_tensor(open_photo(path).image) for path in paths])


@pytest.fixture(scope="module")
def w_plus(reference: Checkpoint, photos: Tensor) -> Tensor:
    """Their latents [16,L,D]."""
    return reference.load_encoder()(photos)


@pytest.fixture(scope="module")
def reconstruction(reference: Checkpoint, w_plus: Tensor) -> Tensor:
    """What the decoder makes of the latents, clamped to [-1,1]."""
    return reference.load_decoder()(w_plus).clamp(-1, 1)


def test_ships_with_prompts_faces_card_and_metrics(reference: Checkpoint) -> None:
    assert tuple(reference.prompts) == PROMPTS
    assert len(reference.faces("calibration")) >= 16 and len(reference.faces("heldout")) >= FACES
    assert (reference.directory / "MODEL_CARD.md").read_text("utf8").strip()
    metrics = json.loads((reference.directory / "metrics.json").read_text("utf8"))
    assert metrics["checkpoint_id"] == reference.checkpoint_id
    assert set(metrics["prompts"]) == set(reference.prompts)


def test_weights_stay_within_their_budget(reference: Checkpoint) -> None:
    sizes = {name: entry["bytes"] / 1e6 for name, entry in reference.files.items() if name.endswith(".safetensors")}
    shipped = sum(size for name, size in sizes.items() if name.startswith(("encoder", "decoder", "editors/", "text_editor")))
    judges = sum(path.stat().st_size / 1e6 for path in JUDGES.glob("*.safetensors"))
    assert shipped <= SHIPPED_MB and sizes["compositor.safetensors"] <= COMPOSITOR_MB
    assert sizes["clip.safetensors"] + sizes["identity.safetensors"] + judges <= TRAINING_ONLY_MB


def test_reconstruction_is_nearer_than_the_mean_face(photos: Tensor, reconstruction: Tensor) -> None:
    # The mean of these very photos is the best answer that ignores who is in the picture.
    error = (reconstruction - photos).square().mean((1, 2, 3))
    mean_error = (photos.mean(0) - photos).square().mean((1, 2, 3))
    assert (error < mean_error).float().mean() >= 0.9


def test_reconstruction_is_recognised_among_all(reference: Checkpoint, photos: Tensor, reconstruction: Tensor) -> None:
    identity = reference.load_identity()
    similarity = identity.embed(reconstruction) @ identity.embed(photos).T
    found = similarity.argmax(1) == torch.arange(len(photos))
    assert found.float().mean() > 4 / len(photos)  # four times what guessing gives


@pytest.mark.parametrize("prompt", PROMPTS)
def test_edit_moves_most_faces_towards_the_text(reference: Checkpoint, w_plus: Tensor, reconstruction: Tensor, prompt: str) -> None:
    clip, decoder = reference.load_clip(), reference.load_decoder()
    entry = reference.prompt(prompt)
    edited = decoder(apply_edit(w_plus, reference.load_editor(prompt)(w_plus), entry.strength_default)).clamp(-1, 1)
    text = clip.encode_text([entry.text])[0]
    assert ((clip.encode_image(edited) - clip.encode_image(reconstruction)) @ text > 0).float().mean() > 0.5


def test_text_editor_serves_texts_that_it_was_never_shown(reference: Checkpoint, w_plus: Tensor, reconstruction: Tensor) -> None:
    clip, decoder, editor = reference.load_clip(), reference.load_decoder(), reference.load_text_editor()
    _, unseen = split_texts(understood(prompt_space(), clip.tokenizer), HELDOUT_EVERY)
    texts = unseen[:: len(unseen) // FACES][:FACES]
    way = clip.encode_text([each.text for each in texts]) - clip.encode_text([each.neutral_text for each in texts])
    edited = decoder(apply_edit(w_plus, editor(w_plus, normalize(way, dim=-1)), 1.0)).clamp(-1, 1)
    moved = (clip.encode_image(edited) - clip.encode_image(reconstruction)) * way
    assert (moved.sum(-1) > 0).float().mean() > 0.5


def test_edit_command_needs_nothing_but_a_photo(reference: Checkpoint, tmp_path: Path) -> None:
    photo = reference.faces("heldout")[0]
    assert core_main(["edit", str(photo), "--prompt", "smile", "--out", str(tmp_path / "smile.png")]) == 0
    edited = Image.open(tmp_path / "smile.png")
    assert edited.size == Image.open(photo).size
    assert edited.tobytes() != open_photo(photo).image.tobytes()


def test_export_and_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = ["--target", "onnx", "--prompts", "smile", "--out", str(tmp_path), "--parity-faces", "2", "--json"]
    assert export_main(export) == 0
    (bundle,) = json.loads(capsys.readouterr().out)["bundles"]
    assert bundle["prompts"] == ["smile"]
    assert all(part["psnr_db"] >= part["floor_db"] for part in bundle["parts"])
    assert export_main(["verify", bundle["path"]]) == 0
