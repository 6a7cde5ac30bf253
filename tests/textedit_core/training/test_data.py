"""Reading a rendered folder: splits, styles, ranges, the cache, and errors that name the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from textedit_core.errors import UserError
from textedit_core.training.data import FaceDataset


@pytest.fixture
def folder(noise_dataset: Path, tmp_path: Path) -> Path:
    """A copy of the noise dataset without any cache, free to be damaged."""
    return shutil.copytree(noise_dataset, tmp_path / "data", ignore=shutil.ignore_patterns("*.npy"))


def test_splits_hold_different_people(folder: Path) -> None:
    train, heldout = FaceDataset(folder, "train", 32), FaceDataset(folder, "heldout", 32)
    assert (len(train), len(heldout)) == (16, 8)
    assert (train.num_identities, heldout.num_identities) == (4, 2)
    assert not {label["identity"] for label in train.labels} & {label["identity"] for label in heldout.labels}
    assert sorted(set(train.identities.tolist())) == [0, 1, 2, 3]


def test_style_filter(folder: Path) -> None:
    photos = FaceDataset(folder, "train", 32, styles=("photo",))
    assert len(photos) == 12  # three of the four images of each of four people
    assert {label["style"] for label in photos.labels} == {"photo"}


def test_images_are_the_files_pixels(folder: Path) -> None:
    data = FaceDataset(folder, "heldout", 32)
    image = data.images([3])
    assert image.shape == (1, 3, 32, 32) and image.dtype == torch.float32
    stored = torch.from_numpy(np.array(Image.open(data.paths[3]))).permute(2, 0, 1)
    torch.testing.assert_close(image[0], stored.float() / 127.5 - 1.0, rtol=0, atol=1e-6)


def test_other_size_is_resized(folder: Path) -> None:
    assert FaceDataset(folder, "train", 16).images([0, 1]).shape == (2, 3, 16, 16)


def test_cache_is_used_and_replaced_when_images_are_added(folder: Path) -> None:
    FaceDataset(folder, "train", 32)
    cache = folder / "cache-32.npy"
    written = cache.stat().st_mtime_ns
    FaceDataset(folder, "heldout", 32)
    assert cache.stat().st_mtime_ns == written
    for suffix in ("png", "json"):
        shutil.copy(folder / "images" / f"000000.{suffix}", folder / "images" / f"000024.{suffix}")
    assert len(FaceDataset(folder, "train", 32)) == 17
    assert np.load(cache, mmap_mode="r").shape == (25, 3, 32, 32)


def test_damaged_files_are_named(folder: Path) -> None:
    sidecar, picture = folder / "images" / "000003.json", folder / "images" / "000007.png"
    picture.write_bytes(picture.read_bytes()[:50])
    with pytest.raises(UserError, match="000007.png.*cannot be decoded.*render"):
        FaceDataset(folder, "train", 32)
    sidecar.write_text("{")
    with pytest.raises(UserError, match="000003.json.*damaged.*render"):
        FaceDataset(folder, "train", 32)
    (folder / "dataset.json").unlink()
    with pytest.raises(UserError, match="dataset.json.*missing"):
        FaceDataset(folder, "train", 32)


def test_empty_selection_says_what_is_missing(folder: Path) -> None:
    with pytest.raises(UserError, match="has no train images of style cartoon"):
        FaceDataset(folder, "train", 32, styles=("cartoon",))
