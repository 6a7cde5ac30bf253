"""Renders a dataset of faces to disk as shards, in parallel and resumably."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from textedit_core.hashing import sha256_of
from textedit_core.synthetic.attributes import attributes
from textedit_core.synthetic.captions import captions
from textedit_core.synthetic.data_card import data_card
from textedit_core.synthetic.output_folder import check_request, check_settings, sweep
from textedit_core.synthetic.sampler import sample_identity, sample_view
from textedit_core.synthetic.scene import SCENE_CODE_NAMES, SceneParameters, scene_code
from textedit_core.synthetic.shard_workers import draw_shards
from textedit_core.synthetic.shards import Sample, read_index, read_listed_shard, write_atomically
from textedit_core.synthetic.splits import SPLITS, split_of
from textedit_core.synthetic.stylize import stylised

if TYPE_CHECKING:
    from textedit_core.synthetic.renderer import Renderer

INDEX_NAME = "dataset.json"
CARD_NAME = "README.md"
FORMAT_VERSION = 2
SHARD_SAMPLES = 64
STYLE_SHARES = {"sketch": 0.20, "cartoon": 0.12}
_IDENTITY_STREAM, _VIEW_STREAM, _CAPTION_STREAM = range(3)


@dataclass(frozen=True)
class View:
    """One drawn photo and what is made of it.

    Attributes:
        first: number of its first sample in the dataset.
        identity: person.
        view: which view of the person.
        scene: what to draw, in style "photo".
        styles: one sample each; "photo" comes first.
    """

    first: int
    identity: int
    view: int
    scene: SceneParameters
    styles: tuple[str, ...]


def sample_person(seed: int, identity: int) -> SceneParameters:
    """Returns person number `identity` of a world, as a scene with a default view."""
    return sample_identity(np.random.default_rng([seed, _IDENTITY_STREAM, identity]))


def plan(count: int, *, seed: int, views_per_identity: int) -> list[View]:
    """Lists what a dataset shows; a longer one begins with the same.

    Args:
        count: number of samples: photos, sketches and cartoons together.
        seed: of all random draws.
        views_per_identity: photos per person.
    """
    views: list[View] = []
    number = identity = 0
    while number < count:
        person = sample_person(seed, identity)
        for view in range(views_per_identity):
            rng = np.random.default_rng([seed, _VIEW_STREAM, identity, view])
            scene = sample_view(rng, person).with_style("photo")
            styles = ("photo", *(style for style, share in STYLE_SHARES.items() if rng.random() < share))[: count - number]
            if styles:
                views.append(View(number, identity, view, scene, styles))
            number += len(styles)
        identity += 1
    return views


@dataclass(frozen=True)
class DatasetShard:
    """A shard of a dataset: views of people of one split."""

    name: str
    split: str
    views: tuple[View, ...]
    seed: int
    resolution: int

    @property
    def samples(self) -> int:
        """How many samples, which are images."""
        return sum(len(view.styles) for view in self.views)

    images = samples

    def draw(self, renderer: Renderer) -> Iterator[tuple[str, Sample, int]]:
        """Yields key, files and number of images (one) of each sample; sketch and cartoon reuse the drawn photo."""
        for view in self.views:
            drawn = renderer.draw(view.scene)
            for key, label in self._labels(view):
                data = png(stylised(drawn.photo, drawn.depth, label["style"]))
                label |= {"landmarks": rounded(drawn.landmarks), "sha256": sha256_of(data)}
                yield key, {"png": data, "json": json.dumps(label).encode()}, 1

    def _labels(self, view: View) -> Iterator[tuple[str, dict[str, Any]]]:
        for offset, style in enumerate(view.styles):
            scene = view.scene.with_style(style)
            rng = np.random.default_rng([self.seed, _CAPTION_STREAM, view.identity, view.view, offset])
            yield f"{view.first + offset:06d}", {
                "identity": view.identity,
                "split": self.split,
                "style": style,
                "attributes": attributes(scene),
                "scene_code": scene_code(scene),
                "captions": captions(scene, rng),
                "parameters": scene.to_dict(),
            }

    def accepts(self, samples: dict[str, Sample]) -> bool:
        """Whether the samples are these views at this resolution, undamaged."""
        expected = dict(pair for view in self.views for pair in self._labels(view))
        return list(samples) == list(expected) and all(self._fits(samples[key], label) for key, label in expected.items())

    def _fits(self, sample: Sample, label: dict[str, Any]) -> bool:
        try:
            found = json.loads(sample["json"])
            side = Image.open(BytesIO(sample["png"])).width
            intact = found["sha256"] == sha256_of(sample["png"])
        except (KeyError, ValueError, OSError):
            return False
        return intact and side == self.resolution and json.loads(json.dumps(label)).items() <= found.items()


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Returns an image [H, W, 3] uint8 sRGB as a PNG file."""
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", compress_level=3)
    return stream.getvalue()


