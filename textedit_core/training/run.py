"""Starts a stage by name: builds its data and networks, runs the loop and records the result in the checkpoint."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from textedit_core.checkpoints.store import INDEX_NAME, Checkpoint, initialise_index, open_checkpoint, write_index
from textedit_core.config import (
    ClipTraining,
    DecoderTraining,
    EditorTraining,
    EncoderTraining,
    IdentityTraining,
    LoopConfig,
    ModelConfig,
    Prompt,
    TextEditorTraining,
    preset,
)
from textedit_core.errors import UsageError, UserError, unknown_name
from textedit_core.file_lock import sole_writer
from textedit_core.training.autoencoder_stage import AutoencoderStage
from textedit_core.training.data import FaceDataset
from textedit_core.training.decoder_stage import DecoderStage
from textedit_core.training.distributed import Team, open_team
from textedit_core.training.editor_stage import EditorStage, require_new_prompt
from textedit_core.training.encoded_faces import StoredLatents, open_latents
from textedit_core.training.encoder_stage import EncoderStage
from textedit_core.training.joint_stage import PARTS, JointStage
from textedit_core.training.loop import Stage, run
from textedit_core.training.perception_stages import ClipStage, IdentityStage
from textedit_core.training.photos import PhotoFolder
from textedit_core.training.text_editor_stage import TextEditorStage

# The order in which a model is trained. Each stage's pace was chosen for two CPU cores at 256 px. The autoencoder stands in for decoder
# and encoder where the faces are plain photographs.
STAGES: dict[str, LoopConfig] = {
    "clip": LoopConfig(64_000, batch_size=64, learning_rate=1e-3, matrix_rate=1e-2, warmup_images=4000, ema_half_life_images=4000),
    "identity": LoopConfig(images=64_000, batch_size=32, learning_rate=1e-3, warmup_images=4000, ema_half_life_images=4000),
    "decoder": LoopConfig(images=96_000, learning_rate=3e-2, matrix_rate=0.1),
    "encoder": LoopConfig(images=16_000, learning_rate=2e-3, matrix_rate=2e-2),
    "autoencoder": LoopConfig(images=64_000, learning_rate=1e-3),
    "editor": LoopConfig(images=3_000, learning_rate=1e-2, sample_images=2000),
    "text-editor": LoopConfig(images=48_000, learning_rate=1e-2),
    "joint": LoopConfig(images=4_000, learning_rate=2e-4, sample_images=2000),
}
# These look at pictures alone, so plain photographs will do.
PHOTO_STAGES = ("autoencoder", "editor", "text-editor", "joint")
# These can do with the latents of photographs, which an import brings.
LATENT_STAGES = ("editor", "text-editor")
# The recipes that shape a stage, by their names in TrainRequest: a resumed run must not change them.
RECIPES = {
    "clip": ("clip",),
    "identity": ("identity",),
    "decoder": ("decoder",),
    "encoder": ("encoder",),
    "autoencoder": ("decoder", "encoder"),
    "editor": ("editor", "prompt"),
    "text-editor": ("editor", "texts"),
    "joint": ("encoder", "editor"),
}
# What may differ when a run is resumed: where it runs, and what it writes on the way.
_FREE_PACE = ("device", "save_seconds", "sample_images", "log_steps")
MIN_IMAGES = 8


@dataclass(frozen=True)
class TrainRequest:
    """What `python -m textedit_core train` was asked to do.

    Attributes:
        stage: one of STAGES.
        preset: the model's preset name; an imported checkpoint in `out` brings its own model instead.
        data: a rendered dataset, or for PHOTO_STAGES a folder of aligned photographs; None takes the latents that were imported with the
            checkpoint, for LATENT_STAGES.
        out: the run's folder; its `checkpoint` subfolder is an ordinary checkpoint that grows with every stage.
        loop: the stage's pace.
        prompt: the text to train an editor for; the editor stage needs it.
        replace: whether the editor stage may train a prompt anew that the checkpoint has.
        decoder, encoder, editor, identity, clip: the loss weights of the stages.
        editors: joint fine-tuning's, by prompt, for those that differ from `editor`.
        texts: how the text-editor stage draws its texts and holds some out.
        parts: what joint fine-tuning moves.
    """

    stage: str
    preset: str
    data: Path | None
    out: Path
    loop: LoopConfig
    prompt: Prompt | None = None
    replace: bool = False
    decoder: DecoderTraining = DecoderTraining()
    encoder: EncoderTraining = EncoderTraining()
    editor: EditorTraining = EditorTraining()
    editors: Mapping[str, EditorTraining] = field(default_factory=dict)
    identity: IdentityTraining = IdentityTraining()
    clip: ClipTraining = ClipTraining()
    texts: TextEditorTraining = TextEditorTraining()
    parts: tuple[str, ...] = PARTS


@dataclass(frozen=True)
class Outcome:
    """What a finished stage adds to the checkpoint's index.

    Attributes:
        stage: name of the stage, e.g. "editor-smile".
        provenance: images, seed and why it stopped.
        prompt: the trained prompt, of an editor stage.
        recalibrated: the prompts whose strength joint training found anew.
    """

    stage: str
    provenance: dict[str, Any]
    prompt: Prompt | None = None
    recalibrated: tuple[Prompt, ...] = ()


def train(request: TrainRequest) -> Checkpoint:
    """Runs one stage to its end, or resumes it, and returns the checkpoint with the stage's result in it.

    Raises:
        UsageError: the stage, preset or device does not exist.
        UserError: the data, an earlier stage's part or the output folder is missing or damaged; the state that is resumed from was made
            with other settings; a loss is not finite; another process is training into the same folder.
    """
    team = open_team(request.loop.device, request.loop.batch_size)
    # Processes that train together are one writer: the leading one holds the folder for all.
    with sole_writer(request.out) if team.leads else contextlib.nullcontext():
        outcome = train_part(request, team)
        directory = request.out / "checkpoint"
        with team.leader_first():
            if team.leads:
                record(directory, [outcome])
                if outcome.prompt is not None:
                    # Another run of a finished prompt is a new one, not a longer one.
                    (request.out / "state" / f"{outcome.stage}.pt").unlink(missing_ok=True)
        return open_checkpoint(directory)


def train_part(request: TrainRequest, team: Team) -> Outcome:
    """Runs one stage without touching the checkpoint's index, so that several can run at once; raises as `train` does."""
    if request.stage not in STAGES:
        raise unknown_name("stage", request.stage, list(STAGES), "the stages are")
    torch.manual_seed(request.loop.seed)
    model = _model(request)
    with team.leader_first():
        data, heldout = open_images(request, model, "train"), open_images(request, model, "validation")
        if len(data) < MIN_IMAGES:
            raise UserError(f"{str(data.folder)!r} has {len(data)} training images; a stage needs at least {MIN_IMAGES}: add more")
        directory = request.out / "checkpoint"
        model = _fitted(request.stage, model, data, directory)
        checkpoint = initialise_index(directory, model)
    stage = _build(request, model, data, heldout, checkpoint, team)
    reason = run(stage, request.loop, request.out, team, settings_of(request, len(data)))
    prompt = stage.prompt if isinstance(stage, EditorStage) else None
    provenance = {"images": request.loop.images, "seed": request.loop.seed, "stopped": reason}
    if isinstance(stage, TextEditorStage) and stage.report:
        provenance["share_of_way"] = stage.report
    recalibrated = tuple(stage.prompts.values()) if isinstance(stage, JointStage) else ()
    return Outcome(stage.name, provenance, prompt, recalibrated)


