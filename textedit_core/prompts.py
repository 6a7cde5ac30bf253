"""What an edit is: its texts, how an app shows it, and what training found out about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from textedit_core.editor.config import EditorConfig


@dataclass(frozen=True)
class Prompt:
    """One edit: the target text, its neutral partner (for directional matching) and how an app shows it.

    `wordings` and `neutral_wordings` say the same in other words; the embeddings of all wordings are averaged (Radford et al. 2021,
    section 3.1.4). `groups` are the level groups that the editor moves. `calibration` is the factor that the trained editor was
    multiplied with, and `reached` the share of the way from the neutral to the target text that strength 1 covers since then, both
    for the record. `conditioned` prompts have no editor of their own: the checkpoint's text-conditioned editor serves them. `editor`
    describes an imported editor; None is one of the model's own.
    """

    id: str
    text: str
    neutral_text: str = ""
    names: dict[str, str] = field(default_factory=dict)
    strength_default: float = 1.0
    strength_min: float = 0.0
    strength_max: float = 1.5
    wordings: tuple[str, ...] = ()
    neutral_wordings: tuple[str, ...] = ()
    groups: tuple[str, ...] = ("coarse", "medium", "fine")
    calibration: float = 1.0
    reached: float | None = None
    conditioned: bool = False
    editor: EditorConfig | None = None


def prompt_from_dict(values: dict[str, Any]) -> Prompt:
    """Rebuilds a Prompt from `to_dict`; fields that an older index lacks take their defaults.

    Raises:
        TypeError: a field is unknown, or id or text is missing.
    """
    frozen = lists_as_tuples(values)
    if frozen.get("editor") is not None:
        frozen["editor"] = EditorConfig(**frozen["editor"])
    return Prompt(**frozen)


def lists_as_tuples(values: dict[str, Any]) -> dict[str, Any]:
    """The same values with every JSON list, however deep, as the tuple that a frozen dataclass holds."""

    def freeze(value: Any) -> Any:
        return tuple(freeze(item) for item in value) if isinstance(value, list) else value

    return {key: freeze(value) for key, value in values.items()}
