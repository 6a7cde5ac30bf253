"""The evaluation of a checkpoint: its numbers where they are known in advance, and its contact sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from textedit_core.checkpoints.store import Checkpoint
from textedit_core.errors import UserError
from textedit_core.evaluation import evaluate, format_report
from textedit_core.training.data import FaceDataset


def test_untrained_editors_change_no_verdict(tiny_checkpoint: Checkpoint, noise_dataset: Path) -> None:
    report = evaluate(tiny_checkpoint.directory, noise_dataset, faces=4, sheet=None)
    assert report["checkpoint_id"] == tiny_checkpoint.checkpoint_id
    assert report["faces"] == 4
    for edit in report["edits"].values():
        assert edit["text_match_after"] == pytest.approx(edit["text_match_before"], abs=1e-6)
        assert edit["improved_share"] == 0.0
        assert edit["identity_cosine"] == pytest.approx(1.0, abs=1e-5)


def test_reconstruction_psnr_is_that_of_the_clamped_images(tiny_checkpoint: Checkpoint, noise_dataset: Path) -> None:
    photos = FaceDataset(noise_dataset, "heldout", 32, styles=("photo",)).images([0, 2, 5])  # 3 spread over 6
    with torch.no_grad():
        rendered = tiny_checkpoint.load_decoder()(tiny_checkpoint.load_encoder()(photos)).clamp(-1, 1)
    # 20 log10(range / rmse) per image, the range of [-1,1] being 2, then averaged.
    rmse = (rendered - photos).double().square().mean((1, 2, 3)).sqrt()
    expected = float((20 * torch.log10(2.0 / rmse)).mean())
    report = evaluate(tiny_checkpoint.directory, noise_dataset, faces=3, sheet=None)
    assert report["reconstruction"]["psnr_db"] == pytest.approx(expected, abs=1e-3)


def test_contact_sheet_begins_with_the_photos(tiny_checkpoint: Checkpoint, noise_dataset: Path, tmp_path: Path) -> None:
    evaluate(tiny_checkpoint.directory, noise_dataset, faces=2, sheet=tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (4 * 32, 2 * 32, 3)  # rows: photo, reconstruction, two prompts
    first = FaceDataset(noise_dataset, "heldout", 32, styles=("photo",)).paths[0]
    assert np.array_equal(sheet[:32, :32], np.asarray(Image.open(first)))
    assert np.array_equal(sheet[32:64], sheet[64:96])  # an untrained editor shows the reconstruction


def test_table_names_every_prompt(tiny_checkpoint: Checkpoint, noise_dataset: Path) -> None:
    table = format_report(evaluate(tiny_checkpoint.directory, noise_dataset, faces=2, sheet=None))
    assert tiny_checkpoint.checkpoint_id in table and "smile" in table and "child" in table


def test_missing_dataset_is_named(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        evaluate(tiny_checkpoint.directory, tmp_path / "nowhere", faces=2, sheet=None)


def test_too_few_photos_are_an_error(tiny_checkpoint: Checkpoint, noise_dataset: Path) -> None:
    with pytest.raises(UserError, match="6 held-out photos, fewer than --faces 7"):
        evaluate(tiny_checkpoint.directory, noise_dataset, faces=7, sheet=None)
