"""StyleGAN2 generators in BasicSR's layout, a .pth with `params_ema` or `params`: rosinality's network under other names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyTable, Source
from textedit_core.checkpoints.importers.stylegan2_rosinality import WRAPPERS, read_generator, with_surroundings
from textedit_core.checkpoints.importers.unwrap import Found, find_network

FORMAT = "stylegan2-basicsr"
# BasicSR's name -> rosinality's, in this order.
_NAMES = (
    (r"^style_mlp\.", "style."),
    (r"^constant_input\.weight$", "input.input"),
    (r"^style_conv1\.", "conv1."),
    (r"^style_convs\.", "convs."),
    (r"^((?:conv1|convs\.\d+))\.weight$", r"\1.noise.weight"),
    (r"\.modulated_conv\.", ".conv."),
    (r"^noises\.noise(\d+)$", r"noises.noise_\1"),
)


def _is_generator(state: Mapping[str, Any]) -> bool:
    return "constant_input.weight" in state and "style_conv1.modulated_conv.modulation.weight" in state


def _found(source: Source) -> Found | None:
    return find_network(source.content, WRAPPERS, _is_generator)


def _recognises(source: Source) -> bool:
    return _found(source) is not None


def _read(source: Source, choice: str) -> Imported:
    found = _found(source)
    assert found is not None
    names = {_renamed(key): key for key in found.tensors}
    table = KeyTable(source.path, {new: found.tensors[old] for new, old in names.items()}, found.prefix, names)
    return with_surroundings(read_generator(table, source, FORMAT), found, source)


def _renamed(key: str) -> str:
    for pattern, replacement in _NAMES:
        key = re.sub(pattern, replacement, key)
    return key


IMPORTER = Importer(FORMAT, "decoder", _recognises, _read)
