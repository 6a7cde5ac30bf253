"""Plain photographs as examples: bent, drawn, and the decoder's own pictures in their place.

A photograph that is bent by a smooth field knows its answer, and its guides are the decodes of both. A drawing of a photograph follows
from the photograph where its backdrop is plain. And a decode in the photograph's place knows its edit exactly.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from textedit_core.hashing import sha256_of
from textedit_core.latents import level_groups
from textedit_core.synthetic.stylize import stylised
from textedit_core.training.compositor.examples import Examples, Guides
from textedit_core.training.compositor.real import Arrays, Pictures, draws_of, kept, real_examples

DRAWINGS: tuple[str, ...] = ("sketch", "cartoon")
_BEND, _BEND_CELLS = 0.022, 7
_RANDOM_STRENGTH = (0.6, 1.2)
# Changes of each face where the model has no editors.
_RANDOM_CHANGES = 4


class PlainPhotos:
    """Examples from photographs of which nothing is known.

    Args:
        pictures: uint8 [N,S,S,3] aligned crops.
        guides: the model's networks.
        cache: folder for what was computed.
        drawings: whether photographs before a plain backdrop are drawn, where the model has editors of these names.
    """

    def __init__(self, pictures: Pictures, guides: Guides, cache: Path, drawings: bool = True) -> None:
        latents = guides.latents(pictures) if not guides.editors else None
        self._made = [
            kept(cache, f"photo-{sha256_of(picture.tobytes())[:16]}", functools.partial(_plain_view, picture, guides, drawings, latents))
            for picture in track(pictures, "reading photographs", console=Console(stderr=True))
        ]
        self._drawable = [row for row, each in enumerate(self._made) if len(each["drawn"])]

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
        return real_examples(photo[None], target[None], before[None], after[None], field[None], seen[None], np.array([float(styled)]), cell)


def _plain_view(picture: Pictures, guides: Guides, drawings: bool, others: Tensor | None) -> Arrays:
    rng = draws_of(sha256_of(picture.tobytes()))
    side = len(picture)
    flow = bend(side, rng)
    lines, columns = np.mgrid[:side, :side]
    places = [lines + flow[..., 1] * side, columns + flow[..., 0] * side]
    bent = np.stack([ndimage.map_coordinates(picture[..., band], places, order=1, mode="nearest") for band in range(3)], -1)
    latents = guides.latents(np.stack([picture, bent]))
    prompts = list(guides.editors)
    edits = [guides.edited(latents[:1], prompt, float(rng.uniform(*_RANDOM_STRENGTH))) for prompt in prompts]
    if others is not None:
        edits = [random_change(latents[:1], others, rng) for _ in range(_RANDOM_CHANGES)]
    drawn = _drawings(picture, [style for style in DRAWINGS if style in guides.editors]) if drawings else {}
    decodes = guides.decodes(torch.cat([latents, *edits, *(guides.edited(latents[:1], style, 1.0) for style in drawn)]))
    return {
        "photo": picture, "bent": bent, "flow": flow[::2, ::2].astype(np.float16), "before": decodes[0], "bent_after": decodes[1],
        "edits": decodes[2 : 2 + len(edits)], "edit_styled": np.array([prompt in DRAWINGS for prompt in prompts] or [False] * len(edits)),
        "drawn": np.array(list(drawn.values()), np.uint8), "drawn_after": decodes[2 + len(edits) :],
    }  # fmt: skip


def random_change(w_plus: Tensor, others: Tensor, rng: np.random.Generator) -> Tensor:
    """What an editor could make of w_plus [1,L,D] where there is none: one group of levels, part of the way to another face.

    Args:
        w_plus: of the face.
        others: w_plus [N,L,D] of the faces to go towards.
        rng: decides which face, which group and how far.
    """
    groups = [levels for levels in level_groups(w_plus.shape[1]).values() if levels.start < levels.stop]
    levels, other = groups[rng.integers(len(groups))], others[rng.integers(len(others))]
    changed = w_plus.clone()
    changed[:, levels] += float(rng.uniform(*_RANDOM_STRENGTH)) * (other[levels] - w_plus[0, levels])
    return changed


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
