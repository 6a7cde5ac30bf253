"""How many images per second the renderer draws on this machine, one process per core as `render` does, and where the time goes."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib.metadata import version
from pathlib import Path
from threading import BrokenBarrierError
from typing import TYPE_CHECKING, Any

from benchmarks.request import RenderRequest
from benchmarks.results import describe_host, spread, spread_cell, validate
from textedit_core.errors import UsageError, UserError

if TYPE_CHECKING:
    from textedit_core.synthetic.dataset import View

SCHEMA_PATH = Path(__file__).with_name("render.schema.json")
SCHEMA_VERSION = 1
STAGES = ("draw", "stylise", "encode")
_WARMUP_VIEWS = 2
_START_SECONDS = 300.0
_barrier: Any = None


def measure(request: RenderRequest) -> dict[str, Any]:
    """Draws the first images of a dataset without writing them; the clock starts when every process is warm.

    Returns:
        What render.schema.json describes: images per second of all processes together, the processor time of an image (which other
        programs on the machine lengthen less), the graphics device, the seconds until a process is ready, and per stage (draw a view;
        stylise and encode one image) the median, 10th and 90th percentile in ms within a process.

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
    parts = _run(request, shares)
    results = _results(request, parts)
    validate(results, SCHEMA_PATH)
    return results


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


def _results(request: RenderRequest, parts: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = max(part["ended"] for part in parts) - min(part["started"] for part in parts)
    stages = {stage: [value for part in parts for value in part["times"][stage]] for stage in STAGES}
    return {
        "schema_version": SCHEMA_VERSION,
        "host": {**describe_host(), "graphics": parts[0]["device"]},
        "versions": {name: version(name) for name in ("moderngl", "numpy", "scipy", "pillow")},
        "settings": {
            "images": request.images,
            "workers": len(parts),
            "resolution": request.resolution,
            "assets": "pack" if Path(request.assets).is_file() else "tree",
        },
        "images_per_second": len(stages["encode"]) / seconds,
        "processor_ms_per_image": 1000.0 * sum(part["spent"] for part in parts) / len(stages["encode"]),
        "ready_seconds": max(part["ready"] for part in parts),
        # A handful of images may hold no drawing.
        "stages_ms": {stage: spread(values) for stage, values in stages.items() if values},
    }


def format_table(results: dict[str, Any]) -> str:
    """Results as a plain text table."""
    settings, host = results["settings"], results["host"]
    lines = [
        f"{results['images_per_second']:.1f} images/s at {settings['resolution']} px with {settings['workers']} process(es), "
        f"{settings['images']} images; {results['processor_ms_per_image']:.0f} ms of processor time each",
        f"{host['processor']}, {host['graphics']}; ready after {results['ready_seconds']:.1f} s from the {settings['assets']}",
        f"{'stage':<10}{'ms within a process, median (10th to 90th percentile)':>56}",
    ]
    for stage, values in results["stages_ms"].items():
        lines.append(f"{stage:<10}{spread_cell(values, 1):>56}")
    return "\n".join(lines)
