"""Draws shards in parallel: one process and one renderer per core, each shard the work of one process, kept once it is complete."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from textedit_core.errors import UsageError, UserError
from textedit_core.synthetic.assets import AssetTree, load_targets
from textedit_core.synthetic.shards import SHARD_FOLDER, Sample, listed, shard_bytes, unpack_shard, write_atomically

if TYPE_CHECKING:
    from textedit_core.synthetic.renderer import Renderer

_POLL_SECONDS = 0.25


class ShardTask(Protocol):
    """One shard to draw; it travels to another process.

    Attributes:
        name: file name.
        samples: how many samples the shard holds.
        images: how many images those are.
    """

    @property
    def name(self) -> str: ...

    @property
    def samples(self) -> int: ...

    @property
    def images(self) -> int: ...

    def draw(self, renderer: Renderer) -> Iterator[tuple[str, Sample, int]]:
        """Yields the key and the files of each sample, and how many images were drawn for it."""
        ...

    def accepts(self, samples: dict[str, Sample]) -> bool:
        """Whether the samples of a shard found on disk are what this task would draw."""
        ...


@dataclass(frozen=True)
class _Studio:
    """What a worker process needs to know."""

    folder: Path
    assets: Path
    resolution: int
    cache: Path


_studio: _Studio | None = None
_renderer: Renderer | None = None
_drawn: Any = None


def core_count(workers: int | None) -> int:
    """Returns the number of processes to start; None takes one per CPU core that this process may use.

    Raises:
        UsageError: it is below one.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"--workers {workers} is too small; give at least 1")
    free = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return workers or free or 1


def draw_shards(tasks: Sequence[ShardTask], folder: Path, assets: Path, resolution: int, workers: int | None) -> list[dict[str, Any]]:
    """Draws the shards that are not there yet, and returns the index entry (name, samples, sha256) of each in order.

    Args:
        tasks: shards to have at the end.
        folder: the dataset folder.
        assets: asset tree or pack.
        resolution: image side in pixels.
        workers: processes; None takes one per CPU core.

    Raises:
        UsageError: `workers` is below one.
        UserError: assets or the graphics driver are missing, the disk is full, or a process died. Complete shards stay.
    """
    count = min(core_count(workers), len(tasks))
    # Mesa reads this when a worker opens its context: one thread per process scales best.
    os.environ["LP_NUM_THREADS"] = "1"
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="textedit-targets-") as cache:
        # Parsed once for all workers; it also finds missing assets before any process starts.
        load_targets(AssetTree(assets), Path(cache) / "targets.npz")
        drawn = spawn.Value("q", 0)
        studio = _Studio(folder, assets, resolution, Path(cache))
        with ProcessPoolExecutor(count, spawn, _start_worker, (studio, drawn)) as pool:
            futures = [pool.submit(_work, task) for task in tasks]
            try:
                _watch(futures, tasks, drawn)
                return [future.result()[0] for future in futures]
            except BrokenProcessPool:
                raise UserError("a rendering process died (out of memory?); the same command goes on, with fewer --workers") from None
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


def _watch(futures: list[Future[tuple[dict[str, Any], bool]]], tasks: Sequence[ShardTask], drawn: Any) -> None:
    """Shows progress until every shard is there or one has failed."""
    columns = (TextColumn("faces"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    started, waiting = time.monotonic(), set(futures)
    images = dict(zip(futures, (task.images for task in tasks), strict=True))
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("faces", total=sum(images.values()), rate="")
        while waiting:
            done, waiting = wait(waiting, _POLL_SECONDS, FIRST_COMPLETED)
            failed = [future for future in done if future.exception()]
            if failed:
                failed[0].result()
            kept = sum(images[future] for future in futures if future.done() and future.result()[1])
            rate = drawn.value / (time.monotonic() - started)
            progress.update(bar, completed=kept + drawn.value, rate=f"{rate:.1f} images/s" if drawn.value else "")


def _start_worker(studio: _Studio, drawn: Any) -> None:
    global _studio, _drawn
    _studio, _drawn = studio, drawn
    # Ctrl-C reaches every process of the terminal; the parent has the word, and workers go without a traceback each.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    # A worker whose parent was killed would wait for work forever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _worker_renderer() -> Renderer:
    """The process's renderer, made by its first task: an error in a pool's initializer would reach nobody."""
    global _renderer
    if _renderer is None:
        from textedit_core.synthetic.renderer import Renderer

        assert _studio is not None
        _renderer = Renderer(_studio.assets, resolution=_studio.resolution, cache=_studio.cache)
    return _renderer


def _work(task: ShardTask) -> tuple[dict[str, Any], bool]:
    """Draws a shard unless it is there; returns its index entry and whether it was kept."""
    assert _studio is not None
    path = _studio.folder / SHARD_FOLDER / task.name
    if path.is_file() and _is_complete(path, task):
        return listed(path, task.samples), True
    samples = []
    for key, sample, images in task.draw(_worker_renderer()):
        samples.append((key, sample))
        with _drawn.get_lock():
            _drawn.value += images
    write_atomically(path, shard_bytes(samples))
    return listed(path, task.samples), False


def _is_complete(path: Path, task: ShardTask) -> bool:
    try:
        return task.accepts(unpack_shard(path.read_bytes(), path.name))
    except (OSError, UserError):
        return False
