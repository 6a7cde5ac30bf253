"""Rendering a dataset: what is planned, and one small dataset drawn, killed, damaged and finished."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from textedit_core.errors import UsageError, UserError
from textedit_core.synthetic.dataset import STYLE_SHARES, contact_sheet, plan, render_dataset
from textedit_core.synthetic.shards import unpack_shard
from textedit_core.synthetic.splits import split_of
from textedit_core.training.data import FaceDataset

COUNT, SIDE = 84, 32


@pytest.fixture(scope="module")
def folder(graphics: None, packed_assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """84 samples at 32 px, one or two views of each person, drawn by two processes."""
    out = tmp_path_factory.mktemp("dataset")
    render_dataset(packed_assets, out, COUNT, resolution=SIDE, workers=2, views_per_identity=2)
    return out


def _contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("cache")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_longer_plan_begins_with_the_shorter_one() -> None:
    short, long = plan(50, seed=3, views_per_identity=2), plan(90, seed=3, views_per_identity=2)
    assert long[: len(short) - 1] == short[:-1]
    assert sum(len(view.styles) for view in short) == 50
    assert [view.first for view in short] == np.cumsum([0] + [len(view.styles) for view in short])[:-1].tolist()


def test_partners_in_other_styles_have_their_share() -> None:
    views = plan(1500, seed=0, views_per_identity=6)
    for style, share in STYLE_SHARES.items():
        drawn = sum(style in view.styles for view in views) / len(views)
        # Three standard errors of a share of about 1,100 views.
        assert drawn == pytest.approx(share, abs=3 * (share * (1 - share) / len(views)) ** 0.5)
    assert all(view.styles[0] == "photo" for view in views)


@pytest.mark.parametrize("wrong", [{"count": 0}, {"resolution": 8}, {"workers": 0}, {"views_per_identity": 0}])
def test_numbers_that_make_no_sense_are_usage_errors(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="0|8"):
        render_dataset(tmp_path, tmp_path / "out", **{"count": 4, **wrong})
    assert not (tmp_path / "out").exists()


def test_index_card_and_samples_agree(folder: Path) -> None:
    index = json.loads((folder / "dataset.json").read_text())
    assert index["complete"] and index["format_version"] == 2 and sum(index["splits"].values()) == COUNT
    seen = []
    for entry in index["shards"]:
        for key, sample in unpack_shard((folder / "shards" / entry["name"]).read_bytes(), entry["name"]).items():
            label = json.loads(sample["json"])
            assert split_of(label["identity"]) == label["split"] == entry["split"]
            assert label["attributes"]["style"] == label["style"] == label["parameters"]["style"]
            assert len(label["scene_code"]) == len(index["scene_code_names"])
            landmarks = np.array(label["landmarks"])
            assert landmarks.shape == (5, 2) and (landmarks > 0).all() and (landmarks < SIDE).all()
            seen.append(key)
    assert sorted(seen) == [f"{number:06d}" for number in range(COUNT)]
    card = (folder / "README.md").read_text()
    assert "84 images" in card and "CC0-1.0" in card and "What it is not" in card
    # The shares of each table add up to all images.
    rows = [line for line in card.split("| Style")[1].split("| Age")[0].splitlines() if line.startswith("| ") and "images" not in line]
    assert sum(int(row.split("|")[2]) for row in rows) == COUNT


def test_training_reads_it(folder: Path) -> None:
    photos = FaceDataset(folder, "train", SIDE, styles=("photo",))
    drawings = FaceDataset(folder, "train", SIDE, styles=("sketch", "cartoon"))
    assert len(photos) + len(drawings) == json.loads((folder / "dataset.json").read_text())["splits"]["train"]
    assert len(drawings) > 0 and photos.images([0]).shape == (1, 3, SIDE, SIDE)


def test_a_killed_run_goes_on_and_the_number_of_processes_does_not_matter(
    folder: Path, packed_assets: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = _contents(folder)
    kept = folder / "shards" / "train-00000.tar"
    modified = kept.stat().st_mtime_ns
    # What a kill in the middle leaves: a shard less, a half-written scratch file, no finished index; and a disk that lost some bytes.
    (folder / "shards" / "test-00000.tar").unlink()
    abandoned = folder / "shards" / ".textedit-writing-xyz" / "new"
    abandoned.mkdir(parents=True)
    (abandoned / "test-00000.tar").write_bytes(b"half")
    damaged = folder / "shards" / "train-00001.tar"
    damaged.write_bytes(damaged.read_bytes()[:3000])
    index = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**index, "complete": False, "shards": []}))
    render_dataset(packed_assets, folder, COUNT, resolution=SIDE, workers=1, views_per_identity=2)
    assert _contents(folder) == before
    assert kept.stat().st_mtime_ns == modified


def test_another_dataset_is_not_mixed_in(folder: Path, packed_assets: Path) -> None:
    with pytest.raises(UserError, match="holds a rendering with resolution 32, not 64; choose another --out"):
        render_dataset(packed_assets, folder, COUNT, resolution=64, views_per_identity=2)
    with pytest.raises(UserError, match="with count 84, not 10"):
        render_dataset(packed_assets, folder, 10, resolution=SIDE, views_per_identity=2)


def test_contact_sheet_shows_first_and_last(folder: Path, tmp_path: Path) -> None:
    contact_sheet(folder, tmp_path / "sheet.png", columns=3, rows=2)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (2 * SIDE, 3 * SIDE, 3)
    first = FaceDataset(folder, "train", SIDE)
    assert np.array_equal(sheet[:SIDE, :SIDE], np.asarray(first.picture(0)))


def test_a_missing_dataset_has_no_sheet(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dataset.json.*missing"):
        contact_sheet(tmp_path, tmp_path / "sheet.png")


def test_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file in the way")
    with pytest.raises(UserError, match="cannot write .*dataset.json"):
        render_dataset(tmp_path, tmp_path / "out", 4)
