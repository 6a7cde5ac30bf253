"""The decoder stage: scene code -> mapping -> w -> image, regressed against the rendering, sharpened by a discriminator at the end."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from textedit_core.alignment import CropRule, landmark_template
from textedit_core.checkpoints.store import Checkpoint, write_part
from textedit_core.config import ModelConfig
from textedit_core.decoder import MappingNetwork, build_decoder
from textedit_core.errors import UserError
from textedit_core.latents import broadcast_w
from textedit_core.losses.combine import ReconstructionObjective, ReconstructionWeights
from textedit_core.losses.reconstruction import PerceptualLoss, landmark_weight
from textedit_core.training.adversary import BETAS, LEARNING_RATE_SCALE, Adversary
from textedit_core.training.data import FaceDataset
from textedit_core.training.distributed import SOLO, Team
from textedit_core.training.image_source import ImageSource
from textedit_core.training.loop import Player, Stage
from textedit_core.training.pace import LoopConfig
from textedit_core.training.stage_spec import StageRun, StageSpec


@dataclass(frozen=True)
class DecoderTraining:
    """Weights of the decoder's loss. The first `preview_share` of the images trains the half-size preview alone, which is cheaper; the
    perceptual distances join for the last `perceptual_share`, the discriminator for the last `adversarial_share`.

    `identity` weighs the face-recognition network's features beside CLIP's in the perceptual distance. `r1_gamma` is the gradient
    penalty's weight. `augment_target` is the share of sure verdicts on real images that adaptive augmentation steers to (0.6 in Karras et
    al. 2020, for small data; 0 is off), moving from none to all in `augment_ramp_images`.
    """

    pixel: float = 1.0
    perceptual: float = 0.2
    adversarial: float = 0.0
    identity: float = 0.0
    preview_share: float = 0.7
    perceptual_share: float = 0.3
    adversarial_share: float = 0.2
    r1_gamma: float = 1.0
    augment_target: float = 0.0
    augment_ramp_images: int = 500_000


class DecoderStage(Stage):
    """Trains decoder and mapping together.

    A rendered face comes with the numbers it was rendered from, so the decoder can be regressed on them: every image pulls on the weights
    from the first step, where adversarial training alone would need a hundred times the compute.
    """

    name = "decoder"

    def __init__(
        self,
        model: ModelConfig,
        recipe: DecoderTraining,
        data: FaceDataset,
        heldout: FaceDataset,
        batch_size: int,
        checkpoint: Checkpoint,
        team: Team = SOLO,
    ) -> None:
        refuse_early_discriminator(recipe)
        self.recipe, self.batch_size, self.team, self.directory = recipe, batch_size, team, checkpoint.directory
        self.images, self.count = ImageSource(data, team.device), len(data)
        self.codes = data.scene_codes.to(team.device)
        self.heldout_images = ImageSource(heldout, team.device).first(8)
        self.heldout_codes = heldout.scene_codes[:8].to(team.device)
        decoder = build_decoder(model.decoder).to(memory_format=torch.channels_last)
        mapping = MappingNetwork(model.mapping)
        mapping.standardise(data.scene_codes)
        self.networks = nn.ModuleDict({"mapping": mapping, "decoder": decoder}).to(team.device)
        size = model.decoder.img_resolution
        self.focus = {side: template_focus(side, model.crop).to(team.device) for side in (size, size // 2)}
        self.objective = ReconstructionObjective(ReconstructionWeights(pixel=recipe.pixel, gradient=recipe.pixel))
        self.distances = perceptual_distances(recipe, checkpoint, team)
        self.players = [Player("decoder", self.networks, self._losses)]
        self.adversary = Adversary(size, recipe, team) if recipe.adversarial else None
        if self.adversary is not None:
            self.players.append(
                Player("discriminator", self.adversary.module, self._discriminator_losses, LEARNING_RATE_SCALE, BETAS),
            )

    def _draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = self.team.shard(torch.randint(self.count, (self.batch_size,), generator=generator))
        return self.images(rows), self.codes[rows.to(self.team.device)]

    def _losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        images, codes = self._draw(generator)
        preview = progress < self.recipe.preview_share
        rendered = render(self.networks, codes, preview)
        target = F.avg_pool2d(images, 2) if preview else images
        result = self.objective(rendered.float(), target, self.focus[target.shape[-1]])
        late = progress >= 1.0 - self.recipe.perceptual_share
        distances = self.distances.items() if late else ()
        terms = {name: (weight, distance(rendered, target)) for name, (weight, distance) in distances}
        if self.adversary is not None and progress >= 1.0 - self.recipe.adversarial_share:
            terms["adversarial"] = (self.recipe.adversarial, self.adversary.generator_loss(rendered, generator))
        return with_terms({"loss": result.total, **result.terms}, terms)

    def _discriminator_losses(self, generator: torch.Generator, progress: float) -> dict[str, Tensor]:
        assert self.adversary is not None
        if progress < 1.0 - self.recipe.adversarial_share:
            return self.adversary.idle()
        images, codes = self._draw(generator)
        with torch.no_grad():
            rendered = render(self.networks, codes, preview=False)
        return self.adversary.loss(images, rendered, generator)

    def samples(self, averaged: dict[str, nn.Module]) -> Tensor | None:
        return torch.cat([self.heldout_images, render(averaged["decoder"], self.heldout_codes, preview=False).float()])

    def finish(self, averaged: dict[str, nn.Module]) -> None:
        networks = averaged["decoder"]
        assert isinstance(networks, nn.ModuleDict)
        for name in ("mapping", "decoder"):
            write_part(self.directory, name, networks[name])


def refuse_early_discriminator(recipe: DecoderTraining) -> None:
    """Raises UserError where the discriminator would join while only previews are drawn."""
    if recipe.adversarial and recipe.preview_share + recipe.adversarial_share > 1.0:
        raise UserError(
            f"adversarial_share {recipe.adversarial_share} begins within preview_share {recipe.preview_share}, "
            "but the discriminator judges whole images; their sum is at most 1"
        )


def perceptual_distances(recipe: DecoderTraining, checkpoint: Checkpoint, team: Team) -> dict[str, tuple[float, PerceptualLoss]]:
    """The distances of perception features that have a weight: the text-image model's and the recogniser's.

    Raises:
        UserError: the checkpoint lacks a perception network that a weight asks for.
    """
    distances = {}
    if recipe.perceptual:
        distances["perceptual"] = (recipe.perceptual, PerceptualLoss(checkpoint.load_clip().to(team.device).features))
    if recipe.identity:
        distances["identity"] = (recipe.identity, PerceptualLoss(checkpoint.load_identity().to(team.device).features))
    return distances


def with_terms(losses: dict[str, Tensor], terms: dict[str, tuple[float, Tensor]]) -> dict[str, Tensor]:
    """Adds weighted terms (weight, value) to "loss" and lists their values, detached, by name."""
    total = losses["loss"]
    for weight, value in terms.values():
        total = total + weight * value
    return {**losses, "loss": total, **{name: value.detach() for name, (_, value) in terms.items()}}


def render(networks: nn.Module, codes: Tensor, preview: bool) -> Tensor:
    """Scene codes [B,Z] -> image [B,3,R,R], or [B,3,R/2,R/2] as a preview."""
    assert isinstance(networks, nn.ModuleDict)
    decoder = networks["decoder"]
    w_plus = broadcast_w(networks["mapping"](codes), decoder.num_ws)
    return decoder.preview(w_plus) if preview else decoder(w_plus)


def template_focus(size: int, rule: CropRule) -> Tensor:
    """Importance of each pixel of a face that was aligned by `rule`, float32 [1,1,S,S]: eyes, nose and mouth count most."""
    landmarks = torch.from_numpy(landmark_template(rule)).float().reshape(1, -1, 2) * size
    return landmark_weight(landmarks, size)


def _build(run: StageRun) -> DecoderStage:
    return DecoderStage(run.model, run.recipes["decoder"], run.data, run.heldout, run.batch_size, run.checkpoint, run.team)


STAGE = StageSpec(
    name="decoder",
    trains="mapping and decoder: scene code to image",
    pace=LoopConfig(images=96_000, learning_rate=3e-2, matrix_rate=0.1),
    build=_build,
    recipes={"decoder": DecoderTraining()},
)
