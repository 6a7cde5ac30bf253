"""Turns a training run's checkpoint into one that can be shipped: its parts, sample faces for calibration and parity, and its metrics."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from textedit_core.atomic import replacing_folder
from textedit_core.checkpoints.store import Checkpoint, open_checkpoint, write_index
from textedit_core.evaluation import EvaluateRequest, evaluate
from textedit_core.training.data import FaceDataset

METRICS_NAME = "metrics.json"
CALIBRATION_FACES = 48
HELDOUT_FACES = 64
# Enough for intervals of about 15 points on a share; the figures of the documents come from the whole set.
METRICS_GROUPS = 40
# Visually lossless at 256 px, a fifth of a PNG.
JPEG_QUALITY = 92


def release(checkpoint: Path, data: Path, out: Path) -> Checkpoint:
    """Writes a shippable checkpoint folder, atomically: nothing is left behind when a step fails.

    Its metrics.json holds the evaluation on the shipped counterfactual groups.

    Args:
        checkpoint: a finished training run's checkpoint folder.
        data: the rendered dataset that it was trained on; its training photos calibrate, its test photos prove.
        out: the folder to create; one that exists is replaced, except for the documents (*.md) in it.

    Raises:
        UserError: the checkpoint or the dataset is damaged, or `out` cannot be written.
    """
    model = open_checkpoint(checkpoint)
    with replacing_folder(out) as scratch:
        for name in (name for name in model.files if not name.startswith("faces/")):
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(model.verified(name), scratch / name)
        _sample_faces(data, "train", CALIBRATION_FACES, scratch / "faces" / "calibration", model)
        _sample_faces(data, "test", HELDOUT_FACES, scratch / "faces" / "heldout", model)
        write_index(scratch, model.config, list(model.prompts.values()), {**model.provenance, "dataset": _dataset_card(data)})
        # Of what ships: with the faces the checkpoint has another id than the run's.
        metrics = evaluate(EvaluateRequest(scratch, groups=METRICS_GROUPS, out_of_domain=False))
        (scratch / METRICS_NAME).write_text(json.dumps(metrics, indent=1) + "\n", "utf8")
        for document in out.glob("*.md"):
            shutil.copyfile(document, scratch / document.name)
    return open_checkpoint(out)


def _sample_faces(data: Path, split: str, count: int, folder: Path, model: Checkpoint) -> None:
    """Saves up to `count` photos of a split, spread evenly over its people."""
    dataset = FaceDataset(data, split, model.config.pixel.size, styles=("photo",))
    folder.mkdir(parents=True, exist_ok=True)
    rows = torch.linspace(0, len(dataset) - 1, min(count, len(dataset))).long().tolist()
    for row in rows:
        dataset.picture(row).save(folder / f"{dataset.keys[row]}.jpg", quality=JPEG_QUALITY, subsampling=0)


def _dataset_card(data: Path) -> dict[str, Any]:
    index = json.loads((data / "dataset.json").read_text("utf8"))
    return {key: index[key] for key in ("count", "resolution", "seed", "splits", "world")}
