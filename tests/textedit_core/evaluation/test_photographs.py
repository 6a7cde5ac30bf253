"""Edits of photographs against real changes: the measures on pictures whose answer is known, and the rows of a whole evaluation."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from textedit_core.__main__ import main
from textedit_core.checkpoints.store import Checkpoint, write_index, write_part
from textedit_core.compositor import Compositor
from textedit_core.errors import UserError
from textedit_core.evaluation.photo_measures import MOUTH, SIDE, mouth_psnr, pushed, share_of_way, structure_distance, tracked, unchanged
from textedit_core.evaluation.photo_table import format_photographs
from textedit_core.evaluation.photo_ways import models_of
from textedit_core.evaluation.photographs import strengths_of
from textedit_core.photo_pairs import CHANGED, LANDMARKS_NAME, REST
from textedit_core.photo_sheet import sheet_size

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
    whole, half, back = (tracked(CORNERS, rest, _up(rest, pixels)) for pixels in (4, 2, -2))
    # Optical flow finds whole motions to a few percent.
    assert whole == pytest.approx(np.array([[0, -4], [0, -4]]), abs=0.2)
    assert share_of_way(half, whole) == (pytest.approx(0.5, abs=0.05), 1.0)
    assert share_of_way(back, whole) == (pytest.approx(-0.5, abs=0.05), 0.0)
    assert np.isnan(share_of_way(half, np.zeros((2, 2)))).all()


def test_a_field_pushes_points_to_where_their_content_is_shown() -> None:
    middles = (np.arange(32) + 0.5) / 32
    across = np.broadcast_to(middles, (32, 32))
    # Place u shows what was at u + (0.1 - 0.2 u): the content of u is shown at (u - 0.1) / 0.8.
    flow = np.stack([0.1 - 0.2 * across, np.full((32, 32), 0.05)], -1).astype(np.float32)
    points = np.array([[0.3, 0.7], [0.6, 0.4]])
    shown = np.stack([(points[:, 0] - 0.1) / 0.8, points[:, 1] - 0.05], -1)
    assert points + pushed(points, flow) == pytest.approx(shown, abs=1e-6)


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


def _refused(folder: Path, checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str], code: int, *flags: str) -> str:
    prompt = next(iter(checkpoint.prompts))
    assert main(["evaluate", "--photos", str(folder), "--checkpoint", str(checkpoint.directory), "--prompts", prompt, *flags]) == code
    return capsys.readouterr().err.replace("\n", " ")


def test_every_way_of_editing_has_its_row(
    pair_folder: Path, tiny_checkpoint: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = _composing(tiny_checkpoint, [])
    report = json.loads(_run(pair_folder, checkpoint, capsys, "--json", "--sheet", str(tmp_path / "sheet.png")))
    assert report["rows_trained_on"]["pasted"] == {} and report["landmarked"] == [] and report["strength"] == 1.0
    names = ["no edit", "pasted", "change added", "flow between the decodes", "compositor, fp32", "the real smile"]
    assert list(report["rows"]) == names and report["people"] == ["000", "001"]
    rest, real = report["rows"]["no edit"], report["rows"]["the real smile"]
    assert rest["unchanged_pixels"]["value"] == 1.0 and rest["corner_motion"]["value"] == pytest.approx(0.0, abs=1e-6)
    # The way was found in that very picture.
    assert real["corner_motion"] is None and real["structure_distance"]["value"] == 0.0
    # Every answer is the same two pixels away, so that all count alike.
    for name in names[:5]:
        figures = report["rows"][name]
        assert figures["pooled_motion"]["value"] == pytest.approx(figures["corner_motion"]["value"], abs=0.1)
        assert figures["psnr_gain_db"]["value"] == pytest.approx(figures["psnr_db"]["value"] - rest["psnr_db"]["value"])
    assert [name for name in names if "field_motion" in report["rows"][name]] == names[3:5]
    for figures in report["rows"].values():
        if "best_psnr_db" in figures:
            assert figures["best_psnr_db"]["value"] >= rest["psnr_db"]["value"] - 1e-9
    assert Image.open(tmp_path / "sheet.png").size == sheet_size(2, len(names) - 1)


def test_people_that_were_trained_on_are_left_out(
    pair_folder: Path, tiny_checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = _composing(tiny_checkpoint, ["000"])
    alone = json.loads(_run(pair_folder, checkpoint, capsys, "--json"))
    both = json.loads(_run(pair_folder, checkpoint, capsys, "--json", "--everyone"))
    assert alone["people"] == both["people"] == ["001"] and both["trained_on"] == ["000"]
    # Who was trained on has a table of his own and no part in the first one.
    assert alone["rows"] == both["rows"] and both["rows_trained_on"]["pasted"]["psnr_db"]["n"] == 1
    told = format_photographs(both)
    assert "1 person whom the compositor was not trained on" in told and "1 person whom the compositor was trained on" in told


def test_landmarks_of_the_smile_judge_what_is_tracked(
    pair_folder: Path, tiny_checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = json.loads((pair_folder / LANDMARKS_NAME).read_text())
    for number in range(2):
        # `pair_folder` moves everything up by two pixels.
        points = np.array(listed[f"{REST}/{number:03d}.png"]["points"]) + [3, -2]
        listed[f"{CHANGED}/{number:03d}.png"] = {"points": points.tolist()}
    (pair_folder / LANDMARKS_NAME).write_text(json.dumps(listed))
    report = json.loads(_run(pair_folder, _composing(tiny_checkpoint, []), capsys, "--json"))
    assert report["landmarked"] == ["000", "001"]
    assert report["rows"]["the real smile"]["corner_motion"]["value"] == pytest.approx(1.0, abs=0.1)


def test_strengths_stay_within_the_range_of_the_prompt(tiny_checkpoint: Checkpoint) -> None:
    prompt = next(iter(tiny_checkpoint.prompts.values()))
    ranged = dataclasses.replace(prompt, strength_min=0.0, strength_default=0.6, strength_max=0.9)
    assert strengths_of(ranged) == ((0.5, 0.6, 0.75), 0.6)
    assert strengths_of(dataclasses.replace(ranged, strength_max=1.2)) == ((0.5, 0.75, 1.0), 1.0)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("points", [[1, 2]], "points of neutral/000.png are [1, 2]; expected finite numbers [189, 2]"),
        ("points", [[float("nan"), 1]] * 189, "expected finite numbers"),
        ("points", [[1e4, 1e4]] * 189, "000.png': landmark left_eye at 10000,10000 lies outside"),
        ("to_smiling", [[0, 0, 0], [0, 0, 0]], "to_smiling of neutral/000.png turns or scales unevenly"),
        ("to_smiling", [[1, 0, 0], [0, -1, 0]], "expected a similarity"),
    ],
)
def test_landmarks_of_no_use_are_named(
    key: str, value: object, said: str, pair_folder: Path, tiny_checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = json.loads((pair_folder / LANDMARKS_NAME).read_text())
    listed[f"{REST}/000.png"][key] = value
    (pair_folder / LANDMARKS_NAME).write_text(json.dumps(listed))
    assert said in _refused(pair_folder, tiny_checkpoint, capsys, 1)


def test_what_cannot_be_measured_is_refused_before_any_work(
    pair_folder: Path, tiny_checkpoint: Checkpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pair_folder / CHANGED / "001.png").rename(tmp_path / "away.png")
    assert "001.png' is missing" in _refused(pair_folder, tiny_checkpoint, capsys, 1)
    (tmp_path / "away.png").rename(pair_folder / CHANGED / "001.png")
    assert "0 people leave nothing" in _refused(pair_folder, tiny_checkpoint, capsys, 2, "--groups", "0")
    assert "--html is of the evaluation on rendered faces" in _refused(pair_folder, tiny_checkpoint, capsys, 2, "--html", "page.html")
    assert "nowhere" in _refused(pair_folder, tiny_checkpoint, capsys, 1, "--sheet", str(tmp_path / "nowhere" / "sheet.jpg"))
    assert "has no landmarks.json" in _refused(tmp_path, tiny_checkpoint, capsys, 1)
    assert main(["evaluate", "--everyone"]) == 2 and "give --photos DIR too" in capsys.readouterr().err


def test_bundles_without_a_compositor_or_of_one_name_are_refused() -> None:
    networks, bundle = (SimpleNamespace(has_compositor=True, name=name) for name in ("fp32", "onnx int8"))
    assert [list(model.ways)[-1] for model in models_of(networks, [bundle])] == ["compositor, fp32", "compositor, onnx int8"]
    with pytest.raises(UserError, match="two bundles are onnx int8"):
        models_of(networks, [bundle, bundle])
    with pytest.raises(UserError, match="onnx int8 has no compositor"):
        models_of(networks, [SimpleNamespace(has_compositor=False, name="onnx int8")])


def test_nobody_left_is_said(pair_folder: Path, tiny_checkpoint: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    assert "trained on everybody" in _refused(pair_folder, _composing(tiny_checkpoint, ["000", "001"]), capsys, 1)
