"""The YAML list of prompts that a sweep trains."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from textedit_core.errors import UsageError, UserError
from textedit_core.names import require_prompt_id
from textedit_core.prompts import Prompt
from textedit_core.reference_prompts import REFERENCE_PROMPTS
from textedit_core.training.editor_recipe import EDITOR_RECIPES, EditorTraining

_KEYS = {"id", "text", "neutral_text", "wordings", "neutral_wordings", "names", "recipe"}


def read_prompts(path: Path) -> tuple[tuple[Prompt, EditorTraining], ...]:
    """Reads a list of {id, text, neutral_text, wordings, neutral_wordings, names, recipe}.

    Only `id` is needed where it is a reference prompt's, `id` and `text` otherwise. `recipe` is the id of a reference prompt whose recipe
    to take, or a mapping of EditorTraining's fields to lay over the prompt's own recipe.

    Raises:
        UserError: the file cannot be read, or an entry is not as described; the message names the entry and the key.
    """
    try:
        entries = yaml.safe_load(path.read_text("utf8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{str(path)!r} cannot be read as YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{str(path)!r} holds no list of prompts; each entry is like: - {{id: old, text: an old man, neutral_text: a man}}")
    prompts = tuple(_prompt(entry, f"{str(path)!r}, entry {number}") for number, entry in enumerate(entries, 1))
    ids = [prompt.id for prompt, _ in prompts]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise UserError(f"{str(path)!r} has the id {twice[0]!r} twice; give each prompt its own")
    return prompts


def _prompt(entry: Any, where: str) -> tuple[Prompt, EditorTraining]:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise UserError(f"{where}: needs an id, such as - {{id: old, text: an old man}}")
    try:
        require_prompt_id(entry["id"])
    except UsageError as error:
        raise UserError(f"{where}: {error}") from None
    unknown = sorted(str(key) for key in set(entry) - _KEYS)
    if unknown:
        raise UserError(f"{where}: unknown key {unknown[0]!r}; the keys are: {', '.join(sorted(_KEYS))}")
    known = REFERENCE_PROMPTS.get(entry["id"], Prompt(entry["id"], "", names={"en": entry["id"].capitalize()}))
    given = {key: _checked(key, value, where) for key, value in entry.items() if key != "recipe"}
    prompt = dataclasses.replace(known, **given)
    if not prompt.text:
        raise UserError(f"{where}: prompt {prompt.id!r} has no text; say what the face shall show")
    return prompt, _recipe(entry.get("recipe"), prompt.id, where)


def _checked(key: str, value: Any, where: str) -> Any:
    if key in ("wordings", "neutral_wordings"):
        if isinstance(value, list) and all(isinstance(text, str) for text in value):
            return tuple(value)
        raise UserError(f"{where}: {key} is a list of texts, not {value!r}")
    if key == "names":
        if isinstance(value, dict) and all(isinstance(text, str) for pair in value.items() for text in pair):
            return value
        raise UserError(f"{where}: names maps a language to a name, like {{en: Old}}, not {value!r}")
    if not isinstance(value, str):
        raise UserError(f"{where}: {key} is a text, not {value!r}")
    return value


def _recipe(given: Any, prompt_id: str, where: str) -> EditorTraining:
    if isinstance(given, str):
        if given not in EDITOR_RECIPES:
            raise UserError(f"{where}: unknown recipe {given!r}; the recipes are: {', '.join(sorted(EDITOR_RECIPES))}")
        return EDITOR_RECIPES[given]
    recipe = EDITOR_RECIPES.get(prompt_id, EditorTraining())
    if given is None:
        return recipe
    fields = {field.name for field in dataclasses.fields(EditorTraining)}
    unknown = sorted(str(key) for key in set(given) - fields) if isinstance(given, dict) else [str(given)]
    if unknown:
        raise UserError(f"{where}: recipe has no {unknown[0]!r}; its fields are: {', '.join(sorted(fields))}")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    for key, value in values.items():
        wanted = type(getattr(recipe, key))
        if not isinstance(value, (int, float) if wanted is float else wanted) or isinstance(value, bool):
            raise UserError(f"{where}: recipe's {key} is like {getattr(recipe, key)!r}, not {value!r}")
    return dataclasses.replace(recipe, **values)
