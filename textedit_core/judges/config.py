"""The judges' sizes, recipes and pace: the only home of their defaults."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from textedit_core.training.pace import LoopConfig

Which = Literal["attributes", "identity"]
TrunkOptions = tuple[tuple[str, int | tuple[int, ...]], ...]


@dataclass(frozen=True)
class AttributeJudgeConfig:
    """A timm trunk with one linear layer per attribute.

    RegNetX (Radosavovic et al. 2020) is neither the encoder's nor the text-image model's architecture. Of ten small trunks it had the
    highest training throughput on a CPU core; fewer blocks than the published 200MF keep the file under 3 MB.
    """

    trunk: str = "regnetx_002"
    trunk_options: TrunkOptions = (("depth", 10),)
    image_size: int = 128


@dataclass(frozen=True)
class IdentityJudgeConfig:
    """A timm trunk and a linear embedding of the central part of a photo.

    The training's identity net is a plain residual network with an angular margin; the judge differs from it in both.
    """

    trunk: str = "densenet121"
    trunk_options: TrunkOptions = (("growth_rate", 16), ("block_config", (3, 6, 12, 6)))
    image_size: int = 112
    crop_fraction: float = 0.875
    embed_dim: int = 128


@dataclass(frozen=True)
class AugmentationConfig:
    """How training pictures are worsened, since judges look at what decoders draw.

    Shares are probabilities per picture; `shift` is a fraction of the side, `roll` in degrees, `noise` in units of [-1,1], the blurs
    are standard deviations in pixels, `shrink` is the greatest factor of a reduction that is undone by enlarging. The shares of what
    takes detail away grow from zero over the first `ramp` of a training, since a detail has to be found before it can be found in fog.
    """

    mirror_share: float = 0.5
    shift: float = 0.04
    scale: float = 0.08
    roll: float = 4.0
    brightness: float = 0.15
    contrast: float = 0.2
    color: float = 0.08
    blur_share: float = 0.35
    blur: tuple[float, float] = (0.4, 2.2)
    shrink_share: float = 0.25
    shrink: float = 3.0
    compression_share: float = 0.25
    compression: tuple[float, float] = (0.02, 0.12)
    noise_share: float = 0.3
    noise: float = 0.08
    ramp: float = 0.4

    def at(self, progress: float) -> AugmentationConfig:
        """The recipe after `progress` (0..1) of a training."""
        strength = min(1.0, progress / self.ramp) if self.ramp else 1.0
        shares = ("blur_share", "shrink_share", "compression_share", "noise_share")
        return replace(self, **{name: strength * getattr(self, name) for name in shares})


@dataclass(frozen=True)
class IdentityJudgeTraining:
    """Margin softmax of CosFace (Wang et al. 2018): scale, and a margin that is subtracted from the true class's cosine.

    `person_weight` weighs reading the numbers that make the person (see `stages.person_codes`) from the embedding.
    """

    scale: float = 24.0
    margin: float = 0.25
    person_weight: float = 5.0


@dataclass(frozen=True)
class JudgesConfig:
    """Both judges, as `judges.json` records them."""

    attributes: AttributeJudgeConfig = field(default_factory=AttributeJudgeConfig)
    identity: IdentityJudgeConfig = field(default_factory=IdentityJudgeConfig)


# Chosen for about ten minutes each on two idle CPU cores. Small batches: at equal images, twice the steps found a smile sooner.
PACES: dict[Which, LoopConfig] = {
    "attributes": LoopConfig(images=200_000, batch_size=16, learning_rate=2e-3, warmup_images=4000, ema_half_life_images=4000),
    "identity": LoopConfig(images=160_000, batch_size=16, learning_rate=2e-3, warmup_images=4000, ema_half_life_images=4000),
}
