"""Renders the counterfactual test set: people of the test split, each with the exact answer to every edit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from textedit_core.hashing import sha256_of
from textedit_core.synthetic.attributes import attributes
from textedit_core.synthetic.counterfactual_edits import SHIPPED_EDITS, edit_named, source_scene
from textedit_core.synthetic.counterfactual_set import FORMAT_VERSION, INDEX_NAME
from textedit_core.synthetic.dataset import png, rounded, sample_person
from textedit_core.synthetic.output_folder import check_request, check_settings, draw_set
from textedit_core.synthetic.sampler import sample_view
from textedit_core.synthetic.scene import EXPRESSIONS, SceneParameters
from textedit_core.synthetic.shards import Sample
from textedit_core.synthetic.splits import split_of
from textedit_core.synthetic.stylize import stylised

if TYPE_CHECKING:
    from textedit_core.synthetic.renderer import Renderer
    from textedit_core.synthetic.rendering import Rendering

SHARD_GROUPS = 8
_COUNTERFACTUAL_STREAM = 3


@dataclass(frozen=True)
class GroupScenes:
    """A person and the scenes to draw: the source first, then one partner per edit."""

    number: int
    identity: int
    scenes: dict[str, SceneParameters]


def plan_groups(groups: int, *, seed: int, edits: Sequence[str]) -> list[GroupScenes]:
    """Lists the groups of a set, one per person of the test split; a longer one begins with the same.

    Args:
        groups: how many.
        seed: of all random draws; the people are those of a dataset of this seed.
        edits: which partners.

    Raises:
        UsageError: an edit does not exist.
    """
    chosen = {name: edit_named(name) for name in edits}
    planned: list[GroupScenes] = []
    identity = -1
    while len(planned) < groups:
        identity += 1
        if split_of(identity) != "test":
            continue
        rng = np.random.default_rng([seed, _COUNTERFACTUAL_STREAM, identity])
        source = source_scene(sample_view(rng, sample_person(seed, identity)), rng)
        if source is not None:
            partners = {name: edit(source) for name, edit in chosen.items()}
            planned.append(GroupScenes(len(planned), identity, {"source": source, **partners}))
    return planned


@dataclass(frozen=True)
class CounterfactualShard:
    """Some groups of a set."""

    name: str
    groups: tuple[GroupScenes, ...]
    resolution: int

    @property
    def samples(self) -> int:
        """How many groups."""
        return len(self.groups)

    @property
    def images(self) -> int:
        """How many pictures."""
        return sum(len(group.scenes) for group in self.groups)

    def draw(self, renderer: Renderer) -> Iterator[tuple[str, Sample, int]]:
        """Yields key, files and number of pictures of each group; pictures that differ in style only are drawn once."""
        for group in self.groups:
            drawings: dict[SceneParameters, Rendering] = {}
            for scene in group.scenes.values():
                photo = scene.with_style("photo")
                if photo not in drawings:
                    # Everybody is framed at rest: a smile moves the mouth, not the camera.
                    rest = photo.with_expression(dict.fromkeys(EXPRESSIONS, 0.0))
                    drawings[photo] = renderer.draw(photo, None if rest == photo else rest)
            drawn = {name: drawings[scene.with_style("photo")] for name, scene in group.scenes.items()}
            yield f"{group.number:06d}", self._sample(group, drawn), len(group.scenes)

    def _sample(self, group: GroupScenes, drawn: dict[str, Rendering]) -> Sample:
        pictures = {
            name: png(stylised(drawn[name].photo, drawn[name].depth, scene.style)) for name, scene in group.scenes.items()
        }
        label = self._label(group)
        for name, picture in pictures.items():
            label["members"][name] |= {"landmarks": rounded(drawn[name].landmarks), "sha256": sha256_of(picture)}
        figures = stacked_masks([np.isfinite(drawing.depth) for drawing in drawn.values()])
        files = {f"{name}.png": picture for name, picture in pictures.items()}
        return {**files, "figures.png": figures, "json": json.dumps(label).encode()}

    def _label(self, group: GroupScenes) -> dict[str, Any]:
        members = {name: {"attributes": attributes(scene), "parameters": scene.to_dict()} for name, scene in group.scenes.items()}
        return {"identity": group.identity, "members": members}

    def accepts(self, samples: dict[str, Sample]) -> bool:
        """Whether the samples are these groups at this resolution, undamaged."""
        expected = {f"{group.number:06d}": group for group in self.groups}
        return list(samples) == list(expected) and all(self._fits(samples[key], group) for key, group in expected.items())

    def _fits(self, sample: Sample, group: GroupScenes) -> bool:
        try:
            found = json.loads(sample["json"])
            for name, wanted in json.loads(json.dumps(self._label(group)))["members"].items():
                member, picture = found["members"][name], sample[f"{name}.png"]
                intact = member["sha256"] == sha256_of(picture)
                if not (intact and wanted.items() <= member.items() and Image.open(BytesIO(picture)).width == self.resolution):
                    return False
            return bool(found["identity"] == group.identity and list(found["members"]) == list(group.scenes) and sample["figures.png"])
        except (KeyError, ValueError, OSError):
            return False


def stacked_masks(masks: Sequence[NDArray[np.bool_]]) -> bytes:
    """Returns masks [S, S] one above the other as a PNG file of 1 bit per pixel."""
    stream = BytesIO()
    Image.fromarray(np.concatenate(masks)).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def render_counterfactuals(
    assets: Path,
    out: Path,
    groups: int,
    *,
    resolution: int = 256,
    workers: int | None = None,
    seed: int = 0,
    edits: Sequence[str] = SHIPPED_EDITS,
) -> None:
    """Renders `groups` people of the test split with their exactly edited partners into `out`; complete shards are kept.

    Args:
        assets: asset tree, or the packed file.
        out: folder of the set; read it with `CounterfactualSet.open`.
        groups: how many people.
        resolution: image side in pixels.
        workers: processes; None takes one per CPU core.
        seed: of all random draws; that of the training data, so that the people are held out of it.
        edits: which partners.

    Raises:
        UsageError: an edit does not exist, or a number is too small.
        UserError: assets or graphics driver are missing, `out` cannot be written, or it holds another set.
    """
    check_request(groups, resolution, workers, "groups")
    folder = Path(out)
    settings = {"groups": groups, "resolution": resolution, "seed": seed, "edits": list(edits)}
    check_settings(folder, INDEX_NAME, {"format_version": FORMAT_VERSION, **settings}, "groups")
    planned = plan_groups(groups, seed=seed, edits=edits)
    shards = [
        CounterfactualShard(f"groups-{first // SHARD_GROUPS:05d}.tar", tuple(planned[first : first + SHARD_GROUPS]), resolution)
        for first in range(0, groups, SHARD_GROUPS)
    ]
    index = {**settings, "picture": "png", "licence": "CC0-1.0"}
    draw_set(folder, INDEX_NAME, FORMAT_VERSION, index, shards, Path(assets), resolution, workers)
