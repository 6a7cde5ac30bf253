"""The face editor on an untrained tiny checkpoint: what it changes, what it leaves, and what it refuses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from textedit_core import open_networks
from textedit_core.alignment import crop_face
from textedit_core.checkpoints.networks import CheckpointNetworks
from textedit_core.checkpoints.store import Checkpoint, open_checkpoint, write_index, write_part
from textedit_core.config import tiny
from textedit_core.decoder import build_decoder
from textedit_core.edit_photos import edit_photo
from textedit_core.editor import PromptEditor
from textedit_core.encoder import Encoder
from textedit_core.errors import UsageError, UserError
from textedit_core.face_editor import EditSession, FaceEditor
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
    return FaceEditor(CheckpointNetworks(checkpoint))


@pytest.fixture
def session(editor: FaceEditor) -> EditSession:
    return editor.photo(_photo(), LANDMARKS)


def _photo(width: int = 120, height: int = 100) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def _difference(a: Image.Image, b: Image.Image) -> int:
    return int(np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int)).max())


def test_edit_returns_the_whole_photo_and_touches_only_the_face(session: EditSession) -> None:
    edited, photo = session.edit({"smile": 1.0}), _photo()
    assert edited.size == photo.size and _difference(edited, photo) > 0
    # The crop is 0.98 * 2 * 2 * 16 = 63 px wide around (50, 45): columns from 82 on lie outside.
    assert _difference(edited.crop((82, 0, 120, 100)), photo.crop((82, 0, 120, 100))) == 0
    assert _difference(session.photo, photo) == 0


def test_strength_scales_from_the_reconstruction(session: EditSession) -> None:
    assert _difference(session.edit_crop({"smile": 0.0}), session.reconstruct_crop()) == 0
    assert _difference(session.edit_crop({}), session.reconstruct_crop()) == 0
    assert _difference(session.edit_crop({"smile": 1.0}), session.reconstruct_crop()) > 0


def test_the_default_strength_is_the_prompts(session: EditSession) -> None:
    assert _difference(session.edit_crop({"child": None}), session.edit_crop({"child": 0.5})) == 0


def test_crop_edit_is_decoder_of_encoder_plus_change(session: EditSession, checkpoint: Checkpoint) -> None:
    pixels = checkpoint.config.pixel
    crop, _ = crop_face(_photo(), LANDMARKS, pixels.size)
    w_plus = checkpoint.load_encoder()(pixels.to_tensor(crop))
    expected = checkpoint.load_decoder()(w_plus + 0.7 * checkpoint.load_editor("smile")(w_plus))
    assert _difference(session.edit_crop({"smile": 0.7}), pixels.to_image(expected)) == 0


def test_several_prompts_add_up(session: EditSession, checkpoint: Checkpoint) -> None:
    pixels = checkpoint.config.pixel
    w_plus = checkpoint.load_encoder()(pixels.to_tensor(session.crop))
    deltas = {name: checkpoint.load_editor(name)(w_plus) for name in ("smile", "child")}
    # None is the child's own 0.5; each change is that of the unedited face.
    expected = checkpoint.load_decoder()(w_plus + 0.7 * deltas["smile"] + 0.5 * deltas["child"])
    assert _difference(session.edit_crop({"smile": 0.7, "child": None}), pixels.to_image(expected)) == 0


def test_photos_are_edited_side_by_side(editor: FaceEditor) -> None:
    first = editor.photo(_photo(), LANDMARKS)
    before = first.edit({"smile": 1.0})
    second = editor.photo(_photo(100, 120).transpose(Image.Transpose.ROTATE_90))
    assert _difference(second.edit({"smile": 1.0}), before) > 0
    assert _difference(first.edit({"smile": 1.0}), before) == 0


def test_networks_run_once_per_photo_and_prompt(checkpoint: Checkpoint) -> None:
    networks, calls = CheckpointNetworks(checkpoint), []
    run = {name: getattr(networks, name) for name in ("encode", "delta", "decode")}
    for name in run:
        setattr(networks, name, lambda *given, name=name: calls.append(name) or run[name](*given))
    session = FaceEditor(networks).photo(_photo(), LANDMARKS)
    for strength in (0.2, 0.4, 0.6):
        session.edit({"smile": strength})
    assert calls == ["encode", "delta", "decode", "decode", "decode"]


def test_keeping_detail_at_strength_zero_is_the_photo(session: EditSession) -> None:
    assert _difference(session.edit({"smile": 0.0}, keep_detail=True), _photo()) == 0


@pytest.mark.parametrize("strength", [-0.1, 1.6, float("nan")])
def test_strength_out_of_range_is_refused(session: EditSession, strength: float) -> None:
    with pytest.raises(UsageError, match="prompt 'smile' takes 0 to 1.5"):
        session.edit({"child": None, "smile": strength})


def test_unknown_prompt_lists_the_known_ones(session: EditSession) -> None:
    with pytest.raises(UsageError, match="unknown prompt 'smlie'; this checkpoint has: child, smile"):
        session.edit({"smlie": 1.0})


def test_a_checkpoint_is_opened_by_its_path(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with FaceEditor.open(checkpoint.directory) as editor:
        assert editor.networks.checkpoint_id == checkpoint.checkpoint_id
        assert {name: (prompt.text, prompt.strength_default) for name, prompt in editor.networks.prompts.items()} == {
            "smile": ("a girl with smile face", 1.0),
            "child": ("a female child", 0.5),
        }
    assert FaceEditor.open().networks.checkpoint_id == open_checkpoint().checkpoint_id
    with pytest.raises(UserError, match="'.*nothing' does not exist; give a checkpoint folder or a bundle"):
        FaceEditor.open(tmp_path / "nothing")
    with pytest.raises(UserError, match="is not a bundle"):
        FaceEditor.open(tmp_path)


def test_a_bundle_is_opened_by_whoever_announces_itself(monkeypatch: pytest.MonkeyPatch, checkpoint: Checkpoint, tmp_path: Path) -> None:
    closed: list[Path] = []

    @contextlib.contextmanager
    def reader(path: Path) -> Iterator[CheckpointNetworks]:
        yield CheckpointNetworks(checkpoint)
        closed.append(path)

    known = {("textedit.networks", "bundle"): [SimpleNamespace(load=lambda: reader)]}
    monkeypatch.setattr(open_networks, "entry_points", lambda group, name: known.get((group, name), []))
    editor = FaceEditor.open(tmp_path)
    assert editor.photo(_photo()).edit({"smile": None}).size == (120, 100) and closed == []
    editor.close()
    assert closed == [tmp_path]
    known.clear()
    with pytest.raises(UserError, match="no installed package runs bundles"):
        FaceEditor.open(tmp_path)


@pytest.mark.parametrize(
    ("mode", "written"), [("RGB", "RGB"), ("L", "L"), ("RGBA", "RGBA"), ("CMYK", "RGB"), ("P", "RGB"), ("1", "L")]
)
def test_any_photo_mode_can_be_edited(tmp_path: Path, checkpoint: Checkpoint, mode: str, written: str) -> None:
    source, out = tmp_path / "photo.tiff", tmp_path / "edited.png"
    _photo().convert(mode).save(source)
    edit_photo(source, {"smile": None}, out, checkpoint=checkpoint.directory, landmarks=LANDMARKS)
    with Image.open(out) as edited:
        assert edited.mode == written and edited.size == (120, 100)


def test_sideways_photos_are_edited_upright(tmp_path: Path, checkpoint: Checkpoint) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # EXIF orientation: rotate by 90 degrees to view
    _photo(100, 120).save(tmp_path / "photo.jpg", exif=exif)
    edit_photo(tmp_path / "photo.jpg", {"smile": 1.0}, tmp_path / "edited.png", checkpoint=checkpoint.directory)
    with Image.open(tmp_path / "edited.png") as edited:
        assert edited.size == (120, 100)


def test_nothing_is_written_when_something_is_wrong(tmp_path: Path, checkpoint: Checkpoint) -> None:
    _photo().save(tmp_path / "photo.png")
    out, folder = tmp_path / "edited.png", checkpoint.directory
    with pytest.raises(UsageError):
        edit_photo(tmp_path / "photo.png", {"smlie": 1.0}, out, checkpoint=folder)
    with pytest.raises(UserError, match="lies outside the photo"):
        edit_photo(tmp_path / "photo.png", {"smile": 1.0}, out, checkpoint=folder, landmarks=LANDMARKS + 100)
    with pytest.raises(UserError, match="does not exist"):
        edit_photo(tmp_path / "none.png", {"smile": 1.0}, out, checkpoint=folder)
    with pytest.raises(UsageError, match="exclude each other"):
        edit_photo(tmp_path / "photo.png", {"smile": 1.0}, out, checkpoint=folder, bundle=folder)
    with pytest.raises(UserError, match="is not a bundle"):
        edit_photo(tmp_path / "photo.png", {"smile": 1.0}, out, bundle=folder)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]
