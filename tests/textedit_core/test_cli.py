"""python -m textedit_core: what each command leaves behind, one-line errors and their exit statuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from textedit_core.__main__ import COMMANDS, main
from textedit_core.checkpoints.store import Checkpoint, open_checkpoint


def _error_of(capsys: pytest.CaptureFixture[str], arguments: list[object]) -> tuple[int, str]:
    status = main([str(argument) for argument in arguments])
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return status, error


def test_help_needs_no_heavy_import() -> None:
    script = "import sys, textedit_core.__main__ as m; m._parser(); print(sorted({'torch', 'timm', 'numpy', 'PIL'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert "usage: python -m textedit_core " + command in capsys.readouterr().out


def test_no_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 2


def test_train_and_edit_from_the_command_line(noise_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = ["--preset", "tiny", "--data", str(noise_dataset), "--out", str(tmp_path), "--images", "8", "--batch-size", "4"]
    for stage in ("clip", "identity", "decoder", "encoder"):
        assert main(["train", stage, *train]) == 0
    assert main(["train", "editor", *train, "--prompt", "smile"]) == 0
    assert main(["train", "editor", *train, "--name", "old", "--text", "a female adult", "--neutral-text", "a female child"]) == 0
    checkpoint = open_checkpoint(tmp_path / "checkpoint")
    assert checkpoint.prompts["smile"].text == "a girl with smile face"
    assert (checkpoint.prompts["old"].text, checkpoint.prompts["old"].names) == ("a female adult", {"en": "Old"})
    assert capsys.readouterr().out.splitlines()[-1] == checkpoint.checkpoint_id

    photo, edited = tmp_path / "photo.png", tmp_path / "edited.png"
    Image.new("RGB", (70, 50), (90, 60, 50)).save(photo)
    assert main(["edit", str(photo), "--prompt", "old", "--out", str(edited), "--checkpoint", str(checkpoint.directory)]) == 0
    assert Image.open(edited).size == (70, 50)
    assert capsys.readouterr().out == f"wrote {edited}: old, strength 1\n"


def test_misspelt_names_exit_with_2(
    tiny_checkpoint: Checkpoint, noise_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["--data", noise_dataset, "--out", tmp_path / "run", "--images", 8]
    assert _error_of(capsys, ["train", "editr", *train]) == (
        2,
        "error: unknown stage 'editr'; "
        "the stages are: all, autoencoder, clip, compositor, decoder, editor, editors, encoder, identity, joint, text-editor\n",
    )
    status, error = _error_of(capsys, ["train", "clip", *train, "--preset", "big"])
    assert status == 2 and "unknown preset 'big'" in error
    status, error = _error_of(capsys, ["train", "editor", *train, "--preset", "tiny"])
    assert status == 2 and "--name" in error
    status, error = _error_of(capsys, ["train", "editor", *train, "--preset", "tiny", "--prompt", "old"])
    assert status == 2 and "'old' has no text; give it with --text" in error
    status, error = _error_of(capsys, ["train", "clip", *train, "--preset", "tiny", "--conditioned"])
    assert status == 2 and "train clip has no '--conditioned'; it belongs to: editor" in error
    Image.new("RGB", (40, 40)).save(tmp_path / "photo.png")
    edit = ["edit", tmp_path / "photo.png", "--out", tmp_path / "out.png", "--checkpoint", tiny_checkpoint.directory]
    assert _error_of(capsys, [*edit, "--prompt", "smlie"]) == (2, "error: unknown prompt 'smlie'; this checkpoint has: child, smile\n")
    assert not (tmp_path / "out.png").exists()


def test_checkpoint_and_bundle_exclude_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["edit", "photo.png", "--prompt", "smile", "--out", str(tmp_path / "out.png"), "--checkpoint", "a", "--bundle", "b"])
    assert stopped.value.code == 2 and "--bundle: not allowed with argument --checkpoint" in capsys.readouterr().err


def test_misspelt_losses_exit_with_2(noise_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["--preset", "tiny", "--data", noise_dataset, "--out", tmp_path, "--images", 8, "--batch-size", 4]
    for stage in ("clip", "identity", "decoder", "encoder"):
        assert main([str(argument) for argument in ["train", stage, *run]]) == 0
    capsys.readouterr()
    for flag, value in (("--text-match", "sine"), ("--latent-norm", "l3"), ("--identity-form", "angle")):
        status, error = _error_of(capsys, ["train", "editor", *run, "--prompt", "smile", flag, value])
        assert status == 2 and f"'{value}'" in error


def test_missing_inputs_exit_with_1(tiny_checkpoint: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit = ["edit", tmp_path / "gone.png", "--prompt", "smile", "--out", tmp_path / "out.png"]
    status, error = _error_of(capsys, [*edit, "--checkpoint", tiny_checkpoint.directory])
    assert status == 1 and "gone.png" in error
    status, error = _error_of(capsys, ["evaluate", "--checkpoint", tmp_path / "nowhere"])
    assert status == 1 and "is no checkpoint" in error
    status, error = _error_of(capsys, ["evaluate", "--checkpoint", tiny_checkpoint.directory, "--counterfactuals", tmp_path / "nowhere"])
    assert status == 1 and "nowhere" in error


def test_import_says_what_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _error_of(capsys, ["import"])[0] == 2
    status, error = _error_of(capsys, ["import", "--out", tmp_path / "out", "--editor", "smile"])
    assert status == 2 and "'smile'" in error
    status, error = _error_of(capsys, ["import", "--inspect", tmp_path / "gone.pt"])
    assert status == 1 and "gone.pt" in error
    assert not (tmp_path / "out").exists()


def test_missing_assets_are_a_one_line_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, error = _error_of(capsys, ["render", "--assets", tmp_path / "nowhere", "--count", 1, "--out", tmp_path / "data"])
    assert status == 1 and "nowhere" in error


@pytest.mark.parametrize("landmarks", ["1,2", "1,2 3,4 5,6 7,8 nine,10", ""])
def test_bad_landmarks_are_a_one_line_error(
    tiny_checkpoint: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str], landmarks: str
) -> None:
    Image.new("RGB", (40, 40)).save(tmp_path / "photo.png")
    edit = ["edit", tmp_path / "photo.png", "--prompt", "smile", "--out", tmp_path / "out.png", "--checkpoint", tiny_checkpoint.directory]
    status, error = _error_of(capsys, [*edit, "--landmarks", landmarks])
    assert status in (1, 2) and "landmark" in error


def test_interruption_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(request: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("textedit_core.training.run.train", interrupted)
    status, error = _error_of(capsys, ["train", "clip", "--data", tmp_path, "--out", tmp_path])
    assert status == 130 and "resumes" in error
