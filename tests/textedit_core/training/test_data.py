"""Reading a rendered folder: splits, styles, ranges, the cache, and errors that name the file."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from textedit_core.atomic import replacing_file
from textedit_core.errors import UsageError, UserError
from textedit_core.training.data import FaceDataset


@pytest.fixture
def folder(noise_dataset: Path, tmp_path: Path) -> Path:
    """A copy of the noise dataset without any cache, free to be damaged."""
    return shutil.copytree(noise_dataset, tmp_path / "data", ignore=shutil.ignore_patterns("cache-*"))


def test_splits_hold_different_people(folder: Path) -> None:
    train, validation, test = (FaceDataset(folder, split, 32) for split in ("train", "validation", "test"))
    assert (len(train), len(validation), len(test)) == (16, 8, 8)
    assert (train.num_identities, validation.num_identities, test.num_identities) == (4, 2, 2)
    people = [{label["identity"] for label in data.labels} for data in (train, validation, test)]
    assert not people[0] & people[1] and not people[0] & people[2] and not people[1] & people[2]
    assert sorted(set(train.identities.tolist())) == [0, 1, 2, 3]


def test_style_filter(folder: Path) -> None:
    photos = FaceDataset(folder, "train", 32, styles=("photo",))
    assert len(photos) == 12  # three of the four images of each of four people
    assert {label["attributes"]["style"] for label in photos.labels} == {"photo"}


def test_images_are_the_stored_pixels(folder: Path) -> None:
    data = FaceDataset(folder, "test", 32)
    image = data.images([3])
    assert image.shape == (1, 3, 32, 32) and image.dtype == torch.float32
    # The fourth sample of person 19, who has the numbers 24 to 27.
    with tarfile.open(folder / "shards" / "test-00000.tar") as archive:
        member = archive.extractfile("000027.png")
        assert member is not None and data.keys[3] == "000027"
        stored = torch.from_numpy(np.array(Image.open(io.BytesIO(member.read())))).permute(2, 0, 1)
    torch.testing.assert_close(image[0], stored.float() / 127.5 - 1.0, rtol=0, atol=1e-6)
    assert np.array_equal(np.asarray(data.picture(3)), stored.permute(1, 2, 0).numpy())


def test_other_size_is_resized(folder: Path) -> None:
    assert FaceDataset(folder, "train", 16).images([0, 1]).shape == (2, 3, 16, 16)


def test_cache_is_reused_and_belongs_to_one_dataset(folder: Path) -> None:
    first = FaceDataset(folder, "train", 32)
    (cache,) = folder.glob("cache-train-32-*.npy")
    written = cache.stat().st_mtime_ns
    FaceDataset(folder, "train", 32)
    assert cache.stat().st_mtime_ns == written
    # Another dataset moves into the same folder: the same number of images of the same size, the second person's first.
    _swap_shards(folder)
    second = FaceDataset(folder, "train", 32)
    assert not torch.equal(first.images([0]), second.images([0])) and first.keys[0] != second.keys[0]
    assert len(list(folder.glob("cache-train-32-*.npy"))) == 1 and not cache.exists()


def test_two_processes_may_decode_at_once(folder: Path) -> None:
    # Another process is half way through the same decoding; it must find its own files when it is done.
    FaceDataset(folder, "train", 32)
    (cache,) = folder.glob("cache-train-32-*.npy")
    with replacing_file(cache) as half_done:
        half_done.write_bytes(b"half an array")
        cache.unlink()
        FaceDataset(folder, "train", 32)
        assert cache.exists() and half_done.exists()


def _swap_shards(folder: Path) -> None:
    path = folder / "shards" / "train-00000.tar"
    with tarfile.open(path) as archive:
        files = [(member, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]
    with tarfile.open(path, "w") as archive:
        for member, data in files[8:] + files[:8]:
            archive.addfile(member, io.BytesIO(data))
    index = json.loads((folder / "dataset.json").read_text())
    index["shards"][0]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "dataset.json").write_text(json.dumps(index))


def test_a_damaged_shard_is_named(folder: Path) -> None:
    path = folder / "shards" / "train-00000.tar"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UserError, match="train-00000.tar.*damaged.*same render command"):
        FaceDataset(folder, "train", 32)
    assert not list(folder.glob("cache-*"))
    path.unlink()
    with pytest.raises(UserError, match="train-00000.tar.*cannot be read.*same render command"):
        FaceDataset(folder, "train", 32)


def test_unfinished_missing_and_foreign_folders_are_refused(folder: Path) -> None:
    index = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**index, "complete": False}))
    with pytest.raises(UserError, match="not finished; finish it with the same render command"):
        FaceDataset(folder, "train", 32)
    (folder / "dataset.json").write_text(json.dumps({**index, "format_version": 1}))
    with pytest.raises(UserError, match="dataset.json.*format_version 1, not 2"):
        FaceDataset(folder, "train", 32)
    (folder / "dataset.json").unlink()
    with pytest.raises(UserError, match="dataset.json.*missing"):
        FaceDataset(folder, "train", 32)


def test_wrong_selections_say_what_there_is(folder: Path) -> None:
    with pytest.raises(UserError, match="has no train images of style cartoon"):
        FaceDataset(folder, "train", 32, styles=("cartoon",))
    with pytest.raises(UsageError, match="unknown split 'heldout'; the splits are: test, train, validation"):
        FaceDataset(folder, "heldout", 32)


def test_a_split_without_people_is_explained(folder: Path) -> None:
    index = json.loads((folder / "dataset.json").read_text())
    index["shards"] = [entry for entry in index["shards"] if entry["split"] != "test"]
    (folder / "dataset.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="no images of this split.*18 and 19 of every 20.*render more"):
        FaceDataset(folder, "test", 32)
