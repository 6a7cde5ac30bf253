"""Training faces: a folder written by `render`, one split of it decoded once into a memory-mapped uint8 array."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from rich.console import Console
from rich.progress import track
from torch import Tensor

from textedit_core.atomic import replacing_file, write_text
from textedit_core.errors import UserError, unknown_name
from textedit_core.pixels import PixelSpec
from textedit_core.synthetic.shards import Sample, dataset_hash, read_index, read_listed_shard
from textedit_core.synthetic.splits import SPLITS

INDEX_NAME = "dataset.json"
FORMAT_VERSION = 2
_CACHE_NAME = "cache-{split}-{size}-{key}"
_THREADS = 4


class FaceDataset:
    """The images of one split of a rendered folder, kept as uint8 [N,3,S,S].

    Args:
        folder: holds dataset.json and the shards that it lists.
        split: "train" to learn from, "validation" to look at while learning, "test" to measure with.
        size: side in pixels; the decoded array and the labels are cached beside the shards, by the dataset's hash.
        styles: keeps only images of these styles ("photo", "sketch", "cartoon"); None keeps all.

    Attributes:
        labels: the sidecar of each image (identity, style, attributes, captions, landmarks, ...) but for its `parameters`.
        keys: the name of each image in its shard, e.g. "000123".
        scene_codes: float32 [N,Z]; `scene_code_names` has the Z names.
        identities: int64 [N] from 0 to `num_identities` - 1.

    Raises:
        UsageError: the split does not exist.
        UserError: the folder is missing, unfinished or damaged, or has no such images.
    """

    def __init__(self, folder: Path, split: str, size: int, styles: tuple[str, ...] | None = None) -> None:
        if split not in SPLITS:
            raise unknown_name("split", split, list(SPLITS), "the splits are")
        self.folder, self.split, self.pixel, self.styles = folder, split, PixelSpec(size=size), styles
        self.index = read_index(folder, INDEX_NAME, FORMAT_VERSION)
        self.scene_code_names: list[str] = self.index["scene_code_names"]
        entries = [entry for entry in self.index["shards"] if entry["split"] == split]
        array, labels = _decoded(folder, entries, _CACHE_NAME.format(split=split, size=size, key=dataset_hash(self.index)), size)
        keep = [row for row, label in enumerate(labels) if styles is None or label["style"] in styles]
        if not keep:
            raise UserError(f"{str(folder)!r} has no {split} images of style {' or '.join(styles or ('any',))}; render more")
        self.labels = [labels[row] for row in keep]
        self.keys = [label["key"] for label in self.labels]
        self._array, self._rows = array, np.array(keep)
        self.scene_codes = torch.tensor([label["scene_code"] for label in self.labels], dtype=torch.float32)
        classes = {identity: k for k, identity in enumerate(sorted({label["identity"] for label in self.labels}))}
        self.identities = torch.tensor([classes[label["identity"]] for label in self.labels])
        self.num_identities = len(classes)

    def __len__(self) -> int:
        return len(self.labels)

    def of_every_style(self) -> FaceDataset:
        """The same split with the images that `styles` left out."""
        return self if self.styles is None else FaceDataset(self.folder, self.split, self.pixel.size)

    def images(self, indices: Tensor | list[int]) -> Tensor:
        """float32 [B,3,S,S] in [-1,1] of the given rows of this split."""
        rows = self._rows[np.asarray(indices)]
        return self.pixel.from_uint8(torch.from_numpy(self._array[rows]))

    def picture(self, row: int) -> Image.Image:
        """The stored image of a row at its full resolution, RGB.

        Raises:
            UserError: its shard is missing or damaged.
        """
        key, shard = self.keys[row], self.labels[row]["shard"]
        entry = next(entry for entry in self.index["shards"] if entry["name"] == shard)
        return _opened(read_listed_shard(self.folder, entry)[key]["png"], f"{shard}:{key}.png")

    def captions(self) -> list[str]:
        """Every caption of this split, with repetition."""
        return [text for label in self.labels for text in label["captions"]]


def require_several_people(data: FaceDataset, stage: str) -> None:
    """Raises UserError where the data shows one person alone, which leaves a stage nobody to tell apart."""
    if data.num_identities < 2:
        raise UserError(f"{str(data.folder)!r} shows {data.num_identities} person; the {stage} stage tells people apart, render more")


def _decoded(folder: Path, entries: list[dict[str, Any]], name: str, size: int) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """The images and labels of some shards, from the cache `name` when it is there."""
    pixels, labels = folder / f"{name}.npy", folder / f"{name}.json"
    if not (pixels.is_file() and labels.is_file()):
        _decode(folder, entries, pixels, labels, size)
    return np.load(pixels, mmap_mode="r"), json.loads(labels.read_text("utf8"))


def _decode(folder: Path, entries: list[dict[str, Any]], pixels: Path, labels: Path, size: int) -> None:
    count = sum(entry["samples"] for entry in entries)
    if not count:
        raise UserError(f"{str(folder)!r} has no images of this split: it takes people number 18 and 19 of every 20; render more")
    sidecars: list[dict[str, Any]] = []
    # Two stages that start at once on a new dataset both decode it, each into a draft of its own.
    with replacing_file(pixels) as draft:
        array = np.lib.format.open_memmap(draft, mode="w+", dtype=np.uint8, shape=(count, 3, size, size))
        with ThreadPoolExecutor(_THREADS) as pool:
            for entry in track(entries, "decoding images", console=Console(stderr=True)):
                samples = read_listed_shard(folder, entry)
                first = len(sidecars)
                for row, image in enumerate(pool.map(lambda item: _load(item, size), samples.items()), first):
                    array[row] = image
                sidecars += [{**_sidecar(item), "key": item[0], "shard": entry["name"]} for item in samples.items()]
        array.flush()
        write_text(labels, json.dumps(sidecars))
    _drop_stale(pixels)


def _drop_stale(current: Path) -> None:
    """Removes the caches of the same split and size that belong to what the folder held before."""
    stem = current.stem.rsplit("-", 1)[0]
    for other in current.parent.glob(f"{stem}-*"):
        if not other.name.startswith(f"{current.stem}."):
            other.unlink(missing_ok=True)


def _sidecar(item: tuple[str, Sample]) -> dict[str, Any]:
    key, sample = item
    try:
        label = json.loads(sample["json"])
        # The scene code says the same in fewer words.
        del label["parameters"]
        return label
    except (KeyError, ValueError) as error:
        raise UserError(f"the sidecar of image {key} is missing or damaged ({error}); render the dataset again") from None


def _load(item: tuple[str, Sample], size: int) -> np.ndarray:
    key, sample = item
    image = _opened(sample.get("png", b""), f"{key}.png")
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(image).transpose(2, 0, 1)


def _opened(data: bytes, name: str) -> Image.Image:
    try:
        with Image.open(BytesIO(data)) as image:
            return image.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise UserError(f"the image {name} cannot be decoded: {error}; render the dataset again") from None
