"""What may be rendered where: numbers that make sense, no mixing with another rendering, no leftovers of a killed run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textedit_core import atomic
from textedit_core.errors import UsageError, UserError
from textedit_core.synthetic.shard_workers import ShardTask, core_count, draw_shards
from textedit_core.synthetic.shards import SHARD_FOLDER, write_atomically

SMALLEST_SIDE = 16


def check_settings(folder: Path, name: str, settings: dict[str, Any], size: str) -> None:
    """Refuses to mix a new rendering with what a folder holds already; more of the same is welcome.

    Args:
        folder: where to render to.
        name: of the index file.
        settings: what the index would say.
        size: which of the settings may grow.

    Raises:
        UserError: the folder holds another rendering, or more than is asked for.
    """
    try:
        found = json.loads((folder / name).read_text("utf8"))
    except (OSError, ValueError):
        return
    for key, value in settings.items():
        old = found.get(key)
        if (old != value and key != size) or (key == size and (old or 0) > value):
            raise UserError(f"{str(folder)!r} holds a rendering with {key} {old}, not {value}; choose another --out, or delete the folder")


def check_request(count: int, resolution: int, workers: int | None, what: str) -> None:
    """Checks what a user asked for before anything is written.

    Raises:
        UsageError: a number is too small.
    """
    core_count(workers)
    if count < 1:
        raise UsageError(f"cannot render {count} {what}; ask for at least 1")
    if resolution < SMALLEST_SIDE:
        raise UsageError(f"--resolution {resolution} is too small; give at least {SMALLEST_SIDE} pixels")


def draw_set(
    folder: Path,
    name: str,
    version: int,
    index: dict[str, Any],
    tasks: Sequence[ShardTask],
    assets: Path,
    resolution: int,
    workers: int | None,
) -> None:
    """Draws the shards of a set that are not there yet; its index says that it is not complete until they are.

    Args:
        folder: of the set.
        name: of the index file.
        version: of the index's format.
        index: what the index says beside these and the shards.
        tasks, assets, resolution, workers: as for `draw_shards`.

    Raises:
        UserError: as `draw_shards`.
    """
    sweep(folder)
    unfinished = {"format_version": version, "complete": False, **index, "shards": []}
    write_atomically(folder / name, json.dumps(unfinished, indent=1).encode())
    entries = draw_shards(tasks, folder, assets, resolution, workers)
    write_atomically(folder / name, json.dumps({**unfinished, "complete": True, "shards": entries}, indent=1).encode())


def sweep(folder: Path) -> None:
    """Removes the half-written files that a killed run has left; those of a run that goes on stay."""
    for each in (folder, folder / SHARD_FOLDER):
        atomic.sweep(each)
