"""Renders a dataset of faces to disk, in parallel and resumably."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from textedit_core.errors import UserError
from textedit_core.synthetic.captions import captions
from textedit_core.synthetic.renderer import Renderer
from textedit_core.synthetic.sampler import sample_identity, sample_view
from textedit_core.synthetic.scene import SCENE_CODE_NAMES, SceneParameters, scene_code
from textedit_core.synthetic.stylize import pencil_sketch

_SKETCH_SHARE = 0.25
_IDENTITY_STREAM, _VIEW_STREAM, _CAPTION_STREAM = range(3)
_renderer: Renderer | None = None
_renderer_arguments: tuple[Path, int, Path] | None = None


@dataclass(frozen=True)
class ImageTask:
    """One image to draw.

    Attributes:
        number: position in the dataset.
        identity: person.
        split: "train" or "heldout".
        scene: what to draw.
    """

    number: int
    identity: int
    split: str
    scene: SceneParameters


def _images_of(identity: int, seed: int, views: int) -> Iterator[SceneParameters]:
    person = sample_identity(np.random.default_rng([seed, _IDENTITY_STREAM, identity]))
    for view in range(views):
        rng = np.random.default_rng([seed, _VIEW_STREAM, identity, view])
        scene = sample_view(rng, person)
        yield scene
        if rng.random() < _SKETCH_SHARE:
            yield scene.with_style("sketch")


def plan(count: int, *, seed: int, views_per_identity: int, heldout_fraction: float) -> list[ImageTask]:
    """Lists the images of a dataset; the last identities are held out.

    Args:
        count: number of images, photos and sketches together.
        seed: of all random draws.
        views_per_identity: photos per person.
        heldout_fraction: share of the persons in the split "heldout".
    """
    people: list[tuple[int, SceneParameters]] = []
    identity = 0
    while len(people) < count:
        people += [(identity, scene) for scene in _images_of(identity, seed, views_per_identity)]
        identity += 1
    first_heldout = identity - max(round(identity * heldout_fraction), 1 if identity > 1 else 0)
    return [
        ImageTask(number, who, "heldout" if who >= first_heldout else "train", scene)
        for number, (who, scene) in enumerate(people[:count])
    ]


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file so that it is either complete or absent."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
    os.replace(temporary, path)


def _is_done(folder: Path, task: ImageTask) -> bool:
    picture, sidecar = folder / f"{task.number:06d}.png", folder / f"{task.number:06d}.json"
    if not (picture.is_file() and sidecar.is_file()):
        return False
    try:
        record = json.loads(sidecar.read_text(encoding="utf-8"))
    except ValueError:
        return False
    if record.get("split") != task.split or record.get("parameters") != json.loads(json.dumps(task.scene.to_dict())):
        return False
    return bool(record.get("sha256") == hashlib.sha256(picture.read_bytes()).hexdigest())


def _png(pixels: NDArray[np.uint8]) -> bytes:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", compress_level=3)
    return stream.getvalue()


def _record(task: ImageTask, seed: int, landmarks: NDArray[np.float64], data: bytes) -> dict[str, Any]:
    scene = task.scene
    return {
        "identity": task.identity,
        "split": task.split,
        "style": scene.style,
        "age_years": scene.age_years,
        "smile": scene.smile,
        "gender": scene.gender,
        "scene_code": scene_code(scene),
        "captions": captions(scene, np.random.default_rng([seed, _CAPTION_STREAM, task.number])),
        "landmarks": [[round(float(x), 2), round(float(y), 2)] for x, y in landmarks],
        "parameters": scene.to_dict(),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def _start_worker(assets: str, resolution: int, cache: str) -> None:
    global _renderer_arguments
    _renderer_arguments = (Path(assets), resolution, Path(cache))


def _worker_renderer() -> Renderer:
    """The process's renderer, made by its first task: an error in a pool's initializer would reach nobody."""
    global _renderer
    if _renderer is None:
        assert _renderer_arguments is not None
        assets, resolution, cache = _renderer_arguments
        _renderer = Renderer(assets, resolution=resolution, cache=cache)
    return _renderer


def _draw_group(group: list[ImageTask], folder: str, seed: int) -> int:
    """Draws the photo and, when asked for, the sketch of one view."""
    drawn = _worker_renderer().draw(group[0].scene.with_style("photo"))
    for task in group:
        pixels = pencil_sketch(drawn.photo, drawn.depth) if task.scene.style == "sketch" else drawn.photo
        data = _png(pixels)
        write_atomically(Path(folder) / f"{task.number:06d}.png", data)
        record = json.dumps(_record(task, seed, drawn.landmarks, data)).encode()
        write_atomically(Path(folder) / f"{task.number:06d}.json", record)
    return len(group)


def _grouped(tasks: list[ImageTask]) -> list[list[ImageTask]]:
    groups: list[list[ImageTask]] = []
    for task in tasks:
        if groups and groups[-1][0].scene.with_style("photo") == task.scene.with_style("photo"):
            groups[-1].append(task)
        else:
            groups.append([task])
    return groups


def _index(tasks: list[ImageTask], resolution: int, seed: int, views: int) -> dict[str, Any]:
    splits: dict[str, int] = {}
    for task in tasks:
        splits[task.split] = splits.get(task.split, 0) + 1
    return {
        "format_version": 1,
        "count": len(tasks),
        "resolution": resolution,
        "scene_code_names": list(SCENE_CODE_NAMES),
        "seed": seed,
        "splits": splits,
        "world": {
            "name": "makehuman-portraits",
            "licence": "CC0-1.0",
            "identities": tasks[-1].identity + 1,
            "views_per_identity": views,
            "sketch_share": _SKETCH_SHARE,
        },
    }


def _draw_all(
    groups: list[list[ImageTask]], assets: Path, folder: Path, resolution: int, seed: int, workers: int
) -> None:
    # Mesa reads this when a worker opens its context: one thread per process scales best.
    os.environ["LP_NUM_THREADS"] = "1"
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    columns = (TextColumn("faces"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
               TimeRemainingColumn())
    arguments = (str(assets), resolution, str(folder.parent / ".cache"))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, _start_worker, arguments) as pool, Progress(*columns) as progress:
        bar = progress.add_task("faces", total=sum(map(len, groups)), rate="")
        for future in [pool.submit(_draw_group, group, str(folder), seed) for group in groups]:
            progress.advance(bar, future.result())
            speed = progress.tasks[0].speed
            progress.update(bar, rate=f"{speed:.1f} images/s" if speed else "")


def render_dataset(
    assets: Path,
    out: Path,
    count: int,
    *,
    resolution: int = 256,
    workers: int | None = None,
    seed: int = 0,
    views_per_identity: int = 6,
    heldout_fraction: float = 0.04,
) -> None:
    """Renders `count` images with sidecars into `out`; valid images that are already there are kept.

    Args:
        assets: asset root.
        out: dataset folder.
        count: number of images, photos and sketches together.
        resolution: image side in pixels.
        workers: processes; None takes one per CPU core.
        seed: of all random draws.
        views_per_identity: photos per person.
        heldout_fraction: share of the persons held out.

    Raises:
        UserError: `count` is not positive, assets are missing, or no graphics context can be opened.
    """
    if count < 1:
        raise UserError(f"cannot render {count} images; ask for at least 1")
    folder = Path(out) / "images"
    folder.mkdir(parents=True, exist_ok=True)
    tasks = plan(count, seed=seed, views_per_identity=views_per_identity, heldout_fraction=heldout_fraction)
    open_tasks = [task for task in tasks if not _is_done(folder, task)]
    # Written first, so that training can start on the part that is already drawn.
    index = json.dumps(_index(tasks, resolution, seed, views_per_identity), indent=1).encode()
    write_atomically(Path(out) / "dataset.json", index)
    if open_tasks:
        cores = workers or os.cpu_count() or 1
        _draw_all(_grouped(open_tasks), Path(assets), folder, resolution, seed, cores)


def contact_sheet(out: Path, path: Path, *, columns: int = 8, rows: int = 4) -> None:
    """Writes the first images of a dataset as one PNG."""
    files = sorted((Path(out) / "images").glob("*.png"))[: columns * rows]
    if not files:
        raise UserError(f"{out} holds no images; run render first")
    pictures = [Image.open(file).convert("RGB") for file in files]
    side = pictures[0].width
    sheet = Image.new("RGB", (columns * side, -(-len(files) // columns) * side))
    for k, picture in enumerate(pictures):
        sheet.paste(picture, (k % columns * side, k // columns * side))
    write_atomically(path, _png(np.asarray(sheet)))
