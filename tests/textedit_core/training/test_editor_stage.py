"""The editor stage on an untrained tiny model and noise: caching, matching forms, groups, calibration, and what it refuses."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.textedit_core.training.faces_in_memory import FacesInMemory
from textedit_core.checkpoints.store import Checkpoint, load_weights, open_checkpoint
from textedit_core.editor import PromptEditor
from textedit_core.editor.config import prompt_editor_config
from textedit_core.errors import UsageError, UserError
from textedit_core.losses.picture_change import small_picture
from textedit_core.prompts import Prompt
from textedit_core.training.editor_recipe import EditorTraining
from textedit_core.training.editor_stage import EditorStage, require_new_prompt
from textedit_core.training.loop import run
from textedit_core.training.pace import LoopConfig

PACE = LoopConfig(images=32, batch_size=8, learning_rate=1e-2, warmup_images=8, sample_images=16, log_steps=2, device="cpu")
SKETCH = Prompt("drawn", "cartoon sketch", "photo")


def _stage(checkpoint: Checkpoint, faces: Any, prompt: Prompt = SKETCH, **recipe: Any) -> EditorStage:
    torch.manual_seed(0)
    stage = EditorStage(prompt, EditorTraining(**recipe), faces, FacesInMemory(3, seed=1), 8, checkpoint)
    stage.prepare()
    return stage


def _trained(checkpoint: Checkpoint, folder: Path, **recipe: Any) -> tuple[EditorStage, PromptEditor]:
    stage = _stage(checkpoint, FacesInMemory(12), **recipe)
    run(stage, PACE, folder)
    editor = PromptEditor(prompt_editor_config(checkpoint.config.editor, stage.prompt.groups))
    load_weights(editor, checkpoint.directory / "editors" / "drawn.safetensors")
    return stage, editor


def test_second_prompt_reads_no_training_face(tiny_checkpoint: Checkpoint) -> None:
    first = _stage(tiny_checkpoint, FacesInMemory(12))
    faces = FacesInMemory(12)
    second = _stage(tiny_checkpoint, faces, Prompt("child", "a female child", "a female adult"))
    assert faces.reads == 0
    for name in ("latents", "sources", "source_identities", "photo_identities", "pictures", "unit", "precision"):
        assert torch.equal(getattr(first.faces, name), getattr(second.faces, name))
    assert len(list((tiny_checkpoint.directory.parent / "cache").iterdir())) == 1


def test_other_faces_networks_or_views_do_not_find_the_cache(tiny_checkpoint: Checkpoint) -> None:
    folder = tiny_checkpoint.directory.parent / "cache"
    _stage(tiny_checkpoint, FacesInMemory(12))
    _stage(tiny_checkpoint, FacesInMemory(12, seed=5))
    _stage(tiny_checkpoint, FacesInMemory(12), views=2)
    encoder = {**tiny_checkpoint.files, "identity.safetensors": {**tiny_checkpoint.files["identity.safetensors"]}}
    assert len(list(folder.iterdir())) == 3
    changed = dataclasses.replace(tiny_checkpoint, files={**encoder, "clip.safetensors": {"bytes": 1, "sha256": "other"}})
    with pytest.raises(UserError, match="damaged"):
        _stage(changed, FacesInMemory(12))


def test_building_a_stage_encodes_nothing(tiny_checkpoint: Checkpoint) -> None:
    faces = FacesInMemory(12)
    EditorStage(SKETCH, EditorTraining(), faces, FacesInMemory(3, seed=1), 8, tiny_checkpoint)
    assert faces.reads == 0


def test_remembered_pictures_are_those_of_the_unedited_faces(tiny_checkpoint: Checkpoint) -> None:
    stage = _stage(tiny_checkpoint, FacesInMemory(12))
    torch.testing.assert_close(stage.faces.pictures, small_picture(stage.networks.preview(stage.faces.latents)))


def test_damaged_cache_is_made_anew(tiny_checkpoint: Checkpoint) -> None:
    first = _stage(tiny_checkpoint, FacesInMemory(12))
    (path,) = (tiny_checkpoint.directory.parent / "cache").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    faces = FacesInMemory(12)
    assert torch.equal(_stage(tiny_checkpoint, faces).faces.latents, first.faces.latents)
    assert faces.reads > 0


def test_cached_sources_are_what_the_perception_networks_see(tiny_checkpoint: Checkpoint) -> None:
    stage = _stage(tiny_checkpoint, FacesInMemory(12))
    rows = torch.tensor([3, 7])
    preview = stage.networks.preview(stage.faces.latents[rows])
    for view in range(3):
        again = stage.networks.clip.encode_image(stage.faces.seen(preview, rows, view))
        assert torch.allclose(again, stage.faces.sources[view, rows], atol=1e-5)
    # Views other than the first move the picture, so the embeddings differ.
    assert not torch.allclose(stage.faces.sources[0], stage.faces.sources[1], atol=1e-4)


@pytest.mark.parametrize("recipe", [{"text_match": "contrastive"}, {"contrastive": 0.5, "anchor": "text"}, {"text_match": "directional"}])
def test_matching_forms_train(tiny_checkpoint: Checkpoint, tmp_path: Path, recipe: dict[str, Any]) -> None:
    _, editor = _trained(tiny_checkpoint, tmp_path / "run", **recipe)
    assert any(bool(group.leave.weight.any()) for group in editor.groups.values())


def test_wordings_are_averaged(tiny_checkpoint: Checkpoint) -> None:
    faces = FacesInMemory(12)
    one, other, both = (
        _stage(tiny_checkpoint, faces, prompt).pair.text
        for prompt in (
            Prompt("a", "a female child", "photo"),
            Prompt("b", "cartoon sketch", "photo"),
            Prompt("c", "a female child", "photo", wordings=("cartoon sketch",)),
        )
    )
    assert torch.allclose(both, torch.nn.functional.normalize(one + other, dim=0), atol=1e-6)


def test_record_keeps_the_groups_that_moved(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    stage, editor = _trained(tiny_checkpoint, tmp_path / "run", groups=("medium",))
    assert stage.prompt.groups == ("medium",)
    w_plus = torch.randn(1, 6, 16, generator=torch.Generator().manual_seed(0))
    assert bool((editor(w_plus)[:, :4] == 0).all())  # coarse is levels 0 to 3


def test_trained_editor_is_scaled_by_its_calibration(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    plain, before = _trained(tiny_checkpoint, tmp_path / "plain", completion=0.0)
    assert plain.prompt.calibration == 1.0
    scaled, after = _trained(tiny_checkpoint, tmp_path / "scaled")
    w_plus = torch.randn(2, 6, 16, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(after(w_plus), scaled.prompt.calibration * before(w_plus), atol=1e-3)  # files hold fp16


def test_existing_prompt_needs_replace(tiny_checkpoint: Checkpoint) -> None:
    with pytest.raises(UserError, match="has prompt 'smile' already; give --replace"):
        require_new_prompt(tiny_checkpoint, "smile", replace=False)
    require_new_prompt(tiny_checkpoint, "smile", replace=True)
    require_new_prompt(tiny_checkpoint, "new", replace=False)
    for name in ("Old Glasses", "../smile", ""):
        with pytest.raises(UsageError, match="cannot be a prompt's id; use 1 to 64 of a-z"):
            require_new_prompt(tiny_checkpoint, name, replace=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a girl with smiel face", "never saw: smiel .near: smile.; use words of its captions, or .* open-vocabulary CLIP"),
        ("a girl 微", "never saw: 微"),
        (" ", "is empty"),
        ("a girl with smile face a girl with smile face a girl with smile face", "tokens; this model reads 12"),
        ("photo", "reads the same as its neutral text 'photo'"),
    ],
)
def test_texts_that_cannot_be_understood_are_refused(tiny_checkpoint: Checkpoint, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        _stage(tiny_checkpoint, FacesInMemory(12), Prompt("new", text, "photo"))


def test_too_few_faces_and_unknown_groups_are_refused(tiny_checkpoint: Checkpoint) -> None:
    with pytest.raises(UserError, match="7 training faces in 'memory' are too few for an editor; it needs 8"):
        _stage(tiny_checkpoint, FacesInMemory(7))
    with pytest.raises(UsageError, match="unknown level group 'fin'; the groups are: coarse, fine, medium"):
        _stage(tiny_checkpoint, FacesInMemory(12), groups=("fin",))


def test_index_of_an_older_checkpoint_is_still_read(tiny_checkpoint: Checkpoint) -> None:
    # The reference of the first release lists prompts without wordings, groups and calibration.
    path = tiny_checkpoint.directory / "checkpoint.json"
    index = json.loads(path.read_text("utf8"))
    old = ("id", "text", "neutral_text", "names", "strength_default", "strength_min", "strength_max")
    index["prompts"] = [{key: entry[key] for key in old} for entry in index["prompts"]]
    path.write_text(json.dumps(index), "utf8")
    assert open_checkpoint(tiny_checkpoint.directory).prompts == tiny_checkpoint.prompts
