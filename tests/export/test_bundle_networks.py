"""The networks of a bundle: each through its runtime, whatever the size of the batch, with the answers of the checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from export.bundle_networks import open_networks
from export.bundle_zip import write_zip
from export.manifest import MANIFEST_FILE
from textedit_core.checkpoints.networks import CheckpointNetworks
from textedit_core.checkpoints.store import Checkpoint
from textedit_core.errors import UsageError, UserError
from textedit_core.face_editor import FaceEditor
from textedit_core.face_networks import FaceNetworks
from textedit_core.latents import apply_edit

LANDMARKS = [[80, 90], [120, 90], [100, 110], [88, 130], [112, 130]]


def _photo() -> Image.Image:
    coarse = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((240, 200), Image.Resampling.BICUBIC)


def _levels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def test_a_bundle_edits_like_the_checkpoint(onnx_bundle: Path, checkpoint: Checkpoint) -> None:
    eager = CheckpointNetworks(checkpoint)
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with open_networks(onnx_bundle) as exported:
        assert (exported.name, exported.checkpoint_id, tuple(exported.prompts)) == ("onnx fp16", checkpoint.checkpoint_id, ("smile",))
        assert (exported.pixels, exported.crop) == (eager.pixels, eager.crop)
        drawn = []
        both: tuple[FaceNetworks, ...] = (eager, exported)
        for networks in both:
            w_plus = networks.encode(images)
            drawn.append(networks.decode(apply_edit(w_plus, networks.delta("smile", w_plus), 1.0)))
    assert drawn[0].shape == drawn[1].shape == (3, 3, 32, 32)
    # fp16 keeps 11 bits; after three networks 1% of the range is far above their rounding and far below a wrong wiring.
    assert float((drawn[0] - drawn[1]).abs().max()) < 0.02 * float(drawn[0].abs().max())


def test_a_photo_is_edited_alike_by_bundle_and_checkpoint(onnx_bundle: Path, checkpoint: Checkpoint) -> None:
    photo, edits = _photo(), {"smile": 0.8}
    with FaceEditor.open(onnx_bundle) as exported, FaceEditor.open(checkpoint.directory) as eager:
        ours, theirs = (editor.photo(photo, LANDMARKS) for editor in (exported, eager))
        assert ours.transform == theirs.transform and (_levels(ours.crop) == _levels(theirs.crop)).all()
        results = [(s.reconstruct_crop(), s.edit_crop(edits), s.edit(edits), s.edit(edits, keep_detail=True)) for s in (ours, theirs)]
    # 1% of 255 levels, as above; the edit itself has to be larger for the test to mean something.
    for one, other in zip(*results, strict=True):
        assert one.size == other.size and np.abs(_levels(one) - _levels(other)).max() <= 3
    reconstruction, edited, *_ = results[0]
    assert np.abs(_levels(edited) - _levels(reconstruction)).max() > 10


def test_a_zip_is_unpacked_as_long_as_the_editor_is_open(onnx_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, scratch = tmp_path / "bundle.zip", tmp_path / "scratch"
    write_zip(onnx_bundle, archive)
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with FaceEditor.open(archive) as editor:
        assert list(scratch.iterdir()) != []
        edited = editor.photo(_photo(), LANDMARKS).edit({"smile": None})
    assert edited.size == (240, 200) and list(scratch.iterdir()) == []


def test_unknown_prompt_is_named(onnx_bundle: Path) -> None:
    with open_networks(onnx_bundle) as exported, pytest.raises(UsageError, match="unknown prompt 'child'; this bundle has: smile"):
        exported.delta("child", torch.zeros(1, 6, 16))


def test_a_damaged_bundle_is_refused(onnx_bundle: Path) -> None:
    (onnx_bundle / MANIFEST_FILE).write_text("{}")
    with pytest.raises(UserError), open_networks(onnx_bundle):
        pass
    with pytest.raises(UserError):
        FaceEditor.open(onnx_bundle)
