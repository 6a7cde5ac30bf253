"""Encoder and decoder from photographs alone: no scene codes, no labels, no renderer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from textedit_core.checkpoints.store import Checkpoint, write_part
from textedit_core.config import ModelConfig
from textedit_core.decoder import build_decoder
from textedit_core.decoder.layers import EQUALIZED_RATE
from textedit_core.encoder import build_encoder
from textedit_core.losses.combine import ReconstructionObjective, ReconstructionWeights
from textedit_core.training.adversary import BETAS, LEARNING_RATE_SCALE, Adversary
from textedit_core.training.decoder_stage import (
    DecoderTraining,
    perceptual_distances,
    refuse_early_discriminator,
    template_focus,
    with_terms,
)
from textedit_core.training.distributed import SOLO, Team
from textedit_core.training.encoded_faces import encoded
from textedit_core.training.encoder_stage import EncoderTraining, latent_terms
from textedit_core.training.image_source import ImageRows, ImageSource
from textedit_core.training.loop import Player, Stage
from textedit_core.training.pace import LoopConfig
from textedit_core.training.stage_spec import StageRun, StageSpec, photographs_alone


class AutoencoderStage(Stage):
    """Trains encoder and decoder together to reproduce photographs, with a discriminator for the details that pixels cannot ask for.

    Stands in for the stages `decoder` and `encoder` where faces come as plain photographs. Weights of pixels, features and discriminator
    are the decoder's recipe, those of the latent the encoder's: with the latents' scale free, `w_norm` keeps them near the origin (its
    unit is 1 here), and `delta` keeps a face's levels together, so that an edit of one level fits the others (e4e, Tov et al. 2021).
    """

    name = "autoencoder"

    def __init__(
        self,
        model: ModelConfig,
        recipe: DecoderTraining,
        latent: EncoderTraining,
        data: ImageRows,
        heldout: ImageRows,
        batch_size: int,
        checkpoint: Checkpoint,
        team: Team = SOLO,
    ) -> None:
        refuse_early_discriminator(recipe)
        self.recipe, self.latent, self.batch_size, self.team = recipe, latent, batch_size, team
        self.directory, self.count = checkpoint.directory, len(data)
        self.images = ImageSource(data, team.device)
        self.heldout_images = ImageSource(heldout, team.device).first(8)
        networks = nn.ModuleDict({"encoder": build_encoder(model.encoder), "decoder": build_decoder(model.decoder)})
        self.networks = networks.to(team.device, memory_format=torch.channels_last)
        self.focus = template_focus(model.decoder.img_resolution, model.crop).to(team.device)
        self.objective = ReconstructionObjective(ReconstructionWeights(pixel=recipe.pixel, gradient=recipe.pixel))
        self.distances = perceptual_distances(recipe, checkpoint, team)
        self.players = [Player("autoencoder", self.networks, self._losses, rates={"decoder.": EQUALIZED_RATE})]
        self.adversary = Adversary(model.decoder.img_resolution, recipe, team) if recipe.adversarial else None
        if self.adversary is not None:
            self.players.append(Player("discriminator", self.adversary.module, self._discriminator_losses, LEARNING_RATE_SCALE, BETAS))

    def _draw(self, generator: torch.Generator) -> Tensor:
        return self.images(self.team.shard(torch.randint(self.count, (self.batch_size,), generator=generator)))

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        photos = self._draw(generator)
        w_plus = encoded(self.networks["encoder"], photos).float()
        rendered = self.networks["decoder"](w_plus)
        result = self.objective(rendered.float(), photos, self.focus)
        terms = latent_terms(self.latent, w_plus, self.networks["encoder"].w_avg, 1.0)
        if progress >= 1.0 - self.recipe.perceptual_share:
            terms |= {name: (weight, distance(rendered, photos)) for name, (weight, distance) in self.distances.items()}
        if self.adversary is not None and progress >= 1.0 - self.recipe.adversarial_share:
            terms["adversarial"] = (self.recipe.adversarial, self.adversary.generator_loss(rendered, generator))
        return with_terms({"loss": result.total, **result.terms}, terms)

    def _discriminator_losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        assert self.adversary is not None
        if progress < 1.0 - self.recipe.adversarial_share:
            return self.adversary.idle()
        photos = self._draw(generator)
        with torch.no_grad():
            # A second look with batch statistics would move the running ones twice.
            rendered = self.networks["decoder"](encoded(self.networks["encoder"].eval(), photos))
        return self.adversary.loss(photos, rendered, generator)

    def samples(self, averaged: dict[str, nn.Module]) -> Tensor | None:
        networks = averaged["autoencoder"]
        assert isinstance(networks, nn.ModuleDict)
        return torch.cat([self.heldout_images, networks["decoder"](encoded(networks["encoder"], self.heldout_images)).float()])

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        networks = averaged["autoencoder"]
        assert isinstance(networks, nn.ModuleDict)
        for name in ("encoder", "decoder"):
            write_part(self.directory, name, networks[name])


def _build(run: StageRun) -> AutoencoderStage:
    recipes = run.recipes
    return AutoencoderStage(
        run.model, recipes["decoder"], recipes["encoder"], run.data, run.heldout, run.batch_size, run.checkpoint, run.team
    )


STAGE = StageSpec(
    name="autoencoder",
    trains="encoder and decoder together, from photographs alone",
    pace=LoopConfig(images=64_000, learning_rate=1e-3),
    build=_build,
    recipes={"decoder": DecoderTraining(), "encoder": EncoderTraining()},
    data=("rendered", "photos"),
    photos_only=photographs_alone,
)
