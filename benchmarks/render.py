"""How many images per second the renderer draws on this machine, one process per core as `render` does, and where the time goes."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from threading import BrokenBarrierError
from typing import TYPE_CHECKING, Any

from benchmarks.request import RenderRequest
from benchmarks.results import Document, Recorder
from textedit_core.errors import UsageError, UserError

if TYPE_CHECKING:
    from textedit_core.synthetic.dataset import View

STAGES = ("draw", "stylise", "encode")
_WARMUP_VIEWS = 2
_START_SECONDS = 300.0
_barrier: Any = None


def measure(request: RenderRequest) -> Document:
    """Draws the first images of a dataset without writing them; the clock starts when every process is warm.

    Returns:
        A result document: images per second of all processes together, the processor time of an image (which other programs on the
        machine lengthen less), the graphics device, the seconds until each process is ready, and the ms of each stage (draw a view;
        stylise and encode one image) within a process, one sample per image.

    Raises:
        UsageError: a number is too small.
        UserError: the assets or the graphics driver are missing, or a process died.
    """
    from textedit_core.synthetic.dataset import plan
    from textedit_core.synthetic.output_folder import check_request
    from textedit_core.synthetic.shard_workers import core_count

    check_request(request.images, request.resolution, request.workers, "images")
    workers = core_count(request.workers)
    if request.images < workers:
        raise UsageError(f"--images {request.images} is too small for {workers} processes; give at least {workers}")
    views = plan(request.images, seed=0, views_per_identity=1)
    shares = [share for share in (views[worker::workers] for worker in range(workers)) if share]
    settings = {"images": request.images, "workers": len(shares), "resolution": request.resolution, "assets": _kind(request.assets)}
    recorder = Recorder("render", {"model": "face renderer"}, settings, ("moderngl", "numpy", "scipy", "pillow"))
    parts = _run(request, shares)
    recorder.describe(graphics=parts[0]["device"])
    _record(recorder, parts)
    return recorder.finish()


def _kind(assets: Path) -> str:
    return "pack" if Path(assets).is_file() else "tree"


def _run(request: RenderRequest, shares: Sequence[Sequence[View]]) -> list[dict[str, Any]]:
    # As in the renderer's own workers: Mesa reads this when a context is opened.
    os.environ["LP_NUM_THREADS"] = "1"
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(len(shares))
    with ProcessPoolExecutor(len(shares), spawn, _start, (barrier,)) as pool:
        futures = [pool.submit(_draw, str(request.assets), request.resolution, share) for share in shares]
        try:
            # Of several processes only one tells why: the others were waiting for it.
            failures = [error for error in (future.exception() for future in futures) if error is not None]
            if failures:
                raise next((error for error in failures if not isinstance(error, BrokenBarrierError)), failures[0])
            return [future.result() for future in futures]
        except (BrokenProcessPool, BrokenBarrierError):
            raise UserError("a rendering process died (out of memory?); measure with fewer --workers") from None


def _start(barrier: Any) -> None:
    global _barrier
    _barrier = barrier


def _draw(assets: str, resolution: int, views: Sequence[View]) -> dict[str, Any]:
    try:
        return _timed(Path(assets), resolution, views)
    except Exception:
        _barrier.abort()
        raise


def _timed(assets: Path, resolution: int, views: Sequence[View]) -> dict[str, Any]:
    from textedit_core.synthetic.renderer import Renderer

    opened = time.time()
    renderer = Renderer(assets, resolution=resolution)
    for view in views[:_WARMUP_VIEWS]:
        renderer.draw(view.scene)
    ready = time.time() - opened
    _barrier.wait(_START_SECONDS)
    times: dict[str, list[float]] = {stage: [] for stage in STAGES}
    started, spent = time.time(), time.process_time()
    for view in views:
        _draw_view(renderer, view, times)
    spent = time.process_time() - spent
    return {"started": started, "ended": time.time(), "spent": spent, "ready": ready, "device": _device(), "times": times}


def _draw_view(renderer: Any, view: View, times: dict[str, list[float]]) -> None:
    from textedit_core.synthetic.dataset import png
    from textedit_core.synthetic.stylize import stylised

    mark = time.perf_counter()
    drawn = renderer.draw(view.scene)
    mark = _note(times["draw"], mark)
    for style in view.styles:
        pixels = stylised(drawn.photo, drawn.depth, style)
        mark = _note(times["stylise"], mark) if style != "photo" else time.perf_counter()
        png(pixels)
        mark = _note(times["encode"], mark)


def _note(times: list[float], since: float) -> float:
    now = time.perf_counter()
    times.append(1000.0 * (now - since))
    return now


def _device() -> str:
    import moderngl

    context = moderngl.create_standalone_context(backend="egl")
    name = str(context.info["GL_RENDERER"])
    context.release()
    return name


def _record(recorder: Recorder, parts: list[dict[str, Any]]) -> None:
    seconds = max(part["ended"] for part in parts) - min(part["started"] for part in parts)
    stages = {stage: [value for part in parts for value in part["times"][stage]] for stage in STAGES}
    images = len(stages["encode"])
    recorder.measure("all processes together", "pace", "images/s", [images / seconds])
    recorder.measure("processor time of an image", "processor time", "ms", [1000.0 * sum(part["spent"] for part in parts) / images])
    recorder.measure("until a process is ready", "start", "s", [part["ready"] for part in parts])
    for stage, values in stages.items():
        # A handful of images may hold no drawing.
        if values:
            recorder.measure(stage, "stages within a process", "ms", values)
        else:
            recorder.lack(stage, "none of the images needed it")
