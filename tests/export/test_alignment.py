"""A bundle tells how its model's faces are cut out of photos, and photos are edited so."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from export.bundle import open_bundle
from export.describe import alignment_entry
from export.pipeline import export_bundles
from export.plan import ExportRequest
from tests.export.networks import quiet, write_checkpoint
from textedit_core.alignment import ALIGNMENT_TEMPLATE, FFHQ_CROP, REFERENCE_CROP, crop_face
from textedit_core.checkpoints.store import write_index
from textedit_core.face_editor import FaceEditor


def test_reference_rule_has_its_measured_template() -> None:
    entry = alignment_entry(REFERENCE_CROP)
    assert entry["template"] == [list(point) for point in ALIGNMENT_TEMPLATE]
    assert entry["crop_rule"] == {"eye_factor": 2.0, "mouth_factor": 1.8, "margin": 0.98, "drop": 0.0}


def test_bundle_crops_as_its_checkpoint(tmp_path: Path) -> None:
    plain = write_checkpoint(tmp_path / "checkpoint")
    config = dataclasses.replace(plain.config, crop=FFHQ_CROP)
    write_index(plain.directory, config, list(plain.prompts.values()), plain.provenance)
    request = ExportRequest("onnx", ("smile",), plain.directory, out=tmp_path, parity_faces=1, calibration_faces=1)
    ((path, _),) = export_bundles(request, quiet)
    with open_bundle(path) as opened:
        entry = opened.manifest.alignment
    # The rule of Karras et al. 2019, appendix A.
    assert entry["crop_rule"] == {"eye_factor": 2.0, "mouth_factor": 1.8, "margin": 1.0, "drop": 0.1}
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8))
    landmarks = [[80, 90], [120, 90], [100, 110], [88, 130], [112, 130]]
    with FaceEditor.open(path) as editor:
        assert editor.photo(photo, landmarks).transform == crop_face(photo, landmarks, 32, FFHQ_CROP)[1]
