"""Runs a stage: opens its data, builds it, trains it and records the result in the checkpoint."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from textedit_core.checkpoints.store import INDEX_NAME, Checkpoint, initialise_index, open_checkpoint, write_index
from textedit_core.config import ModelConfig, preset
from textedit_core.errors import UsageError, UserError
from textedit_core.file_lock import sole_writer
from textedit_core.prompts import Prompt
from textedit_core.training.compositor.partners import PartnerFolder, partner_folder
from textedit_core.training.data import FaceDataset
from textedit_core.training.distributed import Team, open_team
from textedit_core.training.encoded_faces import StoredLatents, open_latents
from textedit_core.training.loop import run
from textedit_core.training.pace import LoopConfig
from textedit_core.training.photos import PhotoFolder
from textedit_core.training.stage_spec import Recipes, StageRun, StageSpec
from textedit_core.training.stages import STAGES

# What a stage learns from.
TrainingData = FaceDataset | PhotoFolder | StoredLatents | PartnerFolder
# What may differ when a run is resumed: where it runs, and what it writes on the way.
_FREE_PACE = ("device", "save_seconds", "sample_images", "log_steps")
MIN_IMAGES = 8


@dataclass(frozen=True)
class TrainRequest:
    """What `python -m textedit_core train` was asked to do.

    Attributes:
        stage: what to train, one of `training.stages.STAGES` or one of your own.
        preset: the model's preset name; an imported checkpoint in `out` brings its own model instead.
        data: a rendered dataset, or a folder of aligned photographs where pictures suffice; None takes the latents that were imported
            with the checkpoint, where these suffice.
        out: the run's folder; its `checkpoint` subfolder is an ordinary checkpoint that grows with every stage.
        loop: the stage's pace.
        recipes: by name, those that differ from the stage's own.
        prompt: what a stage of one prompt trains.
        replace: whether that prompt may be trained anew where the checkpoint has it.
    """

    stage: StageSpec
    preset: str
    data: Path | None
    out: Path
    loop: LoopConfig
    recipes: Recipes = field(default_factory=dict)
    prompt: Prompt | None = None
    replace: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a finished stage adds to the checkpoint's index.

    Attributes:
        stage: name of the stage as it was trained, e.g. "editor-smile".
        provenance: images, seed and why it stopped.
        prompts: the records of the prompts that it trained or calibrated.
    """

    stage: str
    provenance: Mapping[str, Any]
    prompts: tuple[Prompt, ...] = ()


def train(request: TrainRequest) -> Checkpoint:
    """Runs one stage to its end, or resumes it, and returns the checkpoint with the stage's result in it.

    Raises:
        UsageError: the preset, the device or a recipe does not exist, or the request lacks the prompt or the data that the stage needs.
        UserError: the data, an earlier stage's part or the output folder is missing or damaged; the state that is resumed from was made
            with other settings; a loss is not finite; another process is training into the same folder.
    """
    team = open_team(request.loop.device, request.loop.batch_size)
    # Processes that train together are one writer: the main one holds the folder for all.
    with sole_writer(request.out) if team.is_main_process else contextlib.nullcontext():
        outcome = train_part(request, team)
        with team.main_process_first():
            if team.is_main_process:
                record(request, outcome)
        return open_checkpoint(request.out / "checkpoint")


def train_part(request: TrainRequest, team: Team) -> Outcome:
    """Runs one stage without touching the checkpoint's index, so that several can run at once; raises as `train` does."""
    spec, recipes = request.stage, request.stage.completed(request.recipes)
    if spec.one_prompt and request.prompt is None:
        raise UsageError(f"the {spec.name} stage needs a prompt; give --name and --text")
    torch.manual_seed(request.loop.seed)
    model = _model(request)
    with team.main_process_first():
        data, heldout = open_data(request, model, "train"), open_data(request, model, "validation")
        if len(data) < MIN_IMAGES:
            raise UserError(f"{str(data.folder)!r} has {len(data)} training images; a stage needs at least {MIN_IMAGES}: add more")
        directory = request.out / "checkpoint"
        model = _fitted(spec, model, data, directory)
        checkpoint = initialise_index(directory, model)
    batch_size = request.loop.batch_size
    stage = spec.build(StageRun(model, recipes, data, heldout, batch_size, checkpoint, team, request.prompt, request.replace))
    reason = run(stage, request.loop, request.out, team, settings_of(request, len(data)))
    added = spec.adds(stage)
    provenance = {"images": request.loop.images, "seed": request.loop.seed, "stopped": reason, **added.provenance}
    return Outcome(stage.name, provenance, added.prompts)


