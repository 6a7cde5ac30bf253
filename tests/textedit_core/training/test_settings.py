"""Settings by key: what a stage has is set, from a file, flags and key=value; what it has not is refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from textedit_core.__main__ import main
from textedit_core.errors import UsageError, UserError
from textedit_core.training.editor_recipe import EDITOR_RECIPES, EditorTraining
from textedit_core.training.settings import Changed, read_config
from textedit_core.training.train_settings import key_book, stage_request, sweep_request


def _changes(stage: str, *settings: tuple[str, Any]) -> Changed:
    changes: Changed = {}
    for key, value in (("out", "run"), *settings):
        key_book().change(changes, stage, key, value)
    return changes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["decoder", "--text", "x"], "train decoder has no '--text'; it belongs to: editor"),
        (["decoder", "--engine", "ray"], "train decoder has no '--engine'; it belongs to: editors"),
        (["decoder", "--w-norm", "3"], "train decoder has no '--w-norm'; it belongs to: encoder, autoencoder, joint"),
        (["editor", "--workers", "2"], "train editor has no '--workers'; it belongs to: editors"),
        (["editors", "--picture-weight", "2"], "train editors has no '--picture-weight'; it belongs to: editor, text-editor, joint"),
        (["clip", "--hours", "2"], "train clip has no '--hours'; it belongs to: all"),
        (["decoder", "advresarial=1"], "train decoder has no 'advresarial'; did you mean 'adversarial'?"),
        (["decoder", "encoder.pixel=1"], "train decoder has no 'encoder.pixel'; it belongs to: encoder, autoencoder, joint"),
        (["autoencoder", "pixel=1"], "'pixel' can mean several settings of train autoencoder; write decoder.pixel or encoder.pixel"),
        (["editor", "anchor=nose"], "anchor is one of text, source, not 'nose'"),
        (["decoder", "--images", "many"], "--images is like 96000, not 'many'"),
        (["decoder", "bfloat16=3"], "bfloat16 is like True, not '3'"),
        (["decoder", "--out", "run", "images"], "'images' is no setting; settings are written key=value, e.g. images=3000"),
        (["decoder"], "give the run's folder with --out"),
    ],
)
def test_settings_that_a_stage_has_not_are_refused(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *words]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


def test_words_that_are_no_settings_are_refused_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "images=3"])
    assert stopped.value.code == 2 and "unrecognized arguments: images=3" in capsys.readouterr().err


def test_values_are_read_as_the_fields_kind() -> None:
    settings = [("images", "48_000"), ("learning_rate", "1e-3"), ("bfloat16", "false"), ("groups", "coarse, fine"), ("text", "no")]
    request = stage_request("editor", _changes("editor", *settings, ("name", "mine")))
    assert (request.loop.images, request.loop.learning_rate, request.loop.bfloat16) == (48_000, 1e-3, False)
    assert request.recipes["editor"].groups == ("coarse", "fine")
    assert request.prompt is not None and request.prompt.text == "no"  # YAML by itself would read a switch


def test_flags_and_words_are_laid_over_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("images: 100\nseed: 1\ndecoder: {pixel: 0.5, perceptual: 0}\ndecoder.identity: 0.1\n", "utf8")
    assert main(["train", "decoder", "--config", str(config), "--images", "200", "seed=3", "--print-config"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == {
        "pace": {"images": 200, "seed": 3},
        "decoder": {"pixel": 0.5, "perceptual": 0.0, "identity": 0.1},
    }


def test_printed_settings_change_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "joint", "parts=encoder", "--print-config"]) == 0
    (tmp_path / "run.yaml").write_text(capsys.readouterr().out, "utf8")
    assert read_config(tmp_path / "run.yaml") == [("joint.parts", ["encoder"])]


@pytest.mark.parametrize(("text", "message"), [("[", "cannot be read as YAML"), ("- images", "holds no settings; each line is like")])
def test_file_without_settings_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "run.yaml").write_text(text, "utf8")
    with pytest.raises(UserError, match=f"run.yaml' {message}"):
        read_config(tmp_path / "run.yaml")


def test_reference_prompts_bring_their_recipe() -> None:
    request = stage_request("editor", _changes("editor", ("name", "smile"), ("faces", 20)))
    own = EDITOR_RECIPES["smile"]
    assert request.recipes["editor"] == EditorTraining(**{**vars(own), "faces": 20})
    assert own.groups != EditorTraining().groups


def test_what_joint_training_is_told_of_edits_holds_for_every_prompt() -> None:
    joint = stage_request("joint", _changes("joint", ("picture_weight", 9), ("parts", "editors"))).recipes["joint"]
    assert joint.parts == ("editors",) and set(joint.editors) == set(EDITOR_RECIPES)
    assert all(recipe.picture_weight == 9.0 for recipe in joint.editors.values())
    assert joint.editors["smile"].groups == EDITOR_RECIPES["smile"].groups


def test_another_text_makes_another_prompt() -> None:
    known = stage_request("editor", _changes("editor", ("name", "aged"))).prompt
    own = stage_request("editor", _changes("editor", ("name", "aged"), ("text", "a very old man"))).prompt
    assert known is not None and own is not None
    assert known.wordings == ("an old man",) and (own.text, own.wordings, own.neutral_text) == ("a very old man", (), "")


def test_sweep_needs_a_list(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="editors needs --prompts FILE"):
        sweep_request(_changes("editors"))
    (tmp_path / "prompts.yaml").write_text("- {id: smile}", "utf8")
    listed = sweep_request(_changes("editors", ("prompts", str(tmp_path / "prompts.yaml")), ("workers", 2), ("replace", True)))
    assert (listed.workers.workers, listed.base.replace) == (2, True)
    assert [prompt.id for prompt, _ in listed.prompts] == ["smile"]
