"""What examples from photographs share: arrays that are computed once, and batches of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from textedit_core.atomic import replacing_file
from textedit_core.training.compositor.examples import Examples, as_floats

Pictures = NDArray[np.uint8]
Arrays = dict[str, NDArray[Any]]


def kept(cache: Path, name: str, make: Callable[[], Arrays]) -> Arrays:
    """Arrays that were computed once; `name` tells all that they follow from, but for the networks, which `cache` stands for."""
    path = cache / f"{name}.npz"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with replacing_file(path) as draft, open(draft, "wb") as stream:
            np.savez(stream, **make())  # type: ignore[arg-type]
    with np.load(path, allow_pickle=False) as stored:
        return {each: stored[each] for each in stored.files}


def draws_of(name: str, number: int = 0) -> np.random.Generator:
    """A random stream that belongs to a name."""
    return np.random.default_rng([int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"), number])


def real_examples(
    photo: Pictures,
    target: Pictures,
    before: Pictures,
    after: Pictures,
    flow: NDArray[np.float16],
    seen: Pictures,
    styled: NDArray[np.float64],
    cell: int,
) -> Examples:
    """A batch of photographs: pictures uint8 [N,S,S,3], motion [N,S/2,S/2,2], seen 0 to 255 [N,S,S], styled [N] 0 or 1."""
    side = photo.shape[1] // cell
    field = torch.from_numpy(flow.astype(np.float32)).permute(0, 3, 1, 2)
    return Examples(
        photo=as_floats(photo, cell),
        target=as_floats(target, cell),
        before=as_floats(before, cell),
        after=as_floats(after, cell),
        flow=F.interpolate(field, size=(side, side), mode="bilinear", align_corners=False),
        seen=F.avg_pool2d(torch.from_numpy(seen.astype(np.float32) / 255.0)[:, None], cell),
        styled=torch.from_numpy(styled.astype(np.float32)).view(-1, 1, 1, 1),
        real=torch.ones(len(photo), 1, 1, 1),
    )