def rounded(landmarks: NDArray[np.float64]) -> list[list[float]]:
    """Returns landmarks [5, 2] in pixels as they are stored, to a hundredth."""
    return [[round(float(x), 2), round(float(y), 2)] for x, y in landmarks]


def _shards(views: list[View], seed: int, resolution: int) -> list[DatasetShard]:
    shards: list[DatasetShard] = []
    for split in SPLITS:
        batch: list[View] = []
        batches = [batch]
        for view in (view for view in views if split_of(view.identity) == split):
            if sum(len(other.styles) for other in batch) >= SHARD_SAMPLES:
                batches.append(batch := [])
            batch.append(view)
        shards += [
            DatasetShard(f"{split}-{number:05d}.tar", split, tuple(batch), seed, resolution)
            for number, batch in enumerate(batches)
            if batch
        ]
    return shards


def _index(shards: list[DatasetShard], entries: list[dict[str, Any]], settings: dict[str, Any]) -> dict[str, Any]:
    listed = [{**entry, "split": shard.split} for shard, entry in zip(shards, entries, strict=False)]
    people = {view.identity for shard in shards for view in shard.views}
    return {
        "format_version": FORMAT_VERSION,
        "complete": len(entries) == len(shards),
        **settings,
        "splits": {split: sum(shard.samples for shard in shards if shard.split == split) for split in SPLITS},
        "world": {
            "name": "makehuman-portraits",
            "licence": "CC0-1.0",
            "identities": len(people),
            "views_per_identity": settings["views_per_identity"],
            **{f"{style}_share": share for style, share in STYLE_SHARES.items()},
        },
        "scene_code_names": list(SCENE_CODE_NAMES),
        "shards": listed,
    }


def render_dataset(
    assets: Path, out: Path, count: int, *, resolution: int = 256, workers: int | None = None, seed: int = 0, views_per_identity: int = 6
) -> None:
    """Renders `count` samples as shards into `out`, with index and data card; complete shards that are there are kept.

    Args:
        assets: asset tree, or the packed file.
        out: dataset folder.
        count: number of samples: photos, sketches and cartoons together.
        resolution: image side in pixels.
        workers: processes; None takes one per CPU core.
        seed: of all random draws.
        views_per_identity: photos per person.

    Raises:
        UsageError: a number is too small.
        UserError: assets or graphics driver are missing, `out` cannot be written, or it holds another dataset.
    """
    check_request(count, resolution, workers, "images")
    check_request(views_per_identity, resolution, workers, "views of a person")
    folder = Path(out)
    settings = {"count": count, "resolution": resolution, "seed": seed, "views_per_identity": views_per_identity}
    check_settings(folder, INDEX_NAME, {"format_version": FORMAT_VERSION, **settings}, "count")
    shards = _shards(plan(count, seed=seed, views_per_identity=views_per_identity), seed, resolution)
    sweep(folder)
    write_atomically(folder / INDEX_NAME, json.dumps(_index(shards, [], settings), indent=1).encode())
    entries = draw_shards(shards, folder, Path(assets), resolution, workers)
    index = _index(shards, entries, settings)
    scenes = [view.scene.with_style(style) for shard in shards for view in shard.views for style in view.styles]
    write_atomically(folder / CARD_NAME, data_card(index, [attributes(scene) for scene in scenes]).encode())
    write_atomically(folder / INDEX_NAME, json.dumps(index, indent=1).encode())


def contact_sheet(out: Path, path: Path, *, columns: int = 8, rows: int = 4) -> None:
    """Writes samples of a dataset, spread evenly over it, as one PNG.

    Args:
        out: dataset folder.
        path: the PNG to write.
        columns: images per row.
        rows: rows, or fewer where the dataset is smaller.

    Raises:
        UserError: the dataset is missing, unfinished or damaged, or the sheet cannot be written.
    """
    index = read_index(Path(out), INDEX_NAME, FORMAT_VERSION)
    wanted = sorted(set(np.linspace(0, index["count"] - 1, columns * rows).round().astype(int).tolist()))
    pictures: list[Image.Image] = []
    first = 0
    for entry in index["shards"]:
        numbers = [number - first for number in wanted if first <= number < first + entry["samples"]]
        samples = list(read_listed_shard(Path(out), entry).values()) if numbers else []
        pictures += [Image.open(BytesIO(samples[number]["png"])).convert("RGB") for number in numbers]
        first += entry["samples"]
    write_atomically(path, png(np.asarray(tiled(pictures, columns))))


def tiled(pictures: list[Image.Image], columns: int) -> Image.Image:
    """Returns pictures of one size side by side, row by row, on black."""
    side = pictures[0].width
    sheet = Image.new("RGB", (columns * side, -(-len(pictures) // columns) * side))
    for k, picture in enumerate(pictures):
        sheet.paste(picture, (k % columns * side, k // columns * side))
    return sheet
