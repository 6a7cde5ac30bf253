"""What the training loop needs of the judges: draws pictures, worsens them and compares the answers with the ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.checkpoints.store import write_part
from textedit_core.judges.attribute_table import ATTRIBUTES, mirrored_targets, seen, targets_of
from textedit_core.judges.augmentation import augmented
from textedit_core.judges.config import AugmentationConfig, IdentityJudgeTraining, JudgesConfig
from textedit_core.judges.networks import AttributeNet, CosFaceHead, IdentityJudgeNet
from textedit_core.training.loop import Player, Stage

SAMPLES = 32
CPU = torch.device("cpu")


class Faces(Protocol):
    """What the judges need of `training.data.FaceDataset`."""

    labels: list[dict[str, Any]]
    identities: Tensor
    scene_codes: Tensor
    num_identities: int

    def __len__(self) -> int: ...

    def images(self, indices: Tensor | list[int]) -> Tensor: ...


class _PictureSource:
    """Random rows of a dataset, worsened on the CPU; the same ones for the same generator state, whatever the device."""

    def __init__(self, data: Faces, batch_size: int, augmentation: AugmentationConfig, device: torch.device) -> None:
        self.data, self.batch_size, self.augmentation, self.device = data, batch_size, augmentation, device

    def draw(self, generator: torch.Generator, progress: float) -> tuple[Tensor, Tensor, Tensor]:
        """int64 [N] rows, float [N,3,S,S] pictures, bool [N] mirrored."""
        rows = torch.randint(len(self.data), (self.batch_size,), generator=generator)
        with torch.autocast("cpu", enabled=False):
            images, mirrored = augmented(self.data.images(rows), self.augmentation.at(progress), generator)
        pictures = images.to(self.device).contiguous(memory_format=torch.channels_last)
        return rows.to(self.device), pictures, mirrored.to(self.device)

    def samples(self) -> Tensor:
        """What the judge looks at, for a person to look at: float [SAMPLES,3,S,S]."""
        generator = torch.Generator().manual_seed(0)
        rows = torch.linspace(0, len(self.data) - 1, SAMPLES).long()
        return augmented(self.data.images(rows), self.augmentation, generator)[0]


class AttributeJudgeStage(Stage):
    """Trains the attribute judge on the renderer's ground truth: the weighted sum of the attributes' losses."""

    name = "judge-attributes"

    def __init__(
        self, config: JudgesConfig, augmentation: AugmentationConfig, data: Faces, batch_size: int, folder: Path, device: torch.device = CPU
    ) -> None:
        self.source, self.folder = _PictureSource(data, batch_size, augmentation, device), folder
        labels: Sequence[dict[str, Any]] = [label["attributes"] for label in data.labels]
        self.targets = {name: values.to(device) for name, values in targets_of(labels).items()}
        self.seen = {a.name: seen(a, labels).float().to(device) for a in ATTRIBUTES}
        self.net = AttributeNet(config.attributes).to(memory_format=torch.channels_last)
        self.players = [Player("attributes", self.net, self._losses)]

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        rows, images, mirrored = self.source.draw(generator, progress)
        targets = mirrored_targets({name: values[rows] for name, values in self.targets.items()}, mirrored)
        outputs = self.net(images)
        losses = {}
        for attribute in ATTRIBUTES:
            shown = self.seen[attribute.name][rows]
            each = attribute.loss(outputs[attribute.name], targets[attribute.name])
            losses[attribute.name] = (each * shown).sum() / shown.sum().clamp(min=1.0)
        total = torch.stack([attribute.weight * losses[attribute.name] for attribute in ATTRIBUTES]).sum()
        return {"loss": total, **{name: loss.detach() for name, loss in losses.items()}}

    def samples(self, averaged: dict[str, nn.Module]) -> Tensor | None:
        return self.source.samples()

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        write_part(self.folder, "attributes", averaged["attributes"])


class IdentityJudgeStage(Stage):
    """Trains the identity judge on the renderer's identities; every age and style of a person is one class.

    A person has a few views only, so that the class alone is learnt by heart too soon. A linear layer therefore also reads from the
    embedding the numbers that make the person, which tell new people apart as well.
    """

    name = "judge-identity"

    def __init__(
        self,
        config: JudgesConfig,
        training: IdentityJudgeTraining,
        augmentation: AugmentationConfig,
        data: Faces,
        batch_size: int,
        folder: Path,
        device: torch.device = CPU,
    ) -> None:
        self.source, self.folder = _PictureSource(data, batch_size, augmentation, device), folder
        self.identities = data.identities.to(device)
        self.net = IdentityJudgeNet(config.identity).to(memory_format=torch.channels_last)
        self.head = CosFaceHead(config.identity.embed_dim, data.num_identities, training.scale, training.margin)
        self.person_codes, self.person_weight = person_codes(data).to(device), training.person_weight
        width = self.person_codes.shape[1]
        self.reader = nn.Linear(config.identity.embed_dim, width) if width else nn.Identity()
        self.players = [Player("identity", nn.ModuleList([self.net, self.head, self.reader]), self._losses)]

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        rows, images, _ = self.source.draw(generator, progress)
        embeddings = self.net(images)
        classes = self.head.loss(embeddings, self.identities[rows])
        known = self.person_codes[rows]
        person = F.mse_loss(self.reader(embeddings).float(), known) if known.shape[1] else classes.new_zeros(())
        return {"loss": classes + self.person_weight * person, "classes": classes.detach(), "person": person.detach()}

    def samples(self, averaged: dict[str, nn.Module]) -> Tensor | None:
        return self.source.samples()

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        modules = averaged["identity"]
        assert isinstance(modules, nn.ModuleList)
        write_part(self.folder, "identity", modules[0])


def person_codes(data: Faces) -> Tensor:
    """The numbers of the scene code that are the same in all of a person's views and differ between people.

    Returns:
        float32 [N,P] of zero mean and unit variance over the dataset; P may be 0.
    """
    codes = data.scene_codes
    counts = torch.bincount(data.identities).clamp(min=1)[:, None]
    means = torch.zeros(len(counts), codes.shape[1]).index_add(0, data.identities, codes) / counts
    constant = (codes - means[data.identities]).abs().amax(dim=0) < 1e-4
    spread = codes.std(dim=0)
    kept = constant & (spread > 1e-3)
    return (codes - codes.mean(dim=0))[:, kept] / spread[kept]
