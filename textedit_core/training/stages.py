"""Every stage that `train` knows, in the order in which a model is trained."""

from __future__ import annotations

from textedit_core.errors import unknown_name
from textedit_core.training import (
    autoencoder_stage,
    clip_stage,
    compositor_stage,
    decoder_stage,
    editor_stage,
    encoder_stage,
    identity_stage,
    joint_stage,
    text_editor_stage,
)
from textedit_core.training.stage_spec import StageSpec

# Each stage's pace was chosen for two CPU cores at 256 px. The autoencoder stands in for decoder and encoder where the faces are plain
# photographs.
STAGES: tuple[StageSpec, ...] = (
    clip_stage.STAGE,
    identity_stage.STAGE,
    decoder_stage.STAGE,
    encoder_stage.STAGE,
    autoencoder_stage.STAGE,
    editor_stage.STAGE,
    text_editor_stage.STAGE,
    joint_stage.STAGE,
    compositor_stage.STAGE,
)


def stage_named(name: str) -> StageSpec:
    """Looks a stage up by its name; raises UsageError listing those that exist."""
    by_name = {stage.name: stage for stage in STAGES}
    if name not in by_name:
        raise unknown_name("stage", name, list(by_name), "the stages are")
    return by_name[name]
