"""What joint fine-tuning owes to the editors: they keep the groups that they have, and strength 1 is found anew."""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from tests.textedit_core.training.faces_in_memory import FacesInMemory
from textedit_core.checkpoints.store import Checkpoint, load_weights, write_index, write_part
from textedit_core.editor import PromptEditor
from textedit_core.editor.config import prompt_editor_config
from textedit_core.prompts import Prompt
from textedit_core.training.editor_recipe import EditorTraining
from textedit_core.training.encoder_stage import EncoderTraining
from textedit_core.training.joint_stage import JointStage, JointTraining
from textedit_core.training.loop import run
from textedit_core.training.pace import LoopConfig

PACE = LoopConfig(images=32, batch_size=8, learning_rate=1e-2, warmup_images=8, sample_images=64, log_steps=2, device="cpu")


def _editor(checkpoint: Checkpoint, prompt: Prompt) -> PromptEditor:
    """As the file has it, whatever the index says of it by now."""
    editor = PromptEditor(prompt_editor_config(checkpoint.config.editor, prompt.groups))
    load_weights(editor, checkpoint.directory / "editors" / f"{prompt.id}.safetensors")
    return editor


def _with_groups(checkpoint: Checkpoint) -> Checkpoint:
    """Editors that do something, `smile` by its coarse levels alone."""
    torch.manual_seed(0)
    smile, child = checkpoint.prompts.values()
    prompts = [dataclasses.replace(smile, groups=("coarse",)), child]
    for prompt in prompts:
        editor = PromptEditor(prompt_editor_config(checkpoint.config.editor, prompt.groups))
        for group in editor.groups.values():
            nn.init.normal_(group.leave.weight, std=0.3)
        write_part(checkpoint.directory, f"editors/{prompt.id}", editor)
    return write_index(checkpoint.directory, checkpoint.config, prompts, {})


def test_groups_and_calibration_survive_joint_training(tiny_checkpoint: Checkpoint) -> None:
    checkpoint = _with_groups(tiny_checkpoint)
    before = {name: _editor(checkpoint, prompt) for name, prompt in checkpoint.prompts.items()}
    stage = JointStage(JointTraining(("editors",)), EncoderTraining(), EditorTraining(), FacesInMemory(12), FacesInMemory(3), 8, checkpoint)
    run(stage, PACE, checkpoint.directory.parent)
    for name, prompt in stage.prompts.items():
        after = _editor(checkpoint, prompt)
        assert prompt.reached is not None
        assert set(after.groups) == set(prompt.groups) & {"coarse", "medium"}  # six levels have no fine ones
        for group in after.groups:
            # Calibration scales the last layers alone, so the first tell what training moved.
            assert not torch.equal(after.groups[group].enter.weight, before[name].groups[group].enter.weight), (name, group)


def test_each_prompt_has_its_own_recipe(tiny_checkpoint: Checkpoint) -> None:
    checkpoint = _with_groups(tiny_checkpoint)
    dear = JointTraining(("editors",), {"smile": EditorTraining(picture_weight=7.0)})
    faces = (FacesInMemory(12), FacesInMemory(3))
    stage = JointStage(dear, EncoderTraining(), EditorTraining(picture_weight=0.0), *faces, 8, checkpoint)
    stage.prepare()
    weights = {name: criterion.objective.picture_weight for name, criterion in stage.criteria.items()}
    assert weights == {"smile": 7.0, "child": 0.0}
