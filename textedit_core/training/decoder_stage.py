"""The decoder stage: scene code -> mapping -> w -> image, regressed against the rendering, sharpened by a discriminator at the end."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.alignment import ALIGNMENT_TEMPLATE
from textedit_core.checkpoints.store import Checkpoint, write_part
from textedit_core.config import DecoderTraining, ModelConfig
from textedit_core.decoder import MappingNetwork, build_decoder
from textedit_core.errors import UserError
from textedit_core.latents import broadcast_w
from textedit_core.losses.adversarial import Discriminator, R1Penalty, discriminator_loss, generator_loss
from textedit_core.losses.combine import ReconstructionObjective, ReconstructionWeights
from textedit_core.losses.reconstruction import landmark_weight
from textedit_core.training.data import FaceDataset
from textedit_core.training.loop import Player


class DecoderStage:
    """Trains decoder and mapping together.

    A rendered face comes with the numbers it was rendered from, so the decoder can be regressed on them: every image pulls on the weights
    from the first step, where adversarial training alone would need a hundred times the compute.
    """

    name = "decoder"

    def __init__(
        self, model: ModelConfig, recipe: DecoderTraining, data: FaceDataset, heldout: FaceDataset, batch_size: int, checkpoint: Checkpoint
    ) -> None:
        if recipe.adversarial and recipe.preview_share + recipe.adversarial_share > 1.0:
            raise UserError(
                f"adversarial_share {recipe.adversarial_share} begins within preview_share {recipe.preview_share}, "
                "but the discriminator judges whole images; their sum is at most 1"
            )
        self.recipe, self.data, self.heldout, self.batch_size = recipe, data, heldout, batch_size
        self.directory = checkpoint.directory
        decoder = build_decoder(model.decoder).to(memory_format=torch.channels_last)
        mapping = MappingNetwork(model.mapping)
        mapping.standardise(data.scene_codes)
        self.networks = nn.ModuleDict({"mapping": mapping, "decoder": decoder})
        size = model.decoder.img_resolution
        self.focus = {side: template_focus(side) for side in (size, size // 2)}
        extractor = checkpoint.load_clip().features if recipe.perceptual else None
        pixel_only = ReconstructionWeights(pixel=recipe.pixel, gradient=recipe.pixel)
        self.pixel_objective = ReconstructionObjective(pixel_only)
        perceptual = ReconstructionWeights(pixel=recipe.pixel, gradient=recipe.pixel, perceptual=recipe.perceptual)
        self.perceptual_objective = ReconstructionObjective(perceptual, extractor=extractor)
        self.players = [Player("decoder", self.networks, self._losses)]
        self.discriminator: Discriminator | None = None
        if recipe.adversarial:
            self.discriminator = Discriminator(size, base_channels=16, max_channels=128)
            self.penalty = R1Penalty(gamma=1.0, interval=8)
            self.players.append(Player("discriminator", self.discriminator, self._discriminator_losses, 0.5, (0.0, 0.99)))

    def _draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(self.data), (self.batch_size,), generator=generator)
        images = self.data.images(rows).contiguous(memory_format=torch.channels_last)
        return images, self.data.scene_codes[rows]

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        images, codes = self._draw(generator)
        preview = progress < self.recipe.preview_share
        rendered = render(self.networks, codes, preview)
        target = F.avg_pool2d(images, 2) if preview else images
        late = progress >= 1.0 - self.recipe.perceptual_share
        objective = self.perceptual_objective if late else self.pixel_objective
        result = objective(rendered.float(), target, self.focus[target.shape[-1]])
        losses = {"loss": result.total, **result.terms}
        if self.discriminator is not None and progress >= 1.0 - self.recipe.adversarial_share:
            self.discriminator.requires_grad_(False)
            adversarial = generator_loss(self.discriminator(rendered))
            self.discriminator.requires_grad_(True)
            losses["loss"] = losses["loss"] + self.recipe.adversarial * adversarial
            losses["adversarial"] = adversarial.detach()
        return losses

    def _discriminator_losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        assert self.discriminator is not None
        if progress < 1.0 - self.recipe.adversarial_share:
            # Nothing to judge yet: a zero that depends on the weights keeps the optimiser's steps aligned with the images.
            return {"loss": 0.0 * sum(p.sum() for p in self.discriminator.parameters())}
        images, codes = self._draw(generator)
        with torch.no_grad():
            rendered = render(self.networks, codes, preview=False)
        loss = discriminator_loss(self.discriminator(images), self.discriminator(rendered))
        if int(torch.randint(self.penalty.interval, (1,), generator=generator)) == 0:
            loss = loss + self.penalty(self.discriminator, images)
        return {"loss": loss}

    def samples(self, averaged: dict[str, nn.Module]) -> Tensor | None:
        rows = list(range(min(8, len(self.heldout))))
        images = self.heldout.images(rows)
        return torch.cat([images, render(averaged["decoder"], self.heldout.scene_codes[rows], preview=False).float()])

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        networks = averaged["decoder"]
        assert isinstance(networks, nn.ModuleDict)
        for name in ("mapping", "decoder"):
            write_part(self.directory, name, networks[name])


def render(networks: nn.Module, codes: Tensor, preview: bool) -> Tensor:
    """Scene codes [B,Z] -> image [B,3,R,R], or [B,3,R/2,R/2] as a preview."""
    assert isinstance(networks, nn.ModuleDict)
    decoder = networks["decoder"]
    w_plus = broadcast_w(networks["mapping"](codes), decoder.num_ws)
    return decoder.preview(w_plus) if preview else decoder(w_plus)


def template_focus(size: int) -> Tensor:
    """Importance of each pixel of an aligned face, float32 [1,1,S,S]: eyes, nose and mouth count most."""
    landmarks = torch.tensor(ALIGNMENT_TEMPLATE, dtype=torch.float32).reshape(1, -1, 2) * size
    return landmark_weight(landmarks, size)
