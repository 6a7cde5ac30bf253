"""Insightface's recognisers as arcface_torch saves them (backbone.pth: r18, r34, r50, r100), a state dict."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyReport, KeyTable, Source
from textedit_core.checkpoints.importers.ir_se50 import CROP_FRACTION, WRAPPERS
from textedit_core.checkpoints.importers.unwrap import Found, find_network
from textedit_core.checkpoints.importers.whole_network import take_network
from textedit_core.config import IdentityConfig
from textedit_core.errors import UserError
from textedit_core.perception.face_identity import build_identity
from textedit_core.perception.ir_se50 import EMBED_DIM, IMAGE_SIZE, WIDTHS

FORMAT = "iresnet"
_STEM = ("conv1", "bn1", "prelu")


def _is_recogniser(state: Mapping[str, Any]) -> bool:
    return "layer1.0.bn3.weight" in state and "prelu.weight" in state and "features.running_mean" in state


def _found(source: Source) -> Found | None:
    return find_network(source.content, WRAPPERS, _is_recogniser)


def _recognises(source: Source) -> bool:
    return _found(source) is not None


def _read(source: Source, choice: str) -> Imported:
    found = _found(source)
    assert found is not None
    stages = range(1, len(WIDTHS) + 1)
    blocks = tuple(len({key.split(".")[1] for key in found.tensors if key.startswith(f"layer{stage}.")}) for stage in stages)
    if not all(blocks):
        raise UserError(f"{str(source.path)!r} has {blocks} units in its stages; is the file whole?")
    config = IdentityConfig(EMBED_DIM, IMAGE_SIZE, WIDTHS, crop_fraction=CROP_FRACTION, kind="iresnet", blocks=blocks)
    table = KeyTable(source.path, found.tensors, found.prefix)
    tensors = take_network(table, partial(build_identity, config), _foreign_name)
    # Two convolutions in a unit, the stem's and the last layer.
    note = f"insightface's r{2 * sum(blocks) + 2}"
    return Imported("identity", FORMAT, config, tensors, table.report().joined(KeyReport((), found.beside)), notes=(note,))


def _foreign_name(key: str) -> str:
    part, _, rest = key.partition(".")
    if part == "stem":
        number, _, leaf = rest.partition(".")
        return f"{_STEM[int(number)]}.{leaf}"
    if part == "stages":
        number, _, inside = rest.partition(".")
        return f"layer{int(number) + 1}.{inside}"
    return f"features.{rest}" if part == "out_norm" else key


IMPORTER = Importer(FORMAT, "identity", _recognises, _read)
