"""The opponent of a decoder in training: discriminator, gradient penalty and adaptive augmentation, as one player of the loop."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from textedit_core.losses.adaptive_augmentation import AdaptiveAugmentation
from textedit_core.losses.adversarial import Discriminator, R1Penalty, discriminator_loss, generator_loss
from textedit_core.training.distributed import Team

# The discriminator learns at half the generator's rate and forgets gradients at once, as in StyleGAN2's settings (beta1 = 0).
LEARNING_RATE_SCALE = 0.5
BETAS = (0.0, 0.99)
# Widths at the full resolution and at most.
CHANNELS = (16, 128)
# Steps between two gradient penalties, on average.
R1_INTERVAL = 8


class AdversaryRecipe(Protocol):
    """The share of a decoder's recipe that is the adversary's."""

    @property
    def r1_gamma(self) -> float: ...

    @property
    def augment_target(self) -> float: ...

    @property
    def augment_ramp_images(self) -> int: ...


class Adversary:
    """Tells photographs from renderings: non-saturating logistic loss, lazy R1, adaptive augmentation where the recipe has a target for it.

    Args:
        resolution: side of the images in pixels, a power of two.
        recipe: weight of the gradient penalty, and target and ramp of the augmentation.
        team: where it computes and with whom.
    """

    def __init__(self, resolution: int, recipe: AdversaryRecipe, team: Team) -> None:
        self.team = team
        self.discriminator = Discriminator(resolution, *CHANNELS).to(team.device, memory_format=torch.channels_last)
        self.augmentation = AdaptiveAugmentation(recipe.augment_target, recipe.augment_ramp_images).to(team.device)
        self.penalty = R1Penalty(recipe.r1_gamma, R1_INTERVAL)
        # In the module tree, so that the probability is saved and resumed with the discriminator.
        self.module = nn.ModuleDict({"discriminator": self.discriminator, "augmentation": self.augmentation})

    def generator_loss(self, rendered: Tensor, generator: torch.Generator) -> Tensor:
        """What the renderings [b,3,R,R] of this process lose, scalar; the discriminator itself gets no gradient."""
        self.discriminator.requires_grad_(False)
        loss = generator_loss(self.discriminator(self._view(rendered, generator)))
        self.discriminator.requires_grad_(True)
        return loss

    def loss(self, photos: Tensor, rendered: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """The discriminator's named losses on both kinds of images [b,3,R,R]."""
        real = self._view(photos, generator).detach()
        logits = self.discriminator(real)
        loss = discriminator_loss(logits, self.discriminator(self._view(rendered, generator).detach()))
        if int(torch.randint(self.penalty.interval, (1,), generator=generator)) == 0:
            loss = loss + self.penalty(self.discriminator, real)
        values = {"loss": loss}
        if self.augmentation.target:
            self.augmentation.follow(self.team.mean(logits.sign().mean()), len(photos) * self.team.size)
            values["augmentation"] = self.augmentation.probability.clone()
        return values

    def idle(self) -> dict[str, Tensor]:
        """A loss of zero that depends on the weights: before there is anything to judge, it keeps the optimiser in step with the images."""
        return {"loss": torch.stack([0.0 * p.sum() for p in self.discriminator.parameters()]).sum()}

    def _view(self, images: Tensor, generator: torch.Generator) -> Tensor:
        if not self.augmentation.target:
            return images
        return self.augmentation(images, generator, self.team.rank, self.team.size)
