"""Plain photographs: a folder of aligned faces without labels or scene codes, split by name and decoded once."""

from __future__ import annotations

import functools
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import track
from torch import Tensor

from textedit_core.atomic import replacing_file
from textedit_core.errors import UserError
from textedit_core.hashing import sha256_of
from textedit_core.photos import open_photo
from textedit_core.pixels import PixelSpec
from textedit_core.synthetic.splits import split_of

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
MIN_PHOTOS = 8
_CACHE_NAME = "cache-photos-{size}-{key}.npy"
_THREADS = 4


class PhotoFolder:
    """The images of one split of a folder of aligned, square photographs, kept as uint8 [N,3,S,S].

    A photo's split follows from a hash of its name, so that it stays where it is when photos are added.

    Args:
        folder: holds PNG, JPEG or WebP files, at any depth.
        split: "train", "validation" or "test".
        size: side in pixels; the decoded array is cached in the folder.

    Raises:
        UserError: the folder does not exist, has too few photos, or one cannot be decoded or is not square.
    """

    def __init__(self, folder: Path, split: str, size: int) -> None:
        self.folder, self.pixel = folder, PixelSpec(size=size)
        if not folder.is_dir():
            raise UserError(f"{str(folder)!r} is no folder; point --data at a rendered dataset or at aligned photographs")
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        if len(paths) < MIN_PHOTOS:
            raise UserError(f"{str(folder)!r} has {len(paths)} photographs; training needs at least {MIN_PHOTOS} of {', '.join(SUFFIXES)}")
        names = [path.relative_to(folder).as_posix() for path in paths]
        self._array = _decoded(folder, paths, names, size)
        kept = [row for row, name in enumerate(names) if split_of(_number(name)) == split]
        # A small folder may have nothing held out by name; then its ends serve.
        ends = {"train": list(range(len(names))), "validation": [0], "test": [len(names) - 1]}
        self._rows = np.array(kept or ends[split])

    def __len__(self) -> int:
        return len(self._rows)

    @functools.cached_property
    def labels(self) -> list[dict[str, Any]]:
        """What is known of each photo: the sha256 of its decoded pixels, under the same key as a rendered face's."""
        return [{"sha256": sha256_of(self._array[row].tobytes())} for row in self._rows]

    def of_every_style(self) -> PhotoFolder:
        """The photos themselves: what style they have is not known."""
        return self

    def images(self, indices: Tensor | list[int]) -> Tensor:
        """float32 [B,3,S,S] in [-1,1] of the given rows of this split."""
        return self.pixel.from_uint8(torch.from_numpy(self._array[self._rows[np.asarray(indices)]]))


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def _decoded(folder: Path, paths: list[Path], names: list[str], size: int) -> np.ndarray:
    listing = [f"{name} {path.stat().st_size} {path.stat().st_mtime_ns}" for name, path in zip(names, paths, strict=True)]
    # Arrays from before colour profiles were honoured have no such first line, and are not taken for these.
    key = sha256_of("\n".join(["sRGB", *listing]).encode())[:12]
    cache = folder / _CACHE_NAME.format(size=size, key=key)
    if not cache.is_file():
        with replacing_file(cache) as draft:
            array = np.lib.format.open_memmap(draft, mode="w+", dtype=np.uint8, shape=(len(paths), 3, size, size))
            with ThreadPoolExecutor(_THREADS) as pool:
                decoded = pool.map(lambda path: _pixels(path, size), paths)
                for row, pixels in enumerate(track(decoded, "decoding", total=len(paths), console=Console(stderr=True))):
                    array[row] = pixels
            array.flush()
    return np.load(cache, mmap_mode="r")


def _pixels(path: Path, size: int) -> np.ndarray:
    photo = open_photo(path).image
    if photo.width != photo.height:
        raise UserError(f"{str(path)!r} is {photo.width}x{photo.height}; training needs aligned, square photographs")
    return np.asarray(photo.resize((size, size), Image.Resampling.LANCZOS)).transpose(2, 0, 1)
