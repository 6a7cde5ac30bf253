"""The identity stage: who is in a picture, whatever the style and age."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from textedit_core.checkpoints.store import write_part
from textedit_core.config import ModelConfig
from textedit_core.perception.face_identity import ArcFaceHead, IdentityNet
from textedit_core.training.augmentation import augmented
from textedit_core.training.data import FaceDataset, require_several_people
from textedit_core.training.distributed import SOLO, Team
from textedit_core.training.image_source import ImageSource
from textedit_core.training.loop import Player, Stage
from textedit_core.training.pace import LoopConfig
from textedit_core.training.stage_spec import StageRun, StageSpec, clip_size

# The ArcFace margin (Deng et al. 2019): radius of the hypersphere, and angular margin in radians.
SCALE, MARGIN = 24.0, 0.3


class IdentityStage(Stage):
    """Trains the identity net on the renderer's identities with the ArcFace margin; every style and age of a person is one class.

    Raises:
        UserError: the images are all of one person.
    """

    name = "identity"

    def __init__(self, model: ModelConfig, data: FaceDataset, batch_size: int, checkpoint: Path, team: Team = SOLO) -> None:
        self.batch_size, self.team, self.checkpoint = batch_size, team, checkpoint
        require_several_people(data, self.name)
        self.images, self.identities = ImageSource(data, team.device), data.identities.to(team.device)
        self.net = IdentityNet(model.identity).to(team.device, memory_format=torch.channels_last)
        self.head = ArcFaceHead(model.identity.embed_dim, data.num_identities, SCALE, MARGIN)
        self.players = [Player("identity", nn.ModuleList([self.net, self.head]), self._losses)]

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        rows = self.team.shard(torch.randint(len(self.identities), (self.batch_size,), generator=generator))
        images = augmented(self.images(rows), generator, self.team).contiguous(memory_format=torch.channels_last)
        return {"loss": self.head.loss(self.net.embed(images), self.identities[rows.to(self.team.device)])}

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        modules = averaged["identity"]
        assert isinstance(modules, nn.ModuleList)
        write_part(self.checkpoint, "identity", modules[0])


def _build(run: StageRun) -> IdentityStage:
    return IdentityStage(run.model, run.data, run.batch_size, run.checkpoint.directory, run.team)


STAGE = StageSpec(
    name="identity",
    trains="the face-recognition network: images and who is in them",
    pace=LoopConfig(images=64_000, batch_size=32, learning_rate=1e-3, warmup_images=4000, ema_half_life_images=4000),
    build=_build,
    image_size=clip_size,
)
