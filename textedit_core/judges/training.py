"""Trains the judges on a rendered dataset and releases them, measured, as one folder."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import torch

from textedit_core.atomic import replacing_folder, write_text
from textedit_core.checkpoints.store import load_weights
from textedit_core.errors import UserError, unknown_name
from textedit_core.judges.config import PACES, AugmentationConfig, IdentityJudgeTraining, JudgesConfig, Which
from textedit_core.judges.measurement import measure_judges
from textedit_core.judges.networks import AttributeNet, IdentityJudgeNet
from textedit_core.judges.stages import AttributeJudgeStage, IdentityJudgeStage
from textedit_core.judges.store import (
    ATTRIBUTES_NAME,
    IDENTITY_NAME,
    INDEX_NAME,
    Judges,
    index_of,
    judges_config_from_dict,
    judges_of,
    open_judges,
)
from textedit_core.synthetic.attributes import STYLES
from textedit_core.training.data import FaceDataset
from textedit_core.training.distributed import Team, choose_device
from textedit_core.training.loop import Stage, run
from textedit_core.training.pace import LoopConfig

_RECORD = "{which}.json"
# What may change between a run and its continuation.
_FREE = ("loop.device", "loop.save_seconds", "loop.sample_images", "loop.log_steps")


def train_judges(
    data: Path,
    out: Path,
    *,
    which: Which,
    loop: LoopConfig | None = None,
    config: JudgesConfig | None = None,
) -> str:
    """Trains one judge on the dataset's train split, or resumes it, and returns why it stopped.

    Args:
        data: a rendered dataset.
        out: the run's folder; receives the judge's weights and a record of how they came about. Both judges may share it.
        which: "attributes" or "identity".
        loop: the pace; None takes `PACES[which]`.
        config: sizes of the networks; None takes the defaults.

    Raises:
        UsageError: no judge has this name.
        UserError: the data is missing or damaged, or `out` cannot be written.
    """
    if which not in PACES:
        raise unknown_name("judge", which, list(PACES), "the judges are")
    pace, config = loop or PACES[which], config or JudgesConfig()
    torch.manual_seed(pace.seed)
    faces = _faces(data, "train", config)
    team = Team(choose_device(pace.device))
    stage, recipe = _stage(which, config, faces, pace, out, team)
    reason = run(stage, pace, out, team, _settings(recipe, len(faces)))
    record = {
        "config": dataclasses.asdict(config)[which],
        "recipe": recipe,
        "stopped": reason,
        "images": len(faces),
        "people": faces.num_identities,
        "dataset": _dataset_card(data),
    }
    write_text(out / _RECORD.format(which=which), _json(record))
    return reason


def _stage(
    which: Which, config: JudgesConfig, faces: FaceDataset, pace: LoopConfig, out: Path, team: Team
) -> tuple[Stage, dict[str, dict[str, Any]]]:
    """One judge's stage, and the recipe by which it is trained."""
    augmentation, identity = AugmentationConfig(), IdentityJudgeTraining()
    recipe = {"loop": dataclasses.asdict(pace), "augmentation": dataclasses.asdict(augmentation)}
    if which == "attributes":
        return AttributeJudgeStage(config, augmentation, faces, pace.batch_size, out, team.device), recipe
    recipe["identity"] = dataclasses.asdict(identity)
    return IdentityJudgeStage(config, identity, augmentation, faces, pace.batch_size, out, team.device), recipe


def _settings(recipe: dict[str, dict[str, Any]], images: int) -> dict[str, Any]:
    """What a resumed run must share with the one that it goes on from: all but what changes the progress shown."""
    flat = {f"{group}.{name}": value for group, values in recipe.items() for name, value in values.items()}
    return {name: value for name, value in flat.items() if name not in _FREE} | {"images of the data": images}


def release_judges(run_folder: Path, data: Path, out: Path) -> Judges:
    """Measures both trained judges on the dataset's test split and writes the folder that `open_judges` reads, atomically.

    Args:
        run_folder: where `train_judges` put both judges.
        data: a rendered dataset; people of its test split were never trained on.
        out: the folder to write; one that exists is replaced.

    Raises:
        UserError: a judge is not trained yet, the data is damaged, or `out` cannot be written.
    """
    records = {which: _read_record(run_folder, which) for which in PACES}
    config = judges_config_from_dict({which: record["config"] for which, record in records.items()})
    judges = _trained(run_folder, config)
    card = measure_judges(judges, _faces(data, "test", config))
    provenance: dict[str, Any] = {
        which: {key: value for key, value in record.items() if key != "config"} for which, record in records.items()
    }
    with replacing_folder(out) as scratch:
        for name in (ATTRIBUTES_NAME, IDENTITY_NAME):
            shutil.copyfile(run_folder / name, scratch / name)
        write_text(scratch / INDEX_NAME, _json(index_of(scratch, config, card, provenance)))
    return open_judges(out)


def _trained(run_folder: Path, config: JudgesConfig) -> Judges:
    nets = AttributeNet(config.attributes), IdentityJudgeNet(config.identity)
    load_weights(nets[0], run_folder / ATTRIBUTES_NAME)
    load_weights(nets[1], run_folder / IDENTITY_NAME)
    return judges_of(*nets, {}, {})


def _faces(data: Path, split: str, config: JudgesConfig) -> FaceDataset:
    return FaceDataset(data, split, config.attributes.image_size, STYLES)


def _dataset_card(data: Path) -> dict[str, Any]:
    index = json.loads((data / "dataset.json").read_text("utf8"))
    return {key: index[key] for key in ("count", "resolution", "seed", "splits") if key in index}


def _read_record(run_folder: Path, which: Which) -> dict[str, Any]:
    path = run_folder / _RECORD.format(which=which)
    try:
        return json.loads(path.read_text("utf8"))
    except FileNotFoundError:
        raise UserError(f"{str(run_folder)!r} has no {which} judge yet; train it there with: judges train {which}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{str(path)!r} cannot be read: {error}; train the judge again") from None


def _json(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=1) + "\n"
