"""Training faces: a folder of aligned images with sidecars, decoded once into one memory-mapped uint8 array."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from rich.progress import track
from torch import Tensor

from textedit_core.errors import UserError
from textedit_core.pixels import PixelSpec

CACHE_NAME = "cache-{size}.npy"


class FaceDataset:
    """The images of one split ("train" or "heldout") of a rendered folder, kept as uint8 [N,3,S,S].

    Args:
        folder: holds dataset.json and images/*.png with their sidecars.
        split: which identities.
        styles: keeps only images of these styles ("photo", "sketch").
        size: side in pixels; the decoded array is cached beside the images.

    Raises:
        UserError: the folder, an image or a sidecar is missing or damaged, or the split is empty.
    """

    def __init__(self, folder: Path, split: str, size: int, styles: tuple[str, ...] = ("photo", "sketch")) -> None:
        self.folder, self.pixel = folder, PixelSpec(size=size)
        self.scene_code_names: list[str] = _read_json(folder / "dataset.json")["scene_code_names"]
        paths = sorted((folder / "images").glob("*.json"))
        with ThreadPoolExecutor(4) as pool:
            sidecars: list[dict[str, Any]] = list(pool.map(_read_json, paths))
        array = _decoded(folder, [path.with_suffix(".png") for path in paths], size)
        keep = [i for i, s in enumerate(sidecars) if s["split"] == split and s["style"] in styles]
        if not keep:
            raise UserError(f"{str(folder)!r} has no {split} images of style {' or '.join(styles)}; render more")
        self.labels = [sidecars[i] for i in keep]
        self.paths = [paths[i].with_suffix(".png") for i in keep]
        self._array, self._rows = array, np.array(keep)
        self.scene_codes = torch.tensor([s["scene_code"] for s in self.labels], dtype=torch.float32)
        classes = {identity: k for k, identity in enumerate(sorted({s["identity"] for s in self.labels}))}
        self.identities = torch.tensor([classes[s["identity"]] for s in self.labels])
        self.num_identities = len(classes)

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: Tensor | list[int]) -> Tensor:
        """float32 [B,3,S,S] in [-1,1] of the given rows of this split."""
        rows = self._rows[np.asarray(indices)]
        return self.pixel.from_uint8(torch.from_numpy(self._array[rows]))

    def captions(self) -> list[str]:
        """Every caption of this split, with repetition."""
        return [text for label in self.labels for text in label["captions"]]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{str(path)!r} is missing or damaged ({error}); render the dataset again to fill the gap") from None


def _decoded(folder: Path, paths: list[Path], size: int) -> np.ndarray:
    cache = folder / CACHE_NAME.format(size=size)
    if cache.is_file():
        array = np.load(cache, mmap_mode="r")
        if array.shape == (len(paths), 3, size, size):
            return array
    scratch = cache.with_suffix(".writing")
    array = np.lib.format.open_memmap(scratch, mode="w+", dtype=np.uint8, shape=(len(paths), 3, size, size))
    with ThreadPoolExecutor(4) as pool:
        loaded = pool.map(lambda path: _load_png(path, size), paths)
        for row, pixels in enumerate(track(loaded, "decoding images", total=len(paths))):
            array[row] = pixels
    array.flush()
    scratch.replace(cache)
    return np.load(cache, mmap_mode="r")


def _load_png(path: Path, size: int) -> np.ndarray:
    try:
        with Image.open(path) as image:
            rgb = image.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise UserError(f"{str(path)!r} cannot be decoded: {error}; render the dataset again to fill the gap") from None
    if rgb.size != (size, size):
        rgb = rgb.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(rgb).transpose(2, 0, 1)