def record(request: TrainRequest, outcome: Outcome, order: Sequence[str] = ()) -> Checkpoint:
    """Enters a finished stage in the index of the request's checkpoint, atomically; prompts named in `order` are listed last, so."""
    directory = request.out / "checkpoint"
    checkpoint = open_checkpoint(directory)
    prompts = {**checkpoint.prompts, **{prompt.id: prompt for prompt in outcome.prompts}}
    for name in order:
        if name in prompts:
            prompts[name] = prompts.pop(name)
    provenance = {**checkpoint.provenance, outcome.stage: outcome.provenance}
    written = write_index(directory, checkpoint.config, list(prompts.values()), provenance)
    if request.stage.one_prompt:
        (request.out / "state" / f"{outcome.stage}.pt").unlink(missing_ok=True)
    return written


def open_data(request: TrainRequest, model: ModelConfig, split: str) -> TrainingData:
    """What a stage learns from: rendered partners where it takes them and the request's folder holds some, else as `open_images`."""
    if request.data is not None and "partners" in request.stage.data:
        partners = partner_folder(request.data)
        if partners is not None:
            return partners
    return open_images(request, model, split)


def open_images(request: TrainRequest, model: ModelConfig, split: str) -> FaceDataset | PhotoFolder | StoredLatents:
    """Opens one split of the request's data at the size that its stage looks at, or the checkpoint's latents in its place.

    Raises:
        UsageError: the stage needs pictures, and no data is named.
        UserError: there is no data, or the stage needs labels and finds plain photographs.
    """
    spec, folder = request.stage, request.data
    if folder is None:
        if "latents" not in spec.data:
            raise UsageError(f"the {spec.name} stage needs faces; give a folder with --data")
        return open_latents(open_checkpoint(request.out / "checkpoint"), split)
    if folder.is_dir() and not (folder / "dataset.json").is_file():
        if "photos" in spec.data:
            return PhotoFolder(folder, split, spec.image_size(model))
        stages = ", ".join(each.name for each in STAGES if "photos" in each.data)
        raise UserError(
            f"{str(folder)!r} has no dataset.json; plain photographs train {stages}, the {spec.name} stage needs a rendered set"
        )
    photos = spec.photos_only(spec.completed(request.recipes))
    return FaceDataset(folder, split, spec.image_size(model), ("photo",) if photos else None)


def settings_of(request: TrainRequest, images: int) -> dict[str, Any]:
    """The flat settings that a resumed run must share: pace, recipes, prompt, preset and the number of training images."""
    pace = {name: value for name, value in dataclasses.asdict(request.loop).items() if name not in _FREE_PACE}
    flat = {**pace, "preset": request.preset, "images of the data": images}
    parts = {**request.stage.completed(request.recipes), **({"prompt": request.prompt} if request.prompt is not None else {})}
    for recipe, values in parts.items():
        flat |= _flat(recipe, dataclasses.asdict(values))
    return flat


def _flat(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted name, so that an error names the one that differs; recipes within a recipe are taken apart too."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        recipes = isinstance(value, dict) and any(isinstance(inner, dict) for inner in value.values())
        flat |= _flat(f"{prefix}.{name}", value) if recipes else {f"{prefix}.{name}": value}
    return flat


def _model(request: TrainRequest) -> ModelConfig:
    """The preset, or the model of the imported checkpoint that the run goes on from: no preset describes one."""
    directory = request.out / "checkpoint"
    if (directory / INDEX_NAME).is_file():
        checkpoint = open_checkpoint(directory)
        if "imported" in checkpoint.provenance:
            return checkpoint.config
    return preset(request.preset)


def _fitted(spec: StageSpec, model: ModelConfig, data: TrainingData, directory: Path) -> ModelConfig:
    """The preset with a mapping that takes the data's scene code; a stage that reads no scene codes keeps what the checkpoint has."""
    if spec.data != ("rendered",) and (directory / INDEX_NAME).is_file():
        return dataclasses.replace(model, mapping=open_checkpoint(directory).config.mapping)
    if isinstance(data, FaceDataset):
        return dataclasses.replace(model, mapping=dataclasses.replace(model.mapping, z_dim=data.scene_codes.shape[1]))
    return model
