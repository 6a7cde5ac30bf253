"""Rendered partners as examples: exact answers, exact motion, and guides that are the person's own or another person's."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.nn import functional as F

from textedit_core.errors import UserError
from textedit_core.hashing import sha256_of
from textedit_core.synthetic.partners import DRAWN, INDEX_NAME, SHARD_PEOPLE, STYLED
from textedit_core.synthetic.shards import SHARD_FOLDER, unpack_shard
from textedit_core.training.compositor.examples import Examples, Guides, as_floats
from textedit_core.training.compositor.placement import texture
from textedit_core.training.compositor.real import Arrays, draws_of, kept

PICTURES: tuple[str, ...] = DRAWN + STYLED
# Partners that an editor of this name makes, where the model has one.
_SAME_NAME = tuple(name for name in PICTURES if name not in ("rest", "expression", "hair"))
# The motion is as smooth as faces are.
_FLOW_SIDE = 128
_STRENGTHS = (0.8, 1.2)
# Shares of guides: the person's own pictures, the other person's; the rest are an editor's.
_OWN, _OTHERS = 0.40, 0.30
_AWAY_FROM_REST, _STILL_SHARE, _TEXTURE_SHARE = 0.85, 0.05, 0.5


class Partners:
    """Examples from a folder that `render --partners` wrote, all in memory as uint8.

    Args:
        folder: finished or not; complete shards count.
        guides: the model's networks; pictures are encoded and decoded once and kept in `cache`.
        cache: folder for the decodes.
        limit: people at most.

    Raises:
        UserError: there are no two people, they are of another size than the model's photos, or a shard is damaged.
    """

    def __init__(self, folder: Path, guides: Guides, cache: Path, limit: int) -> None:
        shards = sorted((folder / SHARD_FOLDER).glob("partners-*.tar"))
        people: list[tuple[NDArray[np.uint8], ...]] = []
        for path in track(shards, "reading partners", console=Console(stderr=True)):
            if len(people) < limit:
                people += self._prepared(path, guides, cache)
        people = people[: min(len(people), limit) // 2 * 2]
        if not people:
            raise UserError(f"{str(folder)!r} holds no couple of partners; render some with render --partners N")
        self.pictures, self.flow, self.visible, self.figure, self.decodes, self.edits = (
            np.stack(each) for each in zip(*people, strict=True)
        )
        side = self.pictures.shape[2]
        if side != guides.size:
            raise UserError(f"{str(folder)!r} has pictures of {side} px; render with --resolution {guides.size}, as this model's photos")
        self._editors = [name for name in _SAME_NAME if name in guides.editors]

    def __len__(self) -> int:
        return len(self.pictures)

    def _prepared(self, path: Path, guides: Guides, cache: Path) -> list[tuple[NDArray[np.uint8], ...]]:
        data = path.read_bytes()
        samples = [_read(sample) for sample in unpack_shard(data, path.name).values()]
        made = kept(cache, f"partners-{sha256_of(data)[:16]}", lambda: _decoded(np.stack([sample[0] for sample in samples]), guides))
        return [(*sample, made["decodes"][row], made["edits"][row]) for row, sample in enumerate(samples)]

    def __call__(self, count: int, generator: torch.Generator, cell: int) -> Examples:
        """As in `ExampleSource`; photographs, drawn in all of their styles, lead away from the person at rest for the most part."""
        person = _whole(len(self), count, generator)
        kind, way = torch.rand(count, generator=generator).numpy(), torch.rand(count, generator=generator).numpy()
        changed, other = 1 + _whole(len(PICTURES) - 1, count, generator), _whole(len(DRAWN), count, generator)
        styled = changed >= len(DRAWN)
        # Away from rest, back to rest, from anything to itself; a drawing is always led to.
        start = np.where((way < _AWAY_FROM_REST) | styled, 0, changed)
        end = np.where((way < _AWAY_FROM_REST) | styled, changed, 0)
        still = way > 1.0 - _STILL_SHARE
        start, end, styled = np.where(still, other, start), np.where(still, other, end), styled & ~still
        before, after = self._guides(person, start, end, kind)
        flow, seen = self._motion(person, start, end, cell)
        examples = Examples(
            photo=as_floats(self.pictures[person, start], cell),
            target=as_floats(self.pictures[person, end], cell),
            before=as_floats(before, cell),
            after=as_floats(after, cell),
            flow=flow,
            seen=seen,
            styled=torch.from_numpy(styled).float().view(-1, 1, 1, 1),
            real=torch.zeros(count, 1, 1, 1),
        )
        return self._on_backdrops(examples, person, start, end, generator)

    def _guides(
        self, person: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64], kind: NDArray[np.float32]
    ) -> Sequence[NDArray[np.uint8]]:
        # People of a couple change alike.
        whose = np.where((kind >= _OWN) & (kind < _OWN + _OTHERS), person ^ 1, person)
        before, after = self.decodes[whose, start].copy(), self.decodes[whose, end].copy()
        for row in np.flatnonzero((kind >= _OWN + _OTHERS) & (start == 0)):
            if PICTURES[end[row]] in self._editors:
                after[row] = self.edits[person[row], self._editors.index(PICTURES[end[row]])]
        return before, after

    def _motion(self, person: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64], cell: int) -> tuple[Tensor, Tensor]:
        side = self.pictures.shape[2]
        flow = np.zeros((len(person), *self.flow.shape[2:]), np.float32)
        seen = np.ones((len(person), side, side), np.float32)
        led = (start == 0) & (end > 0) & (end < len(DRAWN))
        flow[led] = self.flow[person[led], end[led] - 1]
        seen[led] = np.unpackbits(self.visible[person[led], end[led] - 1], axis=-1)
        # Back to rest the motion is not stored.
        seen[start > 0] = np.where((start == end)[start > 0][:, None, None], 1.0, 0.0)
        field = torch.from_numpy(flow).permute(0, 3, 1, 2)
        size = (side // cell, side // cell)
        return F.interpolate(field, size=size, mode="bilinear", align_corners=False), F.avg_pool2d(torch.from_numpy(seen)[:, None], cell)

    def _on_backdrops(
        self, examples: Examples, person: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64], generator: torch.Generator
    ) -> Examples:
        """Puts half of the people before other backdrops; drawings are left on their paper."""
        count, side = len(person), examples.photo.shape[-1]
        swap = (torch.rand(count, 1, 1, 1, generator=generator) < _TEXTURE_SHARE).float() * (1.0 - examples.styled)
        drawn = np.minimum(end, len(DRAWN) - 1)
        figures = [np.unpackbits(self.figure[person, which], axis=-1)[:, None] for which in (np.minimum(start, len(DRAWN) - 1), drawn)]
        backdrop = texture(count, side, generator)

        def placed(picture: Tensor, figure: NDArray[np.uint8]) -> Tensor:
            soft = F.avg_pool2d(F.pad(torch.from_numpy(figure).float(), (1, 1, 1, 1), mode="replicate"), 3, 1)
            soft = F.avg_pool2d(soft, soft.shape[-1] // side)
            return torch.lerp(picture, backdrop, swap * (1.0 - soft))

        return replace(examples, photo=placed(examples.photo, figures[0]), target=placed(examples.target, figures[1]))


@dataclass(frozen=True)
class PartnerFolder:
    """A folder of rendered partners, finished or not, in the place of faces. `people` is how many its complete shards hold."""

    folder: Path
    people: int

    def __len__(self) -> int:
        return self.people


def partner_folder(folder: Path) -> PartnerFolder | None:
    """The folder, if it was written by `render --partners`."""
    if not (folder / INDEX_NAME).is_file():
        return None
    return PartnerFolder(folder, SHARD_PEOPLE * len(list((folder / SHARD_FOLDER).glob("partners-*.tar"))))


def _decoded(pictures: NDArray[np.uint8], guides: Guides) -> Arrays:
    """Decodes of pictures [P,K,S,S,3] of P people, and of what the editors make of the first picture of each."""
    latents = guides.latents(pictures.reshape(-1, *pictures.shape[2:])).unflatten(0, pictures.shape[:2])
    decodes = guides.decodes(latents.flatten(0, 1)).reshape(pictures.shape)
    rng = draws_of(sha256_of(pictures.tobytes()))
    names = [name for name in _SAME_NAME if name in guides.editors]
    moved = [guides.edited(latents[:, 0], name, float(rng.uniform(*_STRENGTHS))) for name in names]
    edits = np.stack([guides.decodes(each) for each in moved], 1) if moved else decodes[:, :0]
    return {"decodes": decodes, "edits": edits}


def _read(sample: dict[str, bytes]) -> tuple[NDArray[np.uint8], ...]:
    pictures = np.stack([np.asarray(Image.open(io.BytesIO(sample[f"{name}.png"]))) for name in PICTURES])
    flow, figure, visible = (np.load(io.BytesIO(sample[f"{name}.npy"]), allow_pickle=False) for name in ("flow", "figure", "visible"))
    side = min(_FLOW_SIDE, flow.shape[1])
    cell = flow.shape[1] // side
    means = flow.astype(np.float32).reshape(len(flow), side, cell, side, cell, 2).mean((2, 4))
    return pictures, means.astype(np.float16), visible, figure


def _whole(limit: int, count: int, generator: torch.Generator) -> NDArray[np.int64]:
    return torch.randint(limit, (count,), generator=generator).numpy()
