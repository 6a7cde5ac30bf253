"""Edits of photographs against real changes: the measures on pictures whose answer is known, and the rows of a whole evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from textedit_core.__main__ import main
from textedit_core.checkpoints.store import Checkpoint, write_index, write_part
from textedit_core.compositor import Compositor
from textedit_core.evaluation.photo_measures import MOUTH, SIDE, corner_motion, mouth_psnr, structure_distance, unchanged
from textedit_core.photo_pairs import CHANGED, LANDMARKS_NAME, REST

pytest.importorskip("skimage", reason="scikit-image is missing; pip install 'textedit[render]'")
CORNERS = np.array([[98.0, 190.0], [158.0, 190.0]])


def _picture(side: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(side, side, 3))
    smooth = ndimage.gaussian_filter(noise, (4, 4, 0))
    return (127 + 100 * smooth / np.abs(smooth).max()).astype(np.uint8)


def _up(picture: np.ndarray, pixels: float) -> np.ndarray:
    lines, columns = np.mgrid[: len(picture), : len(picture)].astype(float)
    return np.stack(
        [ndimage.map_coordinates(picture[..., band], [lines + pixels, columns], order=1, mode="nearest") for band in range(3)], -1
    )


def test_corners_that_go_half_the_way_count_half() -> None:
    rest = _picture(SIDE)
    share, right = corner_motion(CORNERS, rest, _up(rest, 4), _up(rest, 2))
    # Optical flow finds whole motions to a few percent.
    assert share == pytest.approx(0.5, abs=0.05) and right == 1.0
    back, wrong = corner_motion(CORNERS, rest, _up(rest, 4), _up(rest, -2))
    assert back == pytest.approx(-0.5, abs=0.05) and wrong == 0.0
    assert np.isnan(corner_motion(CORNERS, rest, rest, _up(rest, 2))[0])


def test_mouth_psnr_looks_at_the_mouth_alone() -> None:
    rest = _picture(SIDE)
    other = rest.copy()
    other[:100] = 0
    assert mouth_psnr(other, rest) > 100
    off = rest.copy()
    off[MOUTH] = rest[MOUTH] + 10
    # A difference of ten levels everywhere: 20 log10(255 / 10).
    assert mouth_psnr(off, rest) == pytest.approx(28.13, abs=0.01)


def test_structure_distance_is_nothing_for_the_same_and_grows_with_blur() -> None:
    rest = _picture(SIDE)
    soft, softer = (ndimage.gaussian_filter(rest, (sigma, sigma, 0)) for sigma in (1.5, 4))
    assert structure_distance(rest, rest) == 0.0
    assert 0.0 < structure_distance(soft, rest) < structure_distance(softer, rest)


def test_unchanged_counts_pixels() -> None:
    before = Image.new("RGB", (10, 10))
    after = before.copy()
    after.putpixel((3, 3), (0, 1, 0))
    assert unchanged(before, after) == 0.99


@pytest.fixture
def pair_folder(tmp_path: Path) -> Path:
    """Two pairs of 200 px; `to_smiling` shifts by three pixels."""
    folder, listed = tmp_path / "pairs", {}
    for number in range(2):
        picture = _picture(200, number)
        points = 100 + 30 * np.random.default_rng(number).uniform(-1, 1, (189, 2))
        points[[0, 1, 54, 60, 87, 93]] = [[80, 85], [120, 85], [97, 105], [103, 105], [85, 130], [115, 130]]
        for kind, pixels in ((REST, picture), (CHANGED, np.roll(_up(picture, 2), 3, 1))):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / kind / f"{number:03d}.png")
        listed[f"{REST}/{number:03d}.png"] = {"points": points.tolist(), "to_smiling": [[1, 0, 3], [0, 1, 0]]}
    (folder / LANDMARKS_NAME).write_text(json.dumps(listed))
    return folder


def _composing(checkpoint: Checkpoint, people: list[str]) -> Checkpoint:
    torch.manual_seed(0)
    write_part(checkpoint.directory, "compositor", Compositor(checkpoint.config.compositor).eval())
    provenance = {**checkpoint.provenance, "compositor": {"people": people}}
    return write_index(checkpoint.directory, checkpoint.config, list(checkpoint.prompts.values()), provenance)


def _run(folder: Path, checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    prompt = next(iter(checkpoint.prompts))
    arguments = ["evaluate", "--photos", str(folder), "--checkpoint", str(checkpoint.directory), "--prompts", prompt, *flags]
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_every_way_of_editing_has_its_row(
    pair_folder: Path, tiny_checkpoint: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = _composing(tiny_checkpoint, [])
    report = json.loads(_run(pair_folder, checkpoint, capsys, "--json", "--sheet", str(tmp_path / "sheet.png")))
    names = ["no edit", "pasted", "change added", "flow between the decodes", "compositor, fp32", "the real smile"]
    assert list(report["rows"]) == names and report["people"] == ["000", "001"]
    rest, real = report["rows"]["no edit"], report["rows"]["the real smile"]
    assert rest["unchanged_pixels"]["value"] == 1.0 and rest["corner_motion"]["value"] == pytest.approx(0.0, abs=1e-6)
    assert real["corner_motion"]["value"] == pytest.approx(1.0) and real["structure_distance"]["value"] == 0.0
    for figures in report["rows"].values():
        if "best_psnr_db" in figures:
            assert figures["best_psnr_db"]["value"] >= rest["psnr_db"]["value"] - 1e-9
    assert Image.open(tmp_path / "sheet.png").size == (2 * SIDE, len(names) * SIDE)


def test_people_that_were_trained_on_are_left_out(
    pair_folder: Path, tiny_checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = _composing(tiny_checkpoint, ["000"])
    assert "1 person" in _run(pair_folder, checkpoint, capsys)
    assert "2 people" in (told := _run(pair_folder, checkpoint, capsys, "--everyone")) and "was trained on 1 of them" in told


def test_nobody_left_is_said(pair_folder: Path, tiny_checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = _composing(tiny_checkpoint, ["000", "001"])
    assert main(["evaluate", "--photos", str(pair_folder), "--checkpoint", str(checkpoint.directory)]) == 1
    assert "trained on everybody" in capsys.readouterr().err
