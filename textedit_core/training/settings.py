"""Settings by key: `images=3000`, `decoder.adversarial=0.1`. What no key of a stage names is refused, never dropped.

A stage's settings lie in sections, frozen dataclasses by name. A key is a field's name, or `section.field` where two sections have it.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from textedit_core.errors import UsageError, UserError

Sections = Mapping[str, Any]
Changed = dict[str, dict[str, Any]]
_SETTABLE = (bool, int, float, str, tuple)


def settable(section: Any) -> dict[str, Any]:
    """The fields that a key can set, with their values: switches, numbers, texts and lists of texts."""
    values = {field.name: getattr(section, field.name) for field in dataclasses.fields(section)}
    return {name: value for name, value in values.items() if isinstance(value, _SETTABLE)}


class KeyBook:
    """The keys of everything that `train` can do, so that a key which is not one of this stage's is refused by name.

    Args:
        sections: by stage.
    """

    def __init__(self, sections: Mapping[str, Sections]) -> None:
        self.sections = sections

    def find(self, stage: str, key: str, shown: str) -> tuple[str, str]:
        """Section and field that a key of the stage names.

        Args:
            stage: one of the book's.
            key: "field" or "section.field".
            shown: how the user wrote it, e.g. "--text".

        Raises:
            UsageError: the stage has no such key, or two; the message names the stages that have it, or the key that is nearest.
        """
        found = list(_places(self.sections[stage], key))
        if len(found) > 1:
            full = " or ".join(f"{section}.{field}" for section, field in found)
            raise UsageError(f"{shown!r} can mean several settings of train {stage}; write {full}")
        if found:
            return found[0]
        others = [name for name, sections in self.sections.items() if any(_places(sections, key))]
        if others:
            raise UsageError(f"train {stage} has no {shown!r}; it belongs to: {', '.join(others)}")
        keys = [field for section in self.sections[stage].values() for field in settable(section)]
        near = difflib.get_close_matches(key.rpartition(".")[2], keys, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"its keys are: {', '.join(dict.fromkeys(keys))}"
        raise UsageError(f"train {stage} has no {shown!r}; {hint}")

    def change(self, changes: Changed, stage: str, key: str, value: Any, shown: str = "") -> None:
        """Notes one setting in `changes`; a later one of the same key replaces it.

        Raises:
            UsageError: see `find`; or the value is not of the setting's kind.
        """
        section, field = self.find(stage, key, shown or key)
        changes.setdefault(section, {})[field] = value_like(self.sections[stage][section], field, value, shown or key)

    def template(self, stage: str, changes: Changed) -> str:
        """Every setting of a stage as a config file; those that `changes` does not name are comments with the stage's own values."""
        lines = []
        for name, section in self.sections[stage].items():
            changed = changes.get(name, {})
            lines.append(f"{name}:" if changed else f"# {name}:")
            for field, value in (settable(section) | changed).items():
                lines.append(f"{' ' if field in changed else '#'}   {field}: {_written(value)}")
        return "\n".join(lines) + "\n"


def read_config(path: Path) -> list[tuple[str, Any]]:
    """Keys and values of a YAML file, in its order; a mapping under a section's name holds keys of that section.

    Raises:
        UserError: the file cannot be read, or holds no keys.
    """
    try:
        values = yaml.safe_load(path.read_text("utf8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{str(path)!r} cannot be read as YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(values, dict):
        raise UserError(f"{str(path)!r} holds no settings; each line is like: images: 3000")
    flat: list[tuple[str, Any]] = []
    for key, value in values.items():
        nested = value.items() if isinstance(value, dict) else None
        flat += [(str(key), value)] if nested is None else [(f"{key}.{name}", inner) for name, inner in nested]
    return flat


def value_like(section: Any, field: str, given: Any, shown: str) -> Any:
    """A value as the field has it; texts, as the command line gives them, are read as the field's kind.

    Raises:
        UsageError: it is of another kind, or none of the choices.
    """
    default = getattr(section, field)
    hint = typing.get_type_hints(type(section))[field]
    if typing.get_origin(hint) is typing.Literal and given not in typing.get_args(hint):
        raise UsageError(f"{shown} is one of {', '.join(map(str, typing.get_args(hint)))}, not {given!r}")
    try:
        return _read(default, given)
    except (TypeError, ValueError):
        raise UsageError(f"{shown} is like {default!r}, not {given!r}") from None


def _read(default: Any, given: Any) -> Any:
    if isinstance(default, bool):
        if isinstance(given, str):
            given = yaml.safe_load(given)
        if not isinstance(given, bool):
            raise ValueError
        return given
    if isinstance(given, bool) and not isinstance(default, str):
        raise ValueError
    if isinstance(default, int):
        number = float(given)
        if number != int(number):
            raise ValueError
        return int(number)
    if isinstance(default, tuple):
        listed = [item.strip() for item in given.strip("[]").split(",")] if isinstance(given, str) else given
        return tuple(str(item) for item in listed)
    return type(default)(given)


def _written(value: Any) -> str:
    # In a list of its own, since YAML ends a lone value with a line of dots.
    plain = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump([plain], default_flow_style=True, allow_unicode=True, width=1000).strip()[1:-1]


def _places(sections: Sections, key: str) -> Iterator[tuple[str, str]]:
    wanted, _, field = key.rpartition(".")
    for name, section in sections.items():
        if wanted in ("", name) and field in settable(section):
            yield name, field