def record(directory: Path, outcomes: Sequence[Outcome], last: Sequence[str] = ()) -> Checkpoint:
    """Enters finished stages in the index of the checkpoint folder, atomically; prompts named in `last` are listed last, in that order."""
    checkpoint = open_checkpoint(directory)
    finished = [prompt for outcome in outcomes for prompt in (outcome.prompt, *outcome.recalibrated) if prompt is not None]
    prompts = {**checkpoint.prompts, **{prompt.id: prompt for prompt in finished}}
    for name in last:
        if name in prompts:
            prompts[name] = prompts.pop(name)
    provenance = {**checkpoint.provenance, **{outcome.stage: outcome.provenance for outcome in outcomes}}
    return write_index(directory, checkpoint.config, list(prompts.values()), provenance)


def open_images(request: TrainRequest, model: ModelConfig, split: str) -> FaceDataset | PhotoFolder | StoredLatents:
    """Opens one split of the request's data at the size that its stage looks at, or the checkpoint's latents in its place.

    Raises:
        UsageError: the stage needs pictures, and no data is named.
        UserError: there is no data, or the stage needs labels and finds plain photographs.
    """
    if request.data is None:
        if request.stage not in LATENT_STAGES:
            raise UsageError(f"the {request.stage} stage needs faces; give a folder with --data")
        return open_latents(open_checkpoint(request.out / "checkpoint"), split)
    # The perception networks look at images of this size, and at previews of about it when they guide an editor.
    perceived = request.stage in ("clip", "identity")
    size = model.clip.image_size if perceived else model.decoder.img_resolution
    if request.stage in LATENT_STAGES:
        # An imported encoder may look at smaller photos than its decoder makes; editors are held against previews alone.
        size = model.pixel.size
    if request.data.is_dir() and not (request.data / "dataset.json").is_file():
        if request.stage in PHOTO_STAGES:
            return PhotoFolder(request.data, split, size)
        where, stages = str(request.data), ", ".join(PHOTO_STAGES)
        raise UserError(f"{where!r} has no dataset.json; plain photographs train {stages}, the {request.stage} stage needs a rendered set")
    # What is edited is a photograph; encoder and decoder alone also keep what edits lead to.
    edits = request.stage in PHOTO_STAGES and (request.stage != "joint" or "editors" in request.parts)
    return FaceDataset(request.data, split, size, ("photo",) if edits else None)


