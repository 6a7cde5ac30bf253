"""How whole models are trained, as data: the stages in their order, and what each is told beside its own pace and recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from textedit_core.errors import unknown_name
from textedit_core.training.stage_spec import Changes


@dataclass(frozen=True)
class Step:
    """One run of one stage.

    Attributes:
        stage: its name.
        outcome: under which the finished stage stands in the checkpoint's provenance.
        changes: settings by section and field, e.g. {"pace": {"images": 24_000}}.
        prompt: a reference prompt's id, for a stage of one prompt.
    """

    stage: str
    outcome: str
    changes: Changes = field(default_factory=dict)
    prompt: str = ""


# Sad faces, blond and red hair were trained once and left out, since their edits hardly showed.
_PROMPTS = (
    "smile",
    "child",
    "sketch",
    "cartoon",
    "aged",
    "glasses",
    "surprised",
    "laughing",
    "angry",
    "eyes_closed",
    "grey",
    "black_hair",
)
# Encoder and decoder are trained together before there are editors: each then makes up for what the other cannot do.
_AUTOENCODER: Mapping[str, Mapping[str, object]] = {
    "pace": {"images": 48_000, "learning_rate": 8e-4, "matrix_rate": 8e-3},
    "joint": {"parts": ("encoder", "decoder")},
}
MODEL_RECIPES: dict[str, tuple[Step, ...]] = {
    "reference": (
        Step("clip", "clip"),
        Step("identity", "identity"),
        Step("decoder", "decoder"),
        Step("encoder", "encoder"),
        Step("joint", "joint-encoder-decoder", _AUTOENCODER),
        *(Step("editor", f"editor-{prompt}", prompt=prompt) for prompt in _PROMPTS),
        Step("text-editor", "text-editor", {"pace": {"images": 24_000}}),
        Step("compositor", "compositor"),
    ),
}


def model_recipe(name: str) -> tuple[Step, ...]:
    """Looks a recipe up by its name; raises UsageError listing those that exist."""
    if name not in MODEL_RECIPES:
        raise unknown_name("model recipe", name, list(MODEL_RECIPES), "the recipes are")
    return MODEL_RECIPES[name]
