"""Pairs of photographs as examples: the same person at rest and changed, with the motion that can be seen between them."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rich.console import Console
from rich.progress import track
from scipy import ndimage
from scipy.spatial import ConvexHull

from textedit_core.alignment import CropRule, CropTransform, crop_face, cut_out
from textedit_core.hashing import sha256_of
from textedit_core.optical_flow import optical_flow, tone
from textedit_core.photo_pairs import PhotoPair
from textedit_core.photos import open_photo
from textedit_core.training.compositor.examples import Examples, Guides
from textedit_core.training.compositor.real import Arrays, Pictures, draws_of, kept, real_examples

# Views of each photograph with guides of their own.
_VIEWS = 3
_TURN_DEGREES, _ZOOM, _SHIFT = 5.0, 0.06, 0.03
# Whose edits lead to the changed photograph.
_PROMPT, _STRENGTHS = "smile", (0.9, 1.0, 1.1)
# Optical flow between two photographs is believed where the moved one differs by less than this, in grey levels.
_BELIEVED = 14.0


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
        digests = {pair.name: _digest(pair) for pair in pairs}
        views = [(pair, view) for pair in pairs for view in range(_VIEWS)]
        made = [
            kept(cache, f"pair-{digests[pair.name]}-{view}", functools.partial(_pair_view, pair, view, guides, size, rule))
            for pair, view in track(views, "reading pairs", console=Console(stderr=True))
        ]
        self.photo, self.target, self.before, self.after, self.flow, self.seen = (
            np.stack([each[name] for each in made]) for name in ("photo", "target", "before", "after", "flow", "seen")
        )
        # An editor's decode asks for its own motion, which the answer's is not: what it asks for can be seen in it.
        asked = [
            kept(cache, f"asked-{digests[pair.name]}-{view}", functools.partial(_asked_motion, each))
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
        return real_examples(
            self.photo[rows], self.target[rows], self.before[rows], self.after[rows, guide], flow, seen, np.zeros(count), cell
        )


def _digest(pair: PhotoPair) -> str:
    """Names both photographs and their landmarks, so that other ones of the same names are not taken for these."""
    numbers = np.concatenate([pair.points.ravel(), pair.to_changed.ravel()]).tobytes()
    return sha256_of(pair.rest.read_bytes() + pair.changed.read_bytes() + numbers)[:16]


def _pair_view(pair: PhotoPair, view: int, guides: Guides, size: int, rule: CropRule) -> Arrays:
    rng = draws_of(pair.name, view)
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


def _asked_motion(made: Arrays) -> Arrays:
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
    """From places of a later picture to those of an earlier one, [S/2,S/2,2] in fractions of the side, and where that is believed [S,S]."""
    side = len(earlier)
    flow = optical_flow(later, earlier)
    lines, columns = np.mgrid[:side, :side]
    moved = ndimage.map_coordinates(tone(earlier), [lines + flow[..., 1], columns + flow[..., 0]], order=1, mode="nearest")
    believed = ndimage.uniform_filter(np.abs(moved - tone(later)), 5) < _BELIEVED
    return (flow[::2, ::2] / side).astype(np.float16), believed
