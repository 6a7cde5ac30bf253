"""What joint fine-tuning owes to the editors: frozen groups stay frozen, and strength 1 is found anew."""

from __future__ import annotations

import copy
import dataclasses

import torch
from torch import nn

from tests.textedit_core.training.faces_in_memory import FacesInMemory
from textedit_core.checkpoints.store import Checkpoint, load_weights, write_index, write_part
from textedit_core.config import EditorTraining, EncoderTraining, LoopConfig
from textedit_core.editor import PromptEditor
from textedit_core.training.joint_stage import JointStage
from textedit_core.training.loop import run

PACE = LoopConfig(images=32, batch_size=8, learning_rate=1e-2, warmup_images=8, sample_images=64, log_steps=2, device="cpu")


def _editor(checkpoint: Checkpoint, prompt: str) -> PromptEditor:
    editor = PromptEditor(checkpoint.config.editor)
    load_weights(editor, checkpoint.directory / "editors" / f"{prompt}.safetensors")
    return editor


def _with_groups(checkpoint: Checkpoint) -> Checkpoint:
    """Editors that do something, `smile` by its coarse levels alone."""
    torch.manual_seed(0)
    for name in ("smile", "child"):
        editor = PromptEditor(checkpoint.config.editor)
        for group in editor.groups.values():
            nn.init.normal_(group.leave.weight, std=0.3)
        write_part(checkpoint.directory, f"editors/{name}", editor)
    smile, child = checkpoint.prompts.values()
    return write_index(checkpoint.directory, checkpoint.config, [dataclasses.replace(smile, groups=("coarse",)), child], {})


def test_groups_and_calibration_survive_joint_training(tiny_checkpoint: Checkpoint) -> None:
    checkpoint = _with_groups(tiny_checkpoint)
    before = {name: copy.deepcopy(_editor(checkpoint, name)) for name in checkpoint.prompts}
    stage = JointStage(("editors",), EncoderTraining(), EditorTraining(), FacesInMemory(12), FacesInMemory(3), 8, checkpoint)
    run(stage, PACE, checkpoint.directory.parent)
    for name, prompt in stage.prompts.items():
        after = _editor(checkpoint, name)
        assert prompt.reached is not None
        for group in after.groups:
            enters = (after.groups[group].enter.weight, before[name].groups[group].enter.weight)
            # Calibration scales the last layers alone, so the first tell what training moved.
            assert torch.equal(*enters) is (group not in prompt.groups), (name, group)
            if group not in prompt.groups:
                scaled = prompt.calibration * before[name].groups[group].leave.weight
                assert torch.allclose(after.groups[group].leave.weight, scaled, rtol=5e-3, atol=1e-4)  # files hold fp16
