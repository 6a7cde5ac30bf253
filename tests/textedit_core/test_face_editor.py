"""The face editor on an untrained tiny checkpoint: what it changes, what it leaves, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from textedit_core.alignment import crop_face
from textedit_core.checkpoints.store import Checkpoint, write_index, write_part
from textedit_core.config import tiny
from textedit_core.decoder import build_decoder
from textedit_core.editor import PromptEditor
from textedit_core.encoder import Encoder
from textedit_core.errors import UsageError, UserError
from textedit_core.face_editor import FaceEditor, edit_photo
from textedit_core.prompts import Prompt

LANDMARKS = np.array([[42.0, 45.0], [58.0, 45.0], [50.0, 53.0], [44.0, 60.0], [56.0, 60.0]])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    torch.manual_seed(0)
    directory, cfg = tmp_path_factory.mktemp("checkpoint"), tiny()
    write_part(directory, "encoder", Encoder(cfg.encoder))
    write_part(directory, "decoder", build_decoder(cfg.decoder))
    for name in ("smile", "child"):
        editor = PromptEditor(cfg.editor)
        for parameter in editor.parameters():  # an untrained editor may be the identity
            torch.nn.init.normal_(parameter, std=0.5)
        write_part(directory, f"editors/{name}", editor)
    prompts = [Prompt("smile", "a girl with smile face"), Prompt("child", "a female child", strength_default=0.5)]
    return write_index(directory, cfg, prompts, {})


@pytest.fixture
def editor(checkpoint: Checkpoint) -> FaceEditor:
    return FaceEditor(checkpoint)


def _photo(width: int = 120, height: int = 100) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def _difference(a: Image.Image, b: Image.Image) -> int:
    return int(np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int)).max())


def test_edit_returns_the_whole_photo_and_touches_only_the_face(editor: FaceEditor) -> None:
    photo = _photo()
    editor.set_photo(photo, LANDMARKS)
    edited = editor.edit("smile", 1.0)
    assert edited.size == photo.size and _difference(edited, photo) > 0
    # The crop is 0.98 * 2 * 2 * 16 = 63 px wide around (50, 45): columns from 82 on lie outside.
    assert _difference(edited.crop((82, 0, 120, 100)), photo.crop((82, 0, 120, 100))) == 0


def test_strength_scales_from_the_reconstruction(editor: FaceEditor) -> None:
    editor.set_photo(_photo(), LANDMARKS)
    assert _difference(editor.edit_crop("smile", 0.0), editor.reconstruct_crop()) == 0
    assert _difference(editor.edit_crop("smile", 1.0), editor.reconstruct_crop()) > 0


def test_the_default_strength_is_the_prompts(editor: FaceEditor) -> None:
    editor.set_photo(_photo(), LANDMARKS)
    assert _difference(editor.edit_crop("child"), editor.edit_crop("child", 0.5)) == 0


def test_crop_edit_is_decoder_of_encoder_plus_change(editor: FaceEditor, checkpoint: Checkpoint) -> None:
    photo, pixels = _photo(), checkpoint.config.pixel
    editor.set_photo(photo, LANDMARKS)
    crop, _ = crop_face(photo, LANDMARKS, pixels.size)
    w_plus = checkpoint.load_encoder()(pixels.to_tensor(crop))
    expected = checkpoint.load_decoder()(w_plus + 0.7 * checkpoint.load_editor("smile")(w_plus))
    assert _difference(editor.edit_crop("smile", 0.7), pixels.to_image(expected)) == 0


def test_a_new_photo_replaces_the_old_one(editor: FaceEditor) -> None:
    first, second = _photo(), _photo(100, 120).transpose(Image.Transpose.ROTATE_90)
    editor.set_photo(first, LANDMARKS)
    before = editor.edit("smile", 1.0)
    editor.set_photo(second)
    editor.edit("smile", 1.0)
    editor.set_photo(first, LANDMARKS)
    assert _difference(editor.edit("smile", 1.0), before) == 0


def test_keeping_detail_at_strength_zero_is_the_photo(editor: FaceEditor) -> None:
    photo = _photo()
    editor.set_photo(photo, LANDMARKS)
    assert _difference(editor.edit("smile", 0.0, keep_detail=True), photo) == 0


@pytest.mark.parametrize("strength", [-0.1, 1.6, float("nan")])
def test_strength_out_of_range_is_refused(editor: FaceEditor, strength: float) -> None:
    editor.set_photo(_photo(), LANDMARKS)
    with pytest.raises(UsageError, match="prompt 'smile' takes 0 to 1.5"):
        editor.edit("smile", strength)


def test_unknown_prompt_lists_the_known_ones(editor: FaceEditor) -> None:
    editor.set_photo(_photo(), LANDMARKS)
    with pytest.raises(UsageError, match="unknown prompt 'smlie'; this checkpoint has: child, smile"):
        editor.edit("smlie", 1.0)


def test_editing_needs_a_photo(editor: FaceEditor) -> None:
    with pytest.raises(ValueError, match="call set_photo first"):
        editor.edit("smile", 1.0)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "CMYK", "P", "1"])
def test_any_photo_mode_can_be_edited(tmp_path: Path, checkpoint: Checkpoint, mode: str) -> None:
    source, out = tmp_path / "photo.tiff", tmp_path / "edited.png"
    _photo().convert(mode).save(source)
    edit_photo(source, "smile", None, out, checkpoint=checkpoint.directory, landmarks=LANDMARKS)
    with Image.open(out) as edited:
        assert edited.mode == "RGB" and edited.size == (120, 100)


def test_sideways_photos_are_edited_upright(tmp_path: Path, checkpoint: Checkpoint) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # EXIF orientation: rotate by 90 degrees to view
    _photo(100, 120).save(tmp_path / "photo.jpg", exif=exif)
    edit_photo(tmp_path / "photo.jpg", "smile", 1.0, tmp_path / "edited.png", checkpoint=checkpoint.directory)
    with Image.open(tmp_path / "edited.png") as edited:
        assert edited.size == (120, 100)


def test_nothing_is_written_when_something_is_wrong(tmp_path: Path, checkpoint: Checkpoint) -> None:
    _photo().save(tmp_path / "photo.png")
    out, folder = tmp_path / "edited.png", checkpoint.directory
    with pytest.raises(UsageError):
        edit_photo(tmp_path / "photo.png", "smlie", 1.0, out, checkpoint=folder)
    with pytest.raises(UserError, match="lies outside the photo"):
        edit_photo(tmp_path / "photo.png", "smile", 1.0, out, checkpoint=folder, landmarks=LANDMARKS + 100)
    with pytest.raises(UserError, match="does not exist"):
        edit_photo(tmp_path / "none.png", "smile", 1.0, out, checkpoint=folder)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]
