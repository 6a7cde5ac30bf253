"""Photographs as examples: pairs of one person, plain photographs that are bent or drawn, and the decoder's own pictures.

Pairs know the answer. A plain photograph bent by a smooth field knows it too, and its guides are the decodes of both. A drawing of a
photograph follows from the photograph where its backdrop is plain. And a decode in the photograph's place knows its edit exactly.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rich.console import Console
from rich.progress import track
from scipy import ndimage
from scipy.spatial import ConvexHull
from torch.nn import functional as F

from textedit_core.alignment import CropRule, CropTransform, crop_face, cut_out
from textedit_core.photo_pairs import PhotoPair
from textedit_core.photos import open_photo
from textedit_core.synthetic.stylize import stylised
from textedit_core.training.compositor.examples import Examples, Guides, as_floats

Pictures = NDArray[np.uint8]
DRAWINGS: tuple[str, ...] = ("sketch", "cartoon")
# Views of each photograph with guides of their own.
_VIEWS = 3
_TURN_DEGREES, _ZOOM, _SHIFT = 5.0, 0.06, 0.03
_PROMPT, _STRENGTHS = "smile", (0.9, 1.0, 1.1)
# Optical flow between two photographs is believed where the moved one differs by less than this, in grey levels.
_BELIEVED = 14.0
_BEND, _BEND_CELLS = 0.022, 7
_RANDOM_STRENGTH = (0.6, 1.2)


class PhotoPairs:
    """Examples from pairs of photographs; the answer is the changed face on the photograph at rest.

    Args:
        pairs: whom to learn from.
        guides: the model's networks.
        size: side of the crops in pixels.
        rule: where they lie.
        cache: folder for what was computed.
    """

    def __init__(self, pairs: Sequence[PhotoPair], guides: Guides, size: int, rule: CropRule, cache: Path) -> None:
        views = [(pair, view) for pair in pairs for view in range(_VIEWS)]
        made = [
            _kept(cache, f"pair-{pair.name}-{view}", functools.partial(_pair_view, pair, view, guides, size, rule))
            for pair, view in track(views, "reading pairs", console=Console(stderr=True))
        ]
        self.photo, self.target, self.before, self.after, self.flow, self.seen = (
            np.stack([each[name] for each in made]) for name in ("photo", "target", "before", "after", "flow", "seen")
        )
        # An editor's decode asks for its own motion, which the answer's is not: what it asks for can be seen in it.
        asked = [
            _kept(cache, f"asked-{pair.name}-{view}", functools.partial(_asked_motion, each))
            for (pair, view), each in track(list(zip(views, made, strict=True)), "motion", console=Console(stderr=True))
        ]
        self.asked, self.face = (np.stack([each[name] for each in asked]) for name in ("flow", "face"))

    def __call__(self, count: int, generator: torch.Generator, cell: int) -> Examples:
        """As in `ExampleSource`."""
        rows = torch.randint(len(self.photo), (count,), generator=generator).numpy()
        guide = torch.randint(self.after.shape[1], (count,), generator=generator).numpy()
        edited = (guide > 0)[:, None, None]
        flow = np.where(edited[..., None], self.asked[rows, np.maximum(guide, 1) - 1], self.flow[rows])
        seen = np.where(edited, self.face[rows], self.seen[rows])
        return _real(
            self.photo[rows], self.target[rows], self.before[rows], self.after[rows, guide], flow, seen, np.zeros(count), cell
        )


def _pair_view(pair: PhotoPair, view: int, guides: Guides, size: int, rule: CropRule) -> dict[str, NDArray[Any]]:
    rng = _rng(pair.name, view)
    rest, changed = open_photo(pair.rest).image, open_photo(pair.changed).image
    transform = jittered(crop_face(rest, pair.landmarks, size, rule)[1], rng)
    photo, answer = np.asarray(cut_out(rest, transform, size)), np.asarray(cut_out(changed, pair.carried(transform), size))
    region = face_region(transform.to_crop(pair.points) * size, size)
    target = (photo + region[..., None] * (answer.astype(np.float32) - photo)).round().astype(np.uint8)
    latents = guides.latents(np.stack([photo, answer]))
    afters = [latents[1:]] + [guides.edited(latents[:1], _PROMPT, strength) for strength in _STRENGTHS if _PROMPT in guides.editors]
    decodes = guides.decodes(torch.cat([latents[:1], *afters]))
    flow, believed = motion_between(photo, answer)
    return {
        "photo": photo, "target": target, "before": decodes[0], "after": decodes[1:],
        "flow": flow, "seen": (255 * believed * (region > 0.5)).astype(np.uint8),
    }  # fmt: skip


def _asked_motion(made: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The motion that each editor's decode asks for, and the face in which it is asked for."""
    edited = made["after"][1:]
    # Over so small a range the motion grows with the strength.
    middle = len(edited) // 2
    flows = [motion_between(made["before"], edited[middle])[0] * np.float16(s / _STRENGTHS[middle]) for s in _STRENGTHS[: len(edited)]]
    side = len(made["photo"])
    changed = np.abs(made["target"].astype(np.int16) - made["photo"]).max(-1) > 0
    face = ndimage.binary_closing(changed, iterations=side // 32)
    empty = np.zeros((0, side // 2, side // 2, 2), np.float16)
    return {"flow": np.stack(flows) if flows else empty, "face": (255 * face).astype(np.uint8)}


def jittered(transform: CropTransform, rng: np.random.Generator) -> CropTransform:
    """A crop turned, zoomed and shifted a little about its middle."""
    turn = math.radians(_TURN_DEGREES) * rng.normal()
    axis = complex(*transform.axis) * complex(math.cos(turn), math.sin(turn)) * math.exp(_ZOOM * rng.normal())
    middle = complex(*transform.to_photo([[0.5, 0.5]])[0]) + axis * complex(_SHIFT * rng.normal(), _SHIFT * rng.normal())
    corner = middle - axis * complex(0.5, 0.5)
    return CropTransform((corner.real, corner.imag), (axis.real, axis.imag))


def face_region(points: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """[S,S], 0 to 1: the hull of landmarks [N,2] in pixels, with a soft edge outside."""
    hull = points[ConvexHull(points).vertices]
    canvas = Image.new("L", (size, size))
    ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in hull], fill=255)
    distance = ndimage.distance_transform_edt(np.asarray(canvas) == 0)
    return np.clip(1.0 - distance / (0.06 * size), 0.0, 1.0).astype(np.float32)


def motion_between(earlier: Pictures, later: Pictures) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    """Optical flow from a later picture's places to an earlier one's, [S/2,S/2,2] in fractions of the side, and where it is believed [S,S].

    The iterated Lucas-Kanade of scikit-image (Le Besnerais and Champagnat 2005).
    """
    from skimage.registration import optical_flow_ilk

    side = len(earlier)
    tones = [
        ndimage.gaussian_filter(picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32), 1.0)
        for picture in (earlier, later)
    ]
    down, across = (ndimage.gaussian_filter(plane, 3.0) for plane in optical_flow_ilk(tones[1], tones[0], radius=9))
    lines, columns = np.mgrid[:side, :side]
    moved = ndimage.map_coordinates(tones[0], [lines + down, columns + across], order=1, mode="nearest")
    believed = ndimage.uniform_filter(np.abs(moved - tones[1]), 5) < _BELIEVED
    flow = np.stack([across, down], -1)[::2, ::2] / side
    return flow.astype(np.float16), believed


class PlainPhotos:
    """Examples from photographs of which nothing is known.

    Args:
        pictures: uint8 [N,S,S,3] aligned crops.
        guides: the model's networks.
        cache: folder for what was computed.
        drawings: whether photographs before a plain backdrop are drawn, where the model has editors of these names.
    """

    def __init__(self, pictures: Pictures, guides: Guides, cache: Path, drawings: bool = True) -> None:
        self._prompts = list(guides.editors)
        made = [
            _kept(
                cache,
                f"photo-{hashlib.sha256(picture.tobytes()).hexdigest()[:16]}",
                functools.partial(_plain_view, picture, guides, drawings),
            )
            for picture in track(pictures, "reading photographs", console=Console(stderr=True))
        ]
        self._made = made
        self._drawable = [row for row, each in enumerate(made) if len(each["drawn"])]

    def __call__(self, count: int, generator: torch.Generator, cell: int) -> Examples:
        """As in `ExampleSource`: bent photographs, drawings, decodes in the photograph's place."""
        kinds, picks = torch.rand(count, generator=generator).tolist(), torch.randint(1 << 30, (count, 2), generator=generator).tolist()
        return Examples.joined([self._one(kind, pick[0], pick[1], cell) for kind, pick in zip(kinds, picks, strict=True)])

    def _one(self, kind: float, pick: int, which: int, cell: int) -> Examples:
        if kind < 0.4 and self._drawable:
            made = self._made[self._drawable[pick % len(self._drawable)]]
            row = which % len(made["drawn"])
            return self._example(cell, made["photo"], made["drawn"][row], made["before"], made["drawn_after"][row], None, styled=True)
        made = self._made[pick % len(self._made)]
        if kind < 0.75:
            return self._example(cell, made["photo"], made["bent"], made["before"], made["bent_after"], made["flow"])
        row = which % len(made["edits"])
        return self._example(
            cell, made["before"], made["edits"][row], made["before"], made["edits"][row], None, styled=bool(made["edit_styled"][row])
        )

    def _example(
        self,
        cell: int,
        photo: Pictures,
        target: Pictures,
        before: Pictures,
        after: Pictures,
        flow: NDArray[np.float16] | None,
        styled: bool = False,
    ) -> Examples:
        side = len(photo)
        field = np.zeros((side // 2, side // 2, 2), np.float16) if flow is None else flow
        seen = np.full((side, side), 0 if flow is None else 255, np.uint8)
        return _real(photo[None], target[None], before[None], after[None], field[None], seen[None], np.array([float(styled)]), cell)


def _plain_view(picture: Pictures, guides: Guides, drawings: bool) -> dict[str, NDArray[Any]]:
    rng = _rng(hashlib.sha256(picture.tobytes()).hexdigest(), 0)
    side = len(picture)
    flow = bend(side, rng)
    lines, columns = np.mgrid[:side, :side]
    places = [lines + flow[..., 1] * side, columns + flow[..., 0] * side]
    bent = np.stack([ndimage.map_coordinates(picture[..., band], places, order=1, mode="nearest") for band in range(3)], -1)
    latents = guides.latents(np.stack([picture, bent]))
    prompts = list(guides.editors)
    edits = [guides.edited(latents[:1], prompt, float(rng.uniform(*_RANDOM_STRENGTH))) for prompt in prompts] or [latents[1:]]
    drawn = _drawings(picture, [style for style in DRAWINGS if style in guides.editors]) if drawings else {}
    decodes = guides.decodes(torch.cat([latents, *edits, *(guides.edited(latents[:1], style, 1.0) for style in drawn)]))
    return {
        "photo": picture, "bent": bent, "flow": flow[::2, ::2].astype(np.float16), "before": decodes[0], "bent_after": decodes[1],
        "edits": decodes[2 : 2 + len(edits)], "edit_styled": np.array([prompt in DRAWINGS for prompt in prompts] or [False]),
        "drawn": np.array(list(drawn.values()), np.uint8), "drawn_after": decodes[2 + len(edits) :],
    }  # fmt: skip


def bend(side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A smooth random motion [S,S,2] in fractions of the side that is still at the rim."""
    cells = torch.from_numpy(rng.normal(size=(1, 2, _BEND_CELLS, _BEND_CELLS)).astype(np.float32)) * _BEND
    cells[..., [0, -1], :] = 0.0
    cells[..., [0, -1]] = 0.0
    field = F.interpolate(cells, size=(side, side), mode="bicubic", align_corners=True)
    return field[0].permute(1, 2, 0).numpy()


def _drawings(picture: Pictures, styles: Sequence[str]) -> dict[str, Pictures]:
    figure = figure_of(picture)
    if figure is None:
        return {}
    # A relief that rises from the outline is enough for contours.
    depth = np.where(figure, 12.0 - np.minimum(ndimage.distance_transform_edt(figure), 40.0) / 40.0 * 0.6, np.inf).astype(np.float32)
    return {style: stylised(picture, depth, style) for style in styles}


def figure_of(picture: Pictures) -> NDArray[np.bool_] | None:
    """The person before a plain backdrop [S,S], by its difference from the rim's colour; None where the backdrop is not plain."""
    tones = picture.astype(np.float32)
    height = len(tones) // 2
    rim = np.concatenate([tones[:4].reshape(-1, 3), tones[:height, :4].reshape(-1, 3), tones[:height, -4:].reshape(-1, 3)])
    colour = np.median(rim, 0)
    if (np.abs(rim - colour).max(-1) < 30.0).mean() < 0.6:
        return None
    mask = ndimage.gaussian_filter(np.abs(tones - colour).max(-1), 1.2) > 26.0
    labels, found = ndimage.label(ndimage.binary_closing(mask, iterations=3))
    if not found:
        return None
    largest = labels == 1 + int(np.argmax(ndimage.sum(mask, labels, range(1, found + 1))))
    figure = ndimage.binary_fill_holes(largest)
    return figure if 0.2 < figure.mean() < 0.85 else None


def _real(
    photo: Pictures,
    target: Pictures,
    before: Pictures,
    after: Pictures,
    flow: NDArray[np.float16],
    seen: Pictures,
    styled: NDArray[np.float64],
    cell: int,
) -> Examples:
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


def _rng(name: str, number: int) -> np.random.Generator:
    return np.random.default_rng([int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"), number])


def _kept(cache: Path, name: str, make: Callable[[], dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Arrays that were computed once."""
    path = cache / f"{name}.npz"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        with open(draft, "wb") as stream:
            np.savez(stream, **make())  # type: ignore[arg-type]
        draft.replace(path)
    with np.load(path, allow_pickle=False) as stored:
        return {each: stored[each] for each in stored.files}
