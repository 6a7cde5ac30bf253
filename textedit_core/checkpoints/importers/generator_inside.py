"""The generator that lies in the file of an encoder or a mapper, for those who name that file as a decoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyTable, Source
from textedit_core.checkpoints.importers.stylegan2_rosinality import read_generator
from textedit_core.checkpoints.importers.unwrap import Found, find_network

FORMAT = "stylegan2-inside"
_DECODER = "decoder."


def _holds_generator(state: Mapping[str, Any]) -> bool:
    return f"{_DECODER}input.input" in state and f"{_DECODER}conv1.conv.modulation.weight" in state


def _found(source: Source) -> Found | None:
    return find_network(source.content, ("state_dict", "params", "model"), _holds_generator)


def _recognises(source: Source) -> bool:
    return _found(source) is not None


def _read(source: Source, choice: str) -> Imported:
    found = _found(source)
    assert found is not None
    generator = {key.removeprefix(_DECODER): value for key, value in found.tensors.items() if key.startswith(_DECODER)}
    imported = read_generator(KeyTable(source.path, generator, f"{found.prefix}{_DECODER}"), source, FORMAT)
    others = {f"{found.prefix}{key}": "not of the generator" for key in found.tensors if not key.startswith(_DECODER)}
    imported.report.ignored.update({**others, **found.beside})
    return imported


IMPORTER = Importer(FORMAT, "decoder", _recognises, _read)
