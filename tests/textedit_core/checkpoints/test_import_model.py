"""Foreign files become an ordinary checkpoint, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.textedit_core.checkpoints.importers.foreign_stylegan2 import (
    W_DIM,
    map_z,
    nvidia_state,
    render,
    rosinality_state,
    write_nvidia,
    write_rosinality,
)
from textedit_core.__main__ import main
from textedit_core.alignment import FFHQ_CROP, REFERENCE_CROP
from textedit_core.checkpoints.import_model import REPORT_NAME, ImportRequest, import_checkpoint, inspect_file
from textedit_core.checkpoints.store import Checkpoint, open_checkpoint
from textedit_core.errors import UsageError, UserError
from textedit_core.file_lock import sole_writer


def test_a_generator_becomes_a_checkpoint_of_the_same_numbers(tmp_path: Path) -> None:
    state = rosinality_state()
    words: list[str] = []
    request = ImportRequest(tmp_path / "out", decoder=write_rosinality(tmp_path / "a.pt", state), name="mine")
    checkpoint = import_checkpoint(request, words.append)
    w_plus = torch.randn(2, 8, W_DIM, generator=torch.manual_seed(1))
    z = torch.randn(2, W_DIM, generator=torch.manual_seed(2))
    torch.testing.assert_close(checkpoint.load_decoder()(w_plus), render(state, w_plus), atol=1e-4, rtol=0)
    torch.testing.assert_close(checkpoint.load_mapping()(z), map_z(state, z), atol=1e-5, rtol=0)
    assert torch.equal(load_file(str(checkpoint.verified("latent_average.safetensors")))["w_avg"], torch.arange(W_DIM) / 10)
    assert (checkpoint.config.encoder.num_ws, checkpoint.config.editor.w_dim, checkpoint.config.name) == (8, W_DIM, "mine")
    assert "stylegan2-rosinality" in words[0]
    assert checkpoint.config.crop == FFHQ_CROP


def test_the_report_and_the_origin_lie_in_the_checkpoint(tmp_path: Path) -> None:
    path = write_rosinality(tmp_path / "a.pt", rosinality_state(), args={"size": 32})
    checkpoint = import_checkpoint(ImportRequest(tmp_path / "out", decoder=path))
    report = json.loads((tmp_path / "out" / REPORT_NAME).read_text())
    assert "g_ema.input.input" in report["decoder"]["used"] and report["decoder"]["ignored"] == {"args": "the training's settings"}
    assert checkpoint.provenance["imported"]["decoder"]["file"] == "a.pt"
    assert open_checkpoint(tmp_path / "out").checkpoint_id == checkpoint.checkpoint_id


def test_editors_and_latents_join_a_checkpoint(tmp_path: Path) -> None:
    base = import_checkpoint(ImportRequest(tmp_path / "base", decoder=write_nvidia(tmp_path / "a.pkl", nvidia_state(rosinality_state()))))
    direction, latents = torch.randn(8, W_DIM), torch.randn(5, 8, W_DIM)
    np.save(tmp_path / "smile.npy", direction.numpy())
    torch.save(list(latents), tmp_path / "latents.pt")
    request = ImportRequest(
        tmp_path / "out", editors={"smile": tmp_path / "smile.npy"}, latents=tmp_path / "latents.pt", base=tmp_path / "base"
    )
    checkpoint = import_checkpoint(request)
    assert list(checkpoint.prompts) == ["smile"]
    torch.testing.assert_close(checkpoint.load_editor("smile")(latents), direction.expand(5, -1, -1))
    assert torch.equal(checkpoint.load_latents(), latents)
    assert checkpoint.files["decoder.safetensors"] == base.files["decoder.safetensors"]


def test_an_editor_alone_leaves_the_crop_of_its_base(tmp_path: Path, tiny_checkpoint: Checkpoint) -> None:
    np.save(tmp_path / "smile.npy", np.zeros((1, 16), np.float32))
    request = ImportRequest(tmp_path / "out", editors={"smile": tmp_path / "smile.npy"}, base=tiny_checkpoint.directory)
    assert import_checkpoint(request).config.crop == REFERENCE_CROP


def test_faces_of_a_folder_are_split(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    for k in range(5):
        Image.new("RGB", (40, 40), (40 * k, 0, 0)).save(tmp_path / "faces" / f"{k}.png")
    path = write_rosinality(tmp_path / "a.pt", rosinality_state())
    checkpoint = import_checkpoint(ImportRequest(tmp_path / "out", decoder=path, faces=tmp_path / "faces"))
    assert [len(checkpoint.faces(split)) for split in ("calibration", "heldout")] == [3, 2]


def test_parts_of_different_models_are_refused(tmp_path: Path) -> None:
    path = write_rosinality(tmp_path / "a.pt", rosinality_state())
    torch.save(torch.randn(3, 18, W_DIM), tmp_path / "latents.pt")
    with pytest.raises(UserError, match="latents has 18 levels of 16 numbers, the decoder 8 of 16"):
        import_checkpoint(ImportRequest(tmp_path / "out", decoder=path, latents=tmp_path / "latents.pt"))
    assert {entry.name for entry in tmp_path.iterdir()} == {"a.pt", "latents.pt"}


def test_nothing_is_left_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise UserError("disk full")

    monkeypatch.setattr("textedit_core.checkpoints.import_model.write_index", fail)
    path = write_rosinality(tmp_path / "a.pt", rosinality_state())
    with pytest.raises(UserError, match="disk full"):
        import_checkpoint(ImportRequest(tmp_path / "out", decoder=path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pt"]


def test_requests_that_make_no_checkpoint(tmp_path: Path) -> None:
    path = write_rosinality(tmp_path / "a.pt", rosinality_state())
    with pytest.raises(UsageError, match="nothing to import"):
        import_checkpoint(ImportRequest(tmp_path / "out"))
    with pytest.raises(UsageError, match="'../x' cannot be a prompt's id; .* such as 'x'"):
        import_checkpoint(ImportRequest(tmp_path / "out", decoder=path, editors={"../x": path}))
    with pytest.raises(UserError, match=r"is of kind decoder \(stylegan2-rosinality\), not encoder; give it as --decoder"):
        import_checkpoint(ImportRequest(tmp_path / "out", encoder=path))
    torch.save(torch.randn(3, 8, W_DIM), tmp_path / "latents.pt")
    with pytest.raises(UsageError, match="there is no decoder"):
        import_checkpoint(ImportRequest(tmp_path / "out", latents=tmp_path / "latents.pt"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "something").touch()
    with pytest.raises(UserError, match="exists already"):
        import_checkpoint(ImportRequest(tmp_path / "out", decoder=path))


@pytest.mark.parametrize("prompt_id", ["Laugh", "a.b", "-x", "a" * 65])
def test_an_id_that_no_bundle_takes_is_refused_at_the_door(prompt_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", f"--editor={prompt_id}=no-such-file.npy", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith(f"error: {prompt_id!r} cannot be a prompt's id; use 1 to 64 of a-z")
    assert list(tmp_path.iterdir()) == []


def test_a_model_name_with_a_slash_is_refused_at_the_door(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "--decoder", "no-such-file.pt", "--name", "my/model", "--out", str(tmp_path / "out")]) == 2
    assert "'my/model' cannot be a model's name; " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_two_imports_into_one_folder_do_not_mix(tmp_path: Path) -> None:
    path = write_rosinality(tmp_path / "a.pt", rosinality_state())
    with sole_writer(tmp_path / "out"), pytest.raises(UserError, match="out' is being written by process"):
        import_checkpoint(ImportRequest(tmp_path / "out", decoder=path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pt"]


def test_inspection_of_an_unknown_file_lists_what_it_holds(tmp_path: Path) -> None:
    torch.save({"weights.a": torch.zeros(2)}, tmp_path / "a.pt")
    assert inspect_file(tmp_path / "a.pt") == "a.pt: a torch file with 1 keys: weights.a; of no known format"


@pytest.mark.parametrize(
    "content",
    [torch.randn(4, 18, 512), list(torch.randn(4, 1, 18, 512)), {f"{k}.jpg": torch.randn(18, 512) for k in range(4)}],
)
def test_collections_of_latents(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "latents.pt")
    assert "4 latents of 18 levels and 512 numbers each" in inspect_file(tmp_path / "latents.pt")
