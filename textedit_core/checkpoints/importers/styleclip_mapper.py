"""StyleCLIP's mappers: a .pt with `state_dict`, which holds the mapper and a whole generator, and the options of its training, `opts`."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyReport, KeyTable, Source
from textedit_core.checkpoints.importers.whole_network import take_network
from textedit_core.config import EditorConfig
from textedit_core.editor import build_editor
from textedit_core.errors import UserError

FORMAT = "styleclip-mapper"
_MAPPER = "mapper."
_KINDS: dict[str, Literal["levels_mapper", "single_mapper"]] = {"LevelsMapper": "levels_mapper", "SingleMapper": "single_mapper"}
# StyleCLIP spells the coarse group so; the single mapper's network lies one step deeper.
_GROUPS = {"coarse": "course_mapping", "medium": "medium_mapping", "fine": "fine_mapping", "all": "mapping"}
_DEFAULT_SIZE = 1024


def _recognises(source: Source) -> bool:
    state = source.content.get("state_dict") if isinstance(source.content, dict) else None
    return isinstance(state, dict) and any(str(key).startswith(_MAPPER) for key in state)


def _read(source: Source, name: str) -> Imported:
    state: dict[str, Any] = source.content["state_dict"]
    options = _options(source)
    mapper = {key[len(_MAPPER) :]: value for key, value in state.items() if key.startswith(_MAPPER)}
    table = KeyTable(source.path, mapper, f"state_dict.{_MAPPER}")
    config = _config(table, options)
    tensors = take_network(table, partial(build_editor, config), lambda key: _foreign_name(key, config.num_blocks))
    report = table.report()
    generator = {f"state_dict.{key}": "the generator; --decoder imports one" for key in state if key.startswith("decoder.")}
    others = {f"state_dict.{key}": "not of the mapper" for key in state if not key.startswith(("decoder.", _MAPPER))}
    training = {key: "the settings of its training" for key in source.content if key != "state_dict"}
    report = KeyReport(report.used, {**report.ignored, **generator, **others, **training}, report.missing)
    text = str(options.get("description") or "")
    notes = (f"{options['mapper_type']} for the text {text!r}",) if text else ()
    return Imported("editor", FORMAT, config, tensors, report, notes=notes, text=text)


def _options(source: Source) -> dict[str, Any]:
    options = source.content.get("opts")
    options = dict(options) if isinstance(options, dict) else {}
    kind = options.setdefault("mapper_type", "LevelsMapper")
    if options.get("work_in_stylespace") or kind not in _KINDS:
        what = "a mapper in StyleSpace" if options.get("work_in_stylespace") else f"of mapper_type {kind!r}"
        known = ", ".join(_KINDS)
        raise UserError(
            f"{str(source.path)!r} is {what}; exported decoders take w_plus and no styles, so the mappers that can be imported are: {known}"
        )
    return options


def _config(table: KeyTable, options: dict[str, Any]) -> EditorConfig:
    kind = _KINDS[options["mapper_type"]]
    on = {name: kind == "single_mapper" or not options.get(f"no_{name}_mapper", False) for name in ("coarse", "medium", "fine")}
    group = "all" if kind == "single_mapper" else next((name for name, moves in on.items() if moves), "coarse")
    first = _network(group)
    w_dim = table.shape(f"{first}.1.weight")[0]
    layers = sum(key.startswith(f"{first}.") and key.endswith(".weight") for key in table.keys())
    size = int(options.get("stylegan_size") or _DEFAULT_SIZE)
    num_ws = 2 * int(math.log2(size)) - 2
    return EditorConfig(num_ws=num_ws, w_dim=w_dim, hidden_dim=w_dim, num_blocks=layers, kind=kind, **on)


def _network(group: str) -> str:
    return f"{_GROUPS[group]}.mapping"


def _foreign_name(key: str, layers: int) -> str:
    """groups.G.blocks.N.weight and groups.G.leave.weight are layers of one sequence, whose first member is the norm."""
    _, group, *inner, leaf = key.split(".")
    number = layers if inner[0] == "leave" else int(inner[1]) + 1
    return f"{_network(group)}.{number}.{leaf}"


IMPORTER = Importer(FORMAT, "editor", _recognises, _read)
