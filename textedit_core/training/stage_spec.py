"""What a training stage is, said once: its pace, the recipes it reads, the data it can do with, how it is built and what it adds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from textedit_core.checkpoints.store import Checkpoint
from textedit_core.config import ModelConfig
from textedit_core.errors import unknown_name
from textedit_core.prompts import Prompt
from textedit_core.training.distributed import Team
from textedit_core.training.loop import Stage
from textedit_core.training.pace import LoopConfig

# Faces with labels and scene codes; pictures alone; people with changed partners and their motion; or latents w_plus that an import
# brought, in the place of pictures.
DataKind = Literal["rendered", "photos", "partners", "latents"]
# Frozen dataclasses by the name that keys are dotted with: {"decoder": DecoderTraining()}.
Recipes = Mapping[str, Any]
# Values to lay over them: {"decoder": {"adversarial": 0.1}}.
Changes = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class StageRun:
    """What a stage is built from.

    Attributes:
        model: the whole model's config.
        recipes: every recipe that the stage reads, by name.
        data, heldout: training faces, and faces for the sample grids, of one of the kinds that the stage takes.
        batch_size: images per step, of all processes together.
        checkpoint: holds the parts of the stages before; receives this one's.
        team: who trains together.
        prompt: what a stage of one prompt trains; None for all others.
        replace: whether that prompt may be trained anew.
    """

    model: ModelConfig
    recipes: Recipes
    data: Any
    heldout: Any
    batch_size: int
    checkpoint: Checkpoint
    team: Team
    prompt: Prompt | None = None
    replace: bool = False


@dataclass(frozen=True)
class Additions:
    """What a finished stage adds to the checkpoint's index, beside its files: records of prompts, and words on its provenance."""

    prompts: tuple[Prompt, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)


def decoder_size(model: ModelConfig) -> int:
    """Side in pixels of the images that the decoder draws."""
    return model.decoder.img_resolution


def encoder_size(model: ModelConfig) -> int:
    """Side in pixels of the photos that the encoder reads: an imported one may look at smaller ones than its decoder makes."""
    return model.pixel.size


def clip_size(model: ModelConfig) -> int:
    """Side in pixels of the images that the perception networks look at, and about that of the previews that guide an editor."""
    return model.clip.image_size


def _every_style(recipes: Recipes) -> bool:
    return False


def photographs_alone(recipes: Recipes) -> bool:
    """For stages that take the photographs alone, whatever their recipes say."""
    return True


def _nothing(stage: Any) -> Additions:
    return Additions()


@dataclass(frozen=True)
class StageSpec:
    """One stage, declared as `STAGE` in its module; nothing else asks which stage it has in hand.

    Attributes:
        name: the word of the command line.
        trains: what it trains, for people.
        pace: how long and how fast, unless told otherwise.
        build: makes the stage; networks are loaded, the work of minutes is left to `Stage.prepare`.
        recipes: defaults of the recipes that it reads, by name; a resumed run must not change them.
        data: the kinds of data that it can do with.
        image_size: side in pixels at which it looks at the data.
        photos_only: whether it takes, of a rendered set, the photographs alone: what is edited is a photograph.
        one_prompt: whether it trains the editor of one prompt, which the request then names. Its state goes when it is done: another run
            of the same prompt is a new one, not a longer one.
        adds: what the finished stage adds to the checkpoint's index; its argument is what `build` returned.
        lay_over: lays changes over the recipes, where more than the fields of `recipes` follows from them; a stage of one prompt also
            finds the prompt's "name" there, under "prompt".
    """

    name: str
    trains: str
    pace: LoopConfig
    build: Callable[[StageRun], Stage]
    recipes: Recipes = field(default_factory=dict)
    data: tuple[DataKind, ...] = ("rendered",)
    image_size: Callable[[ModelConfig], int] = decoder_size
    photos_only: Callable[[Recipes], bool] = _every_style
    one_prompt: bool = False
    adds: Callable[[Any], Additions] = _nothing
    lay_over: Callable[[Changes], Recipes] | None = None

    def recipes_with(self, changes: Changes) -> Recipes:
        """The stage's recipes with changed fields."""
        if self.lay_over is not None:
            return self.lay_over(changes)
        return {name: dataclasses.replace(recipe, **changes.get(name, {})) for name, recipe in self.recipes.items()}

    def completed(self, recipes: Recipes) -> Recipes:
        """The given recipes, and the stage's own where none is given.

        Raises:
            UsageError: the stage reads no recipe of a given name.
        """
        for name in recipes:
            if name not in self.recipes:
                raise unknown_name("recipe", name, list(self.recipes), f"the {self.name} stage reads")
        return {**self.recipes, **recipes}
