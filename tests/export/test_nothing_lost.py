"""What may not happen to a bundle: an id that no reader takes, two writers at once, a change that gets lost."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from export.__main__ import main
from export.amend import add_prompt, remove_prompt
from export.bundle import changing, open_bundle, seal, staged
from export.bundle_files import walk_files
from export.update import apply_update
from tests.export.networks import quiet
from tests.export.test_manifest import sample
from textedit_core.checkpoints.store import Checkpoint
from textedit_core.errors import UsageError, UserError
from textedit_core.file_lock import sole_writer

BAD_IDS = ("Laugh", "a.b", "-x", "a" * 65)


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A sealed bundle whose networks are ten bytes each."""
    return _sealed(tmp_path / "demo.textedit")


def _sealed(root: Path) -> Path:
    _fill(root)
    seal(root, sample())
    return root


def _fill(root: Path) -> None:
    for path in ("models/encoder.onnx", "models/editors/smile.onnx", "models/decoder.onnx", "golden/input.png", "golden/w_plus.f32"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(bytes(10))


def _contents(root: Path) -> dict[str, bytes]:
    return {path: (root / path).read_bytes() for path in walk_files(root)}


def _with_id(checkpoint: Checkpoint, prompt_id: str, folder: Path) -> Path:
    """A copy of a checkpoint whose prompt `child` has another id, as an older import may have written it."""
    shutil.copytree(checkpoint.directory, folder)
    (folder / "editors" / "child.safetensors").rename(folder / "editors" / f"{prompt_id}.safetensors")
    path = folder / "checkpoint.json"
    index = path.read_text("utf8").replace('"id": "child"', f'"id": "{prompt_id}"')
    path.write_text(index.replace("editors/child.", f"editors/{prompt_id}."), "utf8")
    return folder


@pytest.mark.parametrize("prompt_id", BAD_IDS)
def test_a_plan_refuses_an_id_that_no_bundle_takes(
    prompt_id: str, checkpoint: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _with_id(checkpoint, prompt_id, tmp_path / "checkpoint")
    flags = ["--target", "onnx", "--checkpoint", str(folder), "--out", str(tmp_path / "out"), "--dry-run"]
    assert main([*flags, "--prompts", "smile"]) == 0
    capsys.readouterr()
    assert main(flags) == 2
    assert f"error: {prompt_id!r} cannot be a prompt's id" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_plan_refuses_a_model_name_that_leaves_its_folder(
    checkpoint: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(checkpoint.directory, tmp_path / "checkpoint"))
    index = json.loads((folder / "checkpoint.json").read_text("utf8"))
    index["config"]["name"] = "my/model"
    (folder / "checkpoint.json").write_text(json.dumps(index), "utf8")
    assert main(["--target", "onnx", "--checkpoint", str(folder), "--out", str(tmp_path / "out"), "--dry-run"]) == 2
    assert "error: 'my/model' cannot be a model's name; " in capsys.readouterr().err


def test_a_good_bundle_survives_the_addition_of_a_bad_id(checkpoint: Checkpoint, onnx_bundle: Path, tmp_path: Path) -> None:
    before = _contents(onnx_bundle)
    folder = _with_id(checkpoint, "Laugh", tmp_path / "checkpoint")
    with pytest.raises(UsageError, match="'Laugh' cannot be a prompt's id; .* such as 'laugh'"):
        add_prompt(onnx_bundle, "Laugh", folder, None, quiet)
    assert _contents(onnx_bundle) == before


@pytest.mark.parametrize("prompt_id", BAD_IDS)
def test_what_no_reader_takes_is_not_sealed_and_replaces_nothing(prompt_id: str, sealed: Path) -> None:
    before = _contents(sealed)
    (prompt,) = sample().prompts
    with pytest.raises(UserError, match="breaks the bundle schema at prompts/0/id"), staged(sealed) as root:
        _fill(root)
        seal(root, replace(sample(), prompts=(replace(prompt, id=prompt_id),)))
    assert _contents(sealed) == before


def test_a_reference_to_nothing_is_not_sealed(sealed: Path) -> None:
    with pytest.raises(UserError, match="points part 'decoder' at models/decoder.onnx, which it does not list"), staged(sealed) as root:
        _fill(root)
        (root / "models/decoder.onnx").unlink()
        seal(root, sample())
    with open_bundle(sealed):
        pass


def test_a_bundle_has_one_writer_at_a_time(checkpoint: Checkpoint, sealed: Path) -> None:
    before = _contents(sealed)
    with sole_writer(sealed):
        for change in (
            lambda: add_prompt(sealed, "child", checkpoint.directory, None, quiet),
            lambda: remove_prompt(sealed, "smile", None),
            lambda: apply_update(sealed, sealed),
            lambda: staged(sealed).__enter__(),
        ):
            with pytest.raises(UserError, match=r"demo\.textedit' is being written by process \d+ on .*; wait until that ends"):
                change()
    assert _contents(sealed) == before
    assert [path.name for path in sealed.parent.iterdir()] == ["demo.textedit"]


def test_of_two_changes_at_once_the_second_is_refused_and_then_sees_the_first(sealed: Path) -> None:
    for language in ("fr", "it"):
        with changing(sealed) as (opened, root):
            with pytest.raises(UserError, match="is being written by"):
                changing(sealed).__enter__()
            _fill(root)
            (prompt,) = opened.manifest.prompts
            seal(root, replace(opened.manifest, prompts=(replace(prompt, names={**prompt.names, language: "sourire"}),)))
    with open_bundle(sealed) as opened:
        assert set(opened.manifest.prompts[0].names) == {"de", "fr", "it"}
