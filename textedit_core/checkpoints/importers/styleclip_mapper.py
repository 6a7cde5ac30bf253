"""StyleCLIP's mappers: a .pt with `state_dict`, which holds the mapper and a whole generator, and the options of its training, `opts`.

A mapper's state dict by itself is read too. It does not say for which generator it was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyReport, KeyTable, Source
from textedit_core.checkpoints.importers.training_options import generator_levels
from textedit_core.checkpoints.importers.unwrap import Found, find_network
from textedit_core.checkpoints.importers.whole_network import take_network
from textedit_core.config import EditorConfig
from textedit_core.editor import build_editor
from textedit_core.errors import UserError
from textedit_core.latents import level_groups

FORMAT = "styleclip-mapper"
_MAPPER = "mapper."
_WRAPPERS = ("state_dict", "mapper", "params", "model")
_KINDS: dict[str, Literal["levels_mapper", "single_mapper"]] = {"LevelsMapper": "levels_mapper", "SingleMapper": "single_mapper"}
# StyleCLIP spells the coarse group so; the single mapper's network lies one step deeper.
_GROUPS = {"coarse": "course_mapping", "medium": "medium_mapping", "fine": "fine_mapping", "all": "mapping"}
# Of a generator of 1024 px.
_DEFAULT_LEVELS = 18


def _is_mapper(state: Mapping[str, Any]) -> bool:
    # HairCLIP's mapper lies at the same place.
    inside = any(key.startswith(_MAPPER) for key in state) and not any(".modulation_module_list." in key for key in state)
    return inside or any(f"{_network(group)}.1.weight" in state for group in _GROUPS)


def _found(source: Source) -> Found | None:
    return find_network(source.content, _WRAPPERS, _is_mapper)


def _recognises(source: Source) -> bool:
    return _found(source) is not None


def _read(source: Source, choice: str) -> Imported:
    found = _found(source)
    assert found is not None
    prefix = _MAPPER if any(key.startswith(_MAPPER) for key in found.tensors) else ""
    mapper = {key.removeprefix(prefix): value for key, value in found.tensors.items() if key.startswith(prefix)}
    table = KeyTable(source.path, mapper, f"{found.prefix}{prefix}")
    options = _options(source, mapper)
    config = _config(table, options, source)
    _ignore_levels_beyond(table, config)
    tensors = take_network(table, partial(build_editor, config), lambda key: _foreign_name(key, config.num_blocks))
    report = table.report().joined(KeyReport((), {**_others(found, prefix), **found.beside}))
    text = str(options.get("description") or "")
    notes = (f"{options['mapper_type']} for the text {text!r}",) if text else ()
    sized = bool(options.get("stylegan_size"))
    return Imported("editor", FORMAT, config, tensors, report, notes=notes, text=text, open_levels=not sized)


def _others(found: Found, prefix: str) -> dict[str, str]:
    others = [key for key in found.tensors if not key.startswith(prefix)]
    reasons = {True: "the generator; --decoder imports one", False: "not of the mapper"}
    return {f"{found.prefix}{key}": reasons[key.startswith("decoder.")] for key in others}


def _options(source: Source, mapper: Mapping[str, Any]) -> dict[str, Any]:
    options = source.content.get("opts")
    if not isinstance(options, dict):
        # Groups that were switched off have no networks.
        single = f"{_network('all')}.1.weight" in mapper
        off = {f"no_{name}_mapper": f"{_network(name)}.1.weight" not in mapper for name in ("coarse", "medium", "fine")}
        return {"mapper_type": "SingleMapper"} if single else {"mapper_type": "LevelsMapper", **off}
    options = dict(options)
    kind = options.setdefault("mapper_type", "LevelsMapper")
    if options.get("work_in_stylespace") or not isinstance(kind, str) or kind not in _KINDS:
        what = "a mapper in StyleSpace" if options.get("work_in_stylespace") else f"of mapper_type {kind!r}"
        known = ", ".join(_KINDS)
        raise UserError(
            f"{str(source.path)!r} is {what}; exported decoders take w_plus and no styles, so the mappers that can be imported are: {known}"
        )
    return options


def _config(table: KeyTable, options: dict[str, Any], source: Source) -> EditorConfig:
    kind = _KINDS[options["mapper_type"]]
    on = {name: kind == "single_mapper" or not options.get(f"no_{name}_mapper", False) for name in ("coarse", "medium", "fine")}
    group = "all" if kind == "single_mapper" else next((name for name, moves in on.items() if moves), "coarse")
    first = _network(group)
    w_dim = table.shape(f"{first}.1.weight", 2)[0]
    layers = sum(key.startswith(f"{first}.") and key.endswith(".weight") for key in table.keys())
    num_ws = generator_levels(options, ("stylegan_size",), source) or _DEFAULT_LEVELS
    return EditorConfig(num_ws=num_ws, w_dim=w_dim, hidden_dim=w_dim, num_blocks=layers, kind=kind, **on)


def _ignore_levels_beyond(table: KeyTable, config: EditorConfig) -> None:
    """The networks of level groups that a small generator does not have: StyleCLIP makes them and shows them nothing."""
    for name, part in level_groups(config.num_ws).items():
        if part.stop <= part.start:
            table.ignore_prefix(f"{_GROUPS[name]}.", f"a generator of {config.num_ws} levels has no {name} ones")


def _network(group: str) -> str:
    return f"{_GROUPS[group]}.mapping"


def _foreign_name(key: str, layers: int) -> str:
    """groups.G.blocks.N.weight and groups.G.leave.weight are layers of one sequence, whose first member is the norm."""
    _, group, *inner, leaf = key.split(".")
    number = layers if inner[0] == "leave" else int(inner[1]) + 1
    return f"{_network(group)}.{number}.{leaf}"


IMPORTER = Importer(FORMAT, "editor", _recognises, _read)
