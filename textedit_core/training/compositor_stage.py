"""The compositor stage: edits drawn on photographs, guided by the frozen encoder, editors and decoder of the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from textedit_core.alignment import crop_face
from textedit_core.checkpoints.store import COMPOSITOR, Checkpoint, write_part
from textedit_core.compositor import Compositor, guides_of
from textedit_core.hashing import sha256_of
from textedit_core.photo_pairs import PhotoPair, read_pairs
from textedit_core.photos import open_photo
from textedit_core.training.compositor.examples import Examples, ExampleSource, Guides
from textedit_core.training.compositor.objective import CompositorWeights, drawn, objective
from textedit_core.training.compositor.pairs import PhotoPairs
from textedit_core.training.compositor.partners import PartnerFolder, Partners
from textedit_core.training.compositor.placement import placed, relit
from textedit_core.training.compositor.plain import PlainPhotos
from textedit_core.training.distributed import SOLO, Team
from textedit_core.training.loop import Player, Stage
from textedit_core.training.pace import LoopConfig
from textedit_core.training.stage_spec import Additions, StageRun, StageSpec, encoder_size

# Of the people of a folder of pairs every third is never trained on.
HELD_OUT_OF, HELD_OUT = 3, 2


@dataclass(frozen=True)
class CompositorTraining:
    """What the compositor learns from beside its data.

    Attributes:
        pairs: folder of pairs of photographs with landmarks; "" trains without.
        people: rendered people at most; they are kept in memory.
        pair_share, photo_share: of a batch; the rest are rendered partners, where there are any.
        whole_share: of the batches that are looked at in the photo's full size.
    """

    pairs: str = ""
    people: int = 1000
    pair_share: float = 0.3
    photo_share: float = 0.2
    whole_share: float = 0.2


class CompositorStage(Stage):
    """Trains the compositor on rendered partners, pairs of photographs and plain photographs, whichever there are."""

    name = COMPOSITOR

    def __init__(
        self, recipe: CompositorTraining, weights: CompositorWeights, data: Any, batch_size: int, checkpoint: Checkpoint, team: Team = SOLO
    ) -> None:
        self.recipe, self.weights, self.data = recipe, weights, data
        self.batch_size, self.checkpoint, self.team = batch_size, checkpoint, team
        self.compositor = Compositor(checkpoint.config.compositor).to(team.device, memory_format=torch.channels_last)
        self.players = [Player("compositor", self.compositor, self._losses)]
        self.trained_on, self.kept_apart = _split(read_pairs(Path(recipe.pairs)) if recipe.pairs else [])
        self.sources: list[tuple[ExampleSource, float]] = []

    def prepare(self) -> None:
        """Encodes and decodes what the examples are made of, once; it is kept beside the run."""
        guides, config = Guides(self.checkpoint, self.team.device), self.checkpoint.config
        parts = [name for name in sorted(self.checkpoint.files) if name.startswith(("encoder", "decoder", "editors/", "text_editor"))]
        key = sha256_of("".join(self.checkpoint.files[name]["sha256"] for name in parts).encode())[:12]
        cache = self.checkpoint.directory.parent / "cache" / f"compositor-{key}"
        size = config.pixel.size
        rendered = isinstance(self.data, PartnerFolder)
        photos = [] if rendered else [_levels(self.data.images(list(range(len(self.data)))))]
        if self.trained_on:
            pairs = PhotoPairs(self.trained_on, guides, size, config.crop, cache)
            self.sources.append((pairs, self.recipe.pair_share))
            photos.append(np.stack([_crop(pair, size, config.crop) for pair in self.trained_on]))
        if photos:
            plain = PlainPhotos(np.concatenate(photos), guides, cache)
            self.sources.append((plain, self.recipe.photo_share if rendered else 1.0))
        if rendered:
            share = 1.0 - sum(share for _, share in self.sources)
            self.sources.append((Partners(self.data.folder, guides, cache, self.recipe.people), share))

    def _examples(self, generator: torch.Generator, count: int, cell: int) -> Examples:
        total = sum(share for _, share in self.sources)
        counts = [round(count * share / total) for _, share in self.sources[:-1]]
        counts.append(count - sum(counts))
        parts = [source(number, generator, cell) for (source, _), number in zip(self.sources, counts, strict=True) if number]
        return placed(relit(Examples.joined(parts), generator), generator).to(self.team.device)

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        config = self.checkpoint.config
        # The guides' side shows all but the detail, at a fraction of the time.
        whole = torch.rand(1, generator=generator).item() < self.recipe.whole_share
        cell = 1 if whole else config.pixel.size // config.compositor.guide
        # All processes draw alike but for the seed of their own examples.
        seed = int(self.team.shard(torch.randint(1 << 62, (self.team.size,), generator=generator)))
        own = torch.Generator().manual_seed(seed)
        examples = self._examples(own, self.batch_size // self.team.size, cell)
        return objective(self.compositor(self._guides(examples)), examples, self.weights)

    def _guides(self, examples: Examples) -> Tensor:
        guides = guides_of(examples.photo, examples.before, examples.after, self.checkpoint.config.compositor.guide)
        return guides.contiguous(memory_format=torch.channels_last)

    def samples(self, averaged: dict[str, nn.Module]) -> Tensor | None:
        """Columns of eight examples: photo, right answer, decodes before and after, edited."""
        examples = self._examples(torch.Generator().manual_seed(1), 8, 1)
        edited = drawn(examples.photo, examples.after, averaged["compositor"](self._guides(examples)))
        return torch.cat([examples.photo, examples.target, examples.before, examples.after, edited])

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        write_part(self.checkpoint.directory, COMPOSITOR, averaged["compositor"])


def _split(pairs: list[PhotoPair]) -> tuple[list[PhotoPair], list[PhotoPair]]:
    apart = pairs[HELD_OUT::HELD_OUT_OF]
    return [pair for pair in pairs if pair not in apart], apart


def _crop(pair: PhotoPair, size: int, rule: Any) -> np.ndarray:
    return np.asarray(crop_face(open_photo(pair.rest).image, pair.landmarks, size, rule)[0])


def _levels(images: Tensor) -> np.ndarray:
    return ((images + 1.0) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def _build(run: StageRun) -> CompositorStage:
    return CompositorStage(run.recipes["compositor"], run.recipes["weights"], run.data, run.batch_size, run.checkpoint, run.team)


def _adds(stage: CompositorStage) -> Additions:
    people = {"people": [pair.name for pair in stage.trained_on], "people_kept_apart": [pair.name for pair in stage.kept_apart]}
    return Additions(provenance=people if stage.trained_on else {})


STAGE = StageSpec(
    name=COMPOSITOR,
    trains="compositor: edits drawn on the photo itself",
    pace=LoopConfig(images=120_000, learning_rate=1.5e-3, warmup_images=800, bfloat16=False),
    build=_build,
    recipes={"compositor": CompositorTraining(), "weights": CompositorWeights()},
    data=("partners", "photos"),
    image_size=encoder_size,
    adds=_adds,
)
