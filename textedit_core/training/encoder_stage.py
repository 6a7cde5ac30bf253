"""The encoder stage: photo -> w_plus against a frozen decoder, by the known latent first and by what it renders to later."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.checkpoints.store import Checkpoint, write_part
from textedit_core.encoder import build_encoder
from textedit_core.latents import broadcast_w
from textedit_core.losses.combine import ReconstructionObjective, ReconstructionWeights
from textedit_core.losses.latent import level_spread_loss, w_norm_loss
from textedit_core.training.data import FaceDataset
from textedit_core.training.decoder_stage import template_focus, with_terms
from textedit_core.training.distributed import SOLO, Team
from textedit_core.training.encoded_faces import encoded
from textedit_core.training.image_source import ImageSource
from textedit_core.training.loop import Player, Stage
from textedit_core.training.pace import LoopConfig
from textedit_core.training.stage_spec import StageRun, StageSpec

# The share of a batch that the decoder draws from mixtures of two people's latents.
SAMPLED_SHARE = 0.5


@dataclass(frozen=True)
class EncoderTraining:
    """Weights of the encoder's loss beside the latent term's 1. That term runs alone at first; what compares the reconstruction (pixels,
    perceptual distance, identity) joins for the last `rendered_share`.

    `w_norm` keeps latents near their mean and `delta` keeps the levels near each other (e4e, Tov et al. 2021), both in units of the
    latents' spread.
    """

    pixel: float = 1.0
    perceptual: float = 0.2
    identity: float = 0.5
    w_norm: float = 0.0
    delta: float = 0.0
    rendered_share: float = 0.25


class EncoderStage(Stage):
    """Trains the encoder: latent regression, pixels, perceptual features and the identity loss (loss4) of photo against reconstruction.

    Half of a batch are faces that the decoder renders from mixtures of two people's latents, whose w is known exactly.
    """

    name = "encoder"

    def __init__(
        self, recipe: EncoderTraining, data: FaceDataset, heldout: FaceDataset, batch_size: int, checkpoint: Checkpoint, team: Team = SOLO
    ) -> None:
        self.recipe, self.batch_size, self.team, self.directory = recipe, batch_size, team, checkpoint.directory
        self.images, self.count = ImageSource(data, team.device), len(data)
        self.heldout_images = ImageSource(heldout, team.device).first(8)
        self.decoder = checkpoint.load_decoder().to(team.device, memory_format=torch.channels_last)
        with torch.no_grad():
            self.latents = checkpoint.load_mapping()(data.scene_codes).to(team.device)
        self.w_std = self.latents.std(0).square().mean().sqrt()
        self.encoder = build_encoder(checkpoint.config.encoder).to(team.device, memory_format=torch.channels_last)
        self.encoder.w_avg.copy_(self.latents.mean(0))
        identity, clip = checkpoint.load_identity().to(team.device), checkpoint.load_clip().to(team.device)
        self.focus = template_focus(checkpoint.config.decoder.img_resolution // 2, checkpoint.config.crop).to(team.device)
        weights = ReconstructionWeights(pixel=recipe.pixel, gradient=recipe.pixel, perceptual=recipe.perceptual, identity=recipe.identity)
        self.objective = ReconstructionObjective(weights, identity.embed, clip.features)
        self.players = [Player("encoder", self.encoder, self._losses)]

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        # Counted per process, so that every process has as many of either kind.
        sampled = int(self.batch_size // self.team.size * SAMPLED_SHARE) * self.team.size
        rows = self.team.shard(torch.randint(self.count, (self.batch_size - sampled,), generator=generator))
        images, latents = self.images(rows), self.latents[rows.to(self.team.device)]
        if sampled:
            mixed = self._mixtures(sampled, generator)
            with torch.no_grad():
                rendered = self.decoder(broadcast_w(mixed, self.decoder.num_ws)).float().clamp(-1.0, 1.0)
            images, latents = torch.cat([images, rendered]), torch.cat([latents, mixed])
        w_plus = encoded(self.encoder, images.contiguous(memory_format=torch.channels_last)).float()
        error = (w_plus - latents.unsqueeze(1)) / self.w_std
        latent = error.square().mean()
        losses = {"loss": latent, "latent": latent.detach()}
        losses = with_terms(losses, latent_terms(self.recipe, w_plus, self.encoder.w_avg, self.w_std))
        if progress >= 1.0 - self.recipe.rendered_share:
            target = F.avg_pool2d(images[: len(rows)], 2)
            result = self.objective(self.decoder.preview(w_plus[: len(rows)]).float(), target, self.focus)
            losses["loss"] = losses["loss"] + result.total
            losses.update(result.terms)
        return losses

    def _mixtures(self, count: int, generator: torch.Generator) -> Tensor:
        pairs = torch.randint(self.count, (count, 2), generator=generator)
        share = torch.rand(count, 1, generator=generator)
        pairs, share = (self.team.shard(drawn).to(self.team.device) for drawn in (pairs, share))
        return torch.lerp(self.latents[pairs[:, 0]], self.latents[pairs[:, 1]], share)

    def samples(self, averaged: dict[str, nn.Module]) -> Tensor | None:
        return torch.cat([self.heldout_images, self.decoder(encoded(averaged["encoder"], self.heldout_images)).float()])

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        write_part(self.directory, "encoder", averaged["encoder"])


def latent_terms(recipe: EncoderTraining, w_plus: Tensor, w_avg: Tensor, w_std: Tensor | float) -> dict[str, tuple[float, Tensor]]:
    """The weighted latent regularisers of w_plus [B,L,D] by name, in units of the latents' spread `w_std`, squared."""
    terms = {}
    if recipe.w_norm:
        terms["w_norm"] = (recipe.w_norm, w_norm_loss(w_plus, w_avg) / w_std**2)
    if recipe.delta:
        terms["delta"] = (recipe.delta, level_spread_loss(w_plus) / w_std**2)
    return terms


def _build(run: StageRun) -> EncoderStage:
    return EncoderStage(run.recipes["encoder"], run.data, run.heldout, run.batch_size, run.checkpoint, run.team)


STAGE = StageSpec(
    name="encoder",
    trains="encoder: photo to latent",
    pace=LoopConfig(images=16_000, learning_rate=2e-3, matrix_rate=2e-2),
    build=_build,
    recipes={"encoder": EncoderTraining()},
)
