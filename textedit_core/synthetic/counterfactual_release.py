"""Makes the small copy of a counterfactual set that ships with this package: fewer groups, JPEG pictures, a bound on its size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from textedit_core.errors import UsageError, UserError
from textedit_core.synthetic.counterfactual_set import FORMAT_VERSION, INDEX_NAME, SHIPPED_FOLDER, SOURCE, CounterfactualSet
from textedit_core.synthetic.shards import SHARD_FOLDER, Sample, listed, shard_bytes, write_atomically

MAX_BYTES = 9_800_000
SHARD_GROUPS = 100
# A source is compared with every partner and goes through the encoder: it gets this much more quality than they.
SOURCE_BONUS = 8
_QUALITIES = (30, 92)


def ship(counterfactuals: Path, out: Path = SHIPPED_FOLDER, groups: int = 200) -> int:
    """Writes `groups` of a rendered set, spread evenly over it, as JPEG of the best quality that keeps all within 9.8 MB.

    Args:
        counterfactuals: a folder written by `render_counterfactuals`.
        out: where to; by default what `CounterfactualSet.open()` reads.
        groups: how many.

    Returns:
        The JPEG quality of the partners.

    Raises:
        UsageError: `groups` is below one.
        UserError: the set is missing or damaged, has fewer groups, does not fit at any quality, or `out` cannot be written.
    """
    rendered = CounterfactualSet.open(counterfactuals)
    if groups < 1:
        raise UsageError(f"cannot ship {groups} groups; give at least 1")
    if len(rendered) < groups:
        raise UserError(f"{str(counterfactuals)!r} has {len(rendered)} groups, fewer than {groups}; render more")
    rows = np.linspace(0, len(rendered) - 1, groups).round().astype(int).tolist()
    quality = _best_quality(rendered, rows)
    index = {
        **{key: rendered.index[key] for key in ("resolution", "seed", "edits", "licence")},
        **{"format_version": FORMAT_VERSION, "complete": True, "groups": groups, "picture": "jpg", "quality": quality, "shards": []},
    }
    for first in range(0, groups, SHARD_GROUPS):
        path = Path(out) / SHARD_FOLDER / f"groups-{first // SHARD_GROUPS:05d}.tar.gz"
        part = rows[first : first + SHARD_GROUPS]
        write_atomically(path, shard_bytes(_recoded(rendered, part, quality, first), compress=True))
        index["shards"].append(listed(path, len(part)))
    write_atomically(Path(out) / INDEX_NAME, json.dumps(index, indent=1).encode())
    return quality


def _best_quality(rendered: CounterfactualSet, rows: list[int]) -> int:
    low, high = _QUALITIES
    if _size(rendered, rows, low) > MAX_BYTES:
        raise UserError(f"{len(rows)} groups do not fit into {MAX_BYTES / 1e6:.1f} MB; ship fewer groups or edits")
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _size(rendered, rows, middle) <= MAX_BYTES else (low, middle - 1)
    return low


def _size(rendered: CounterfactualSet, rows: list[int], quality: int) -> int:
    # A quarter of the groups tells the size of all to a few tenths of a percent; headers and index take the rest of the margin.
    some = rows[:: max(len(rows) // 50, 1)]
    return round(len(shard_bytes(_recoded(rendered, some, quality, 0), compress=True)) * len(rows) / len(some))


def _recoded(rendered: CounterfactualSet, rows: list[int], quality: int, first: int) -> Iterator[tuple[str, Sample]]:
    for number, row in enumerate(rows, first):
        stored = rendered.files(row)
        label = json.loads(stored["json"])
        sample = {"figures.png": stored["figures.png"]}
        for name, member in label["members"].items():
            data = stored[f"{name}.{rendered.index['picture']}"]
            sample[f"{name}.jpg"] = _jpeg(data, min(quality + SOURCE_BONUS * (name == SOURCE), 95))
            # The hash of the shard covers the picture, and nobody draws the shipped scenes again.
            label["members"][name] = {key: member[key] for key in ("attributes", "landmarks")}
        yield f"{number:06d}", {**sample, "json": json.dumps(label).encode()}


def _jpeg(data: bytes, quality: int) -> bytes:
    stream = BytesIO()
    picture = Image.open(BytesIO(data)).convert("RGB")
    picture.save(stream, format="JPEG", quality=quality, subsampling="4:2:0", optimize=True, progressive=True)
    return stream.getvalue()
