"""Renders people of the training split with partners: the same person changed, and where every point of the changed face was before.

People come in couples that share what their partners are, so that the one can show how a change looks and the other can undergo it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from textedit_core.hashing import sha256_of
from textedit_core.synthetic.counterfactual_edits import AGED_AGES, CHILD_AGES
from textedit_core.synthetic.dataset import png, rounded, sample_person
from textedit_core.synthetic.output_folder import check_request, check_settings, draw_set
from textedit_core.synthetic.sampler import sample_view
from textedit_core.synthetic.scene import EXPRESSIONS, GLASSES, HAIR_SHADES, HAIRS, SceneParameters
from textedit_core.synthetic.shards import Sample
from textedit_core.synthetic.splits import split_of
from textedit_core.synthetic.stylize import stylised

if TYPE_CHECKING:
    from textedit_core.synthetic.renderer import Renderer

FORMAT_VERSION = 1
INDEX_NAME = "partners.json"
# In the order of the stored motion; the first is the person at rest.
DRAWN: tuple[str, ...] = ("rest", "smile", "laughing", "surprised", "expression", "child", "aged", "glasses", "hair")
STYLED: tuple[str, ...] = ("sketch", "cartoon")
# Partners that keep the crop of the person at rest; a change of age is framed by itself, as a photo of the child would be.
_OWN_FRAME = ("child", "aged")
SHARD_PEOPLE = 4
_STREAM, _SHARED_STREAM = 11, 12
_YAW_SIGMA, _PITCH_SIGMA = 12.0, 5.0
_AGE_BANDS, _AGE_SHARES = ((16.0, 45.0), (45.0, 80.0), (5.0, 13.0)), (0.70, 0.20, 0.10)
_FRAME = ((0.015, 0.015, 0.017), (0.07, 0.03, 0.015), (0.25, 0.26, 0.28), (0.35, 0.25, 0.11), (0.13, 0.015, 0.02), (0.02, 0.03, 0.10))


def wide_view(rng: np.random.Generator, person: SceneParameters) -> SceneParameters:
    """A view of a person at rest without glasses, wider than `sample_view` in pose and backdrop, since photographs are."""
    view = sample_view(rng, person).with_expression(dict.fromkeys(EXPRESSIONS, 0.0))
    low, high = _AGE_BANDS[int(rng.choice(len(_AGE_BANDS), p=_AGE_SHARES))]
    age = float(rng.uniform(low, high))
    shade = rng.uniform(0.02, 0.9) * np.exp(0.3 * rng.normal(size=3))
    red, green, blue = (float(v) for v in np.clip(shade, 0.01, 0.9))
    grown = age >= 16.0
    return replace(
        view,
        glasses=0,
        age_years=age,
        background=(red, green, blue),
        yaw=float(np.clip(rng.normal(), -2.4, 2.4)) * _YAW_SIGMA,
        pitch=float(np.clip(rng.normal(), -2.4, 2.4)) * _PITCH_SIGMA,
        hair=person.hair if not grown and HAIRS[view.hair] == "bald" else view.hair,
        stubble=view.stubble if grown else 0.0,
        lipstick=view.lipstick if grown else 0.0,
    )


def partner_scenes(rest: SceneParameters, rng: np.random.Generator) -> dict[str, SceneParameters]:
    """The partners of a person at rest by the names of `DRAWN`; the same draws make the same changes for another person."""
    laugh = {"smile_toothy": rng.uniform(0.5, 1.0), "mouth_open": rng.uniform(0.1, 0.5) * (rng.random() < 0.4)}
    surprise = {"brow_raise": rng.uniform(0.4, 1.0), "mouth_open": rng.uniform(0.3, 1.0)}
    smile = {"smile_closed": rng.uniform(0.5, 1.0)}
    other = {str(rng.choice(["eyes_closed", "sad", "angry", "brow_raise"])): rng.uniform(0.6, 1.0)}
    child, old, adult = rng.uniform(*CHILD_AGES), rng.uniform(*AGED_AGES), rng.uniform(20.0, 30.0)
    frame, color = int(rng.integers(1, len(GLASSES))), _FRAME[int(rng.integers(len(_FRAME)))]
    shade = list(HAIR_SHADES.values())[int(rng.integers(len(HAIR_SHADES)))]
    grey = float(rng.random() < 0.35)
    return {
        "rest": rest,
        "smile": rest.with_expression(smile),
        "laughing": rest.with_expression(laugh),
        "surprised": rest.with_expression(surprise),
        "expression": rest.with_expression(other),
        "child": replace(rest, age_years=child if rest.age_years > 14 else adult, stubble=0.0, lipstick=0.0),
        "aged": replace(rest, age_years=old if rest.age_years < 55 else adult),
        "glasses": replace(rest, glasses=frame, glasses_color=color),
        "hair": replace(rest, hair_color=shade, hair_grey=grey),
    }


@dataclass(frozen=True)
class PartnerGroup:
    """One person: its number in the set (couples are 2k and 2k + 1), identity and scenes by the names of `DRAWN`."""

    number: int
    identity: int
    scenes: dict[str, SceneParameters]


def plan_partners(people: int, *, seed: int) -> list[PartnerGroup]:
    """Lists the groups of a set of people of the training split; a longer one begins with the same."""
    groups: list[PartnerGroup] = []
    identity = 0
    rest: SceneParameters | None = None
    while len(groups) < people:
        if split_of(identity) == "train":
            number = len(groups)
            rng = np.random.default_rng([seed, _STREAM, identity])
            view = wide_view(rng, sample_person(seed, identity))
            rest = view if number % 2 == 0 or rest is None else _beside(view, rest, rng)
            groups.append(PartnerGroup(number, identity, partner_scenes(rest, np.random.default_rng([seed, _SHARED_STREAM, number // 2]))))
        identity += 1
    return groups


def _beside(view: SceneParameters, other: SceneParameters, rng: np.random.Generator) -> SceneParameters:
    """Turns a view so that its person looks about where the other does, at about the same age."""
    age = float(np.clip(other.age_years + 4.0 * rng.normal(), 5.0, 80.0))
    if (age > 14) != (other.age_years > 14) or (age < 55) != (other.age_years < 55):
        age = other.age_years
    yaw, pitch = other.yaw + 3.0 * float(rng.normal()), other.pitch + 2.0 * float(rng.normal())
    grown = age >= 16.0
    return replace(
        view, age_years=age, yaw=yaw, pitch=pitch, stubble=view.stubble if grown else 0.0, lipstick=view.lipstick if grown else 0.0
    )


@dataclass(frozen=True)
class PartnerShard:
    """Some couples of a set."""

    name: str
    groups: tuple[PartnerGroup, ...]
    resolution: int

    @property
    def samples(self) -> int:
        """How many people."""
        return len(self.groups)

    @property
    def images(self) -> int:
        """How many pictures."""
        return self.samples * (len(DRAWN) + len(STYLED))

    def draw(self, renderer: Renderer) -> Iterator[tuple[str, Sample, int]]:
        """Yields key, files and number of pictures of each person."""
        for group in self.groups:
            yield f"{group.number:06d}", self._sample(group, renderer), len(DRAWN) + len(STYLED)

    def _sample(self, group: PartnerGroup, renderer: Renderer) -> Sample:
        rest = group.scenes["rest"]
        framings = {name: None if name in (*_OWN_FRAME, "rest") else rest for name in DRAWN}
        drawn = {name: renderer.draw(scene, framings[name]) for name, scene in group.scenes.items()}
        motions = [renderer.motion(rest, group.scenes[name], None, framings[name]) for name in DRAWN[1:]]
        first = drawn["rest"]
        pictures = {name: drawing.photo for name, drawing in drawn.items()}
        pictures |= {style: stylised(first.photo, first.depth, style) for style in STYLED}
        encoded = {name: png(picture) for name, picture in pictures.items()}
        label = self._label(group) | {
            "landmarks": {name: rounded(drawing.landmarks) for name, drawing in drawn.items()},
            "sha256": {name: sha256_of(data) for name, data in encoded.items()},
        }
        masks = {
            "figure": [np.isfinite(drawing.depth) for drawing in drawn.values()],
            "visible": [motion.visible for motion in motions],
        }
        return {
            **{f"{name}.png": data for name, data in encoded.items()},
            "flow.npy": _npy(np.stack([motion.flow for motion in motions]).astype(np.float16)),
            **{f"{name}.npy": _npy(np.packbits(np.stack(planes), axis=-1)) for name, planes in masks.items()},
            "json": json.dumps(label).encode(),
        }

    def _label(self, group: PartnerGroup) -> dict[str, Any]:
        return {"identity": group.identity, "parameters": {name: scene.to_dict() for name, scene in group.scenes.items()}}

    def accepts(self, samples: dict[str, Sample]) -> bool:
        """Whether the samples are these people at this resolution, undamaged."""
        expected = {f"{group.number:06d}": group for group in self.groups}
        return list(samples) == list(expected) and all(self._fits(samples[key], group) for key, group in expected.items())

    def _fits(self, sample: Sample, group: PartnerGroup) -> bool:
        try:
            found = json.loads(sample["json"])
            intact = all(sha256_of(sample[f"{name}.png"]) == found["sha256"][name] for name in DRAWN + STYLED)
            same = json.loads(json.dumps(self._label(group))).items() <= found.items()
            whole = all(sample[f"{name}.npy"] for name in ("flow", "figure", "visible"))
            return intact and same and whole and Image.open(io.BytesIO(sample["rest.png"])).width == self.resolution
        except (KeyError, ValueError, OSError):
            return False


def _npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def render_partners(assets: Path, out: Path, people: int, *, resolution: int = 256, workers: int | None = None, seed: int = 0) -> None:
    """Renders `people` persons with their partners into `out`; complete shards are kept.

    Args:
        assets: asset tree, or the packed file.
        out: folder of the set.
        people: how many.
        resolution: image side in pixels.
        workers: processes; None takes one per CPU core.
        seed: of all random draws.

    Raises:
        UsageError: a number is too small.
        UserError: assets or graphics driver are missing, `out` cannot be written, or it holds another set.
    """
    check_request(people, resolution, workers, "people")
    folder = Path(out)
    settings = {"people": people, "resolution": resolution, "seed": seed}
    check_settings(folder, INDEX_NAME, {"format_version": FORMAT_VERSION, **settings}, "people")
    planned = plan_partners(people, seed=seed)
    shards = [
        PartnerShard(f"partners-{first // SHARD_PEOPLE:05d}.tar", tuple(planned[first : first + SHARD_PEOPLE]), resolution)
        for first in range(0, people, SHARD_PEOPLE)
    ]
    index = {**settings, "licence": "CC0-1.0"}
    draw_set(folder, INDEX_NAME, FORMAT_VERSION, index, shards, Path(assets), resolution, workers)
