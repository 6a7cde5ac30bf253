"""Starts a stage by name: builds its data and networks, runs the loop and records the result in the checkpoint."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import torch

from textedit_core.checkpoints.store import Checkpoint, initialise_index, write_index
from textedit_core.config import (
    ClipTraining,
    DecoderTraining,
    EditorTraining,
    EncoderTraining,
    IdentityTraining,
    LoopConfig,
    ModelConfig,
    Prompt,
    preset,
)
from textedit_core.errors import unknown_name
from textedit_core.training.data import FaceDataset
from textedit_core.training.decoder_stage import DecoderStage
from textedit_core.training.editor_stage import EditorStage
from textedit_core.training.encoder_stage import EncoderStage
from textedit_core.training.joint_stage import PARTS, JointStage
from textedit_core.training.loop import Stage, run
from textedit_core.training.perception_stages import ClipStage, IdentityStage

# The order in which a model is trained. Each stage's pace was chosen for two CPU cores at 256 px.
STAGES: dict[str, LoopConfig] = {
    "clip": LoopConfig(images=64_000, batch_size=32, learning_rate=1e-3, warmup_images=4000, ema_half_life_images=4000),
    "identity": LoopConfig(images=64_000, batch_size=32, learning_rate=1e-3, warmup_images=4000, ema_half_life_images=4000),
    "decoder": LoopConfig(images=48_000, learning_rate=3e-2),
    "encoder": LoopConfig(images=16_000, learning_rate=1e-3),
    "editor": LoopConfig(images=3_000, learning_rate=1e-2, sample_images=2000),
    "joint": LoopConfig(images=4_000, learning_rate=2e-4, sample_images=2000),
}


@dataclass(frozen=True)
class TrainRequest:
    """What `python -m textedit_core train` was asked to do.

    Attributes:
        stage: one of STAGES.
        preset: the model's preset name.
        data: a rendered dataset.
        out: the run's folder; its `checkpoint` subfolder is an ordinary checkpoint that grows with every stage.
        loop: the stage's pace.
        prompt: the text to train an editor for; the editor stage needs it.
        decoder, encoder, editor, identity, clip: the loss weights of the stages.
        parts: what joint fine-tuning moves.
    """

    stage: str
    preset: str
    data: Path
    out: Path
    loop: LoopConfig
    prompt: Prompt | None = None
    decoder: DecoderTraining = DecoderTraining()
    encoder: EncoderTraining = EncoderTraining()
    editor: EditorTraining = EditorTraining()
    identity: IdentityTraining = IdentityTraining()
    clip: ClipTraining = ClipTraining()
    parts: tuple[str, ...] = PARTS


def train(request: TrainRequest) -> Checkpoint:
    """Runs one stage to its end, or resumes it, and returns the checkpoint with the stage's result in it.

    Raises:
        UsageError: the stage or preset does not exist.
        UserError: the data, an earlier stage's part or the output folder is missing or damaged.
    """
    if request.stage not in STAGES:
        raise unknown_name("stage", request.stage, list(STAGES), "the stages are")
    torch.manual_seed(request.loop.seed)
    model = preset(request.preset)
    train_data = _dataset(request, model, "train")
    model = dataclasses.replace(model, mapping=dataclasses.replace(model.mapping, z_dim=train_data.scene_codes.shape[1]))
    checkpoint = initialise_index(request.out / "checkpoint", model)
    stage = _build(request, model, train_data, checkpoint)
    reason = run(stage, request.loop, request.out)
    prompts = dict(checkpoint.prompts)
    if isinstance(stage, EditorStage):
        # The stage's own record of the prompt: it knows by now which groups moved and how the strength was calibrated.
        prompts[stage.prompt.id] = stage.prompt
    provenance = {**checkpoint.provenance, stage.name: {"images": request.loop.images, "seed": request.loop.seed, "stopped": reason}}
    return write_index(checkpoint.directory, model, list(prompts.values()), provenance)


def _dataset(request: TrainRequest, model: ModelConfig, split: str) -> FaceDataset:
    styles = ("photo",) if request.stage in ("editor", "joint") else None
    # The judges look at images of this size, and at previews of about it when they guide an editor.
    judged = request.stage in ("clip", "identity")
    return FaceDataset(request.data, split, model.clip.image_size if judged else model.decoder.img_resolution, styles)


def _build(request: TrainRequest, model: ModelConfig, data: FaceDataset, checkpoint: Checkpoint) -> Stage:
    batch = request.loop.batch_size
    if request.stage == "clip":
        return ClipStage(model, request.clip, data, batch, checkpoint)
    if request.stage == "identity":
        return IdentityStage(model, request.identity, data, batch, checkpoint.directory)
    heldout = _dataset(request, model, "validation")
    if request.stage == "decoder":
        return DecoderStage(model, request.decoder, data, heldout, batch, checkpoint)
    if request.stage == "encoder":
        return EncoderStage(request.encoder, data, heldout, batch, checkpoint)
    if request.stage == "editor":
        assert request.prompt is not None
        return EditorStage(request.prompt, request.editor, data, heldout, batch, checkpoint)
    return JointStage(request.parts, request.encoder, request.editor, data, heldout, batch, checkpoint)