def settings_of(request: TrainRequest, images: int) -> dict[str, Any]:
    """The flat settings that a resumed run must share: pace, recipes, preset and the number of training images."""
    pace = {name: value for name, value in dataclasses.asdict(request.loop).items() if name not in _FREE_PACE}
    flat = {**pace, "preset": request.preset, "images of the data": images}
    for recipe in RECIPES[request.stage]:
        for name, value in dataclasses.asdict(getattr(request, recipe) or request.editor).items():
            flat[f"{recipe}.{name}"] = value
    return flat | ({"parts": request.parts} if request.stage == "joint" else {})


def _model(request: TrainRequest) -> ModelConfig:
    """The preset, or the model of the imported checkpoint that the run goes on from: no preset describes one."""
    directory = request.out / "checkpoint"
    if (directory / INDEX_NAME).is_file():
        checkpoint = open_checkpoint(directory)
        if "imported" in checkpoint.provenance:
            return checkpoint.config
    return preset(request.preset)


def _fitted(stage: str, model: ModelConfig, data: FaceDataset | PhotoFolder | StoredLatents, directory: Path) -> ModelConfig:
    """The preset with a mapping that takes the data's scene code; a stage that reads no scene codes keeps what the checkpoint has."""
    if stage in PHOTO_STAGES and (directory / INDEX_NAME).is_file():
        return dataclasses.replace(model, mapping=open_checkpoint(directory).config.mapping)
    if isinstance(data, FaceDataset):
        return dataclasses.replace(model, mapping=dataclasses.replace(model.mapping, z_dim=data.scene_codes.shape[1]))
    return model


def _build(request: TrainRequest, model: ModelConfig, data: Any, heldout: Any, checkpoint: Checkpoint, team: Team) -> Stage:
    batch = request.loop.batch_size
    if request.stage == "clip":
        return ClipStage(model, request.clip, data, batch, checkpoint, team)
    if request.stage == "identity":
        return IdentityStage(model, request.identity, data, batch, checkpoint.directory, team)
    if request.stage == "decoder":
        return DecoderStage(model, request.decoder, data, heldout, batch, checkpoint, team)
    if request.stage == "encoder":
        return EncoderStage(request.encoder, data, heldout, batch, checkpoint, team)
    if request.stage == "autoencoder":
        return AutoencoderStage(model, request.decoder, request.encoder, data, heldout, batch, checkpoint, team)
    if request.stage == "editor":
        if request.prompt is None:
            raise UsageError("the editor stage needs a prompt; give --name and --text")
        require_new_prompt(checkpoint, request.prompt.id, request.replace)
        return EditorStage(request.prompt, request.editor, data, heldout, batch, checkpoint, team)
    if request.stage == "text-editor":
        return TextEditorStage(request.editor, request.texts, data, heldout, batch, checkpoint, team)
    return JointStage(request.parts, request.encoder, request.editor, data, heldout, batch, checkpoint, team, request.editors)
