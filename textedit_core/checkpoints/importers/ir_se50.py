"""ArcFace's recognisers of the IR family: model_ir_se50.pth and its relatives of other depths, with or without squeeze-and-excitation.

Their keys are those of InsightFace_Pytorch's and face.evoLVe's backbone, which this project kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyReport, KeyTable, Source
from textedit_core.checkpoints.importers.unwrap import Found, find_network
from textedit_core.checkpoints.importers.whole_network import take_network
from textedit_core.config import IdentityConfig
from textedit_core.errors import UserError
from textedit_core.perception.face_identity import build_identity
from textedit_core.perception.ir_se50 import ALIGNED_SIZE, BLOCKS, CROP_ROWS, EMBED_DIM, IMAGE_SIZE, WIDTHS

FORMAT = "ir_se50"
WRAPPERS = ("state_dict", "model", "backbone", "params")
# Units in all -> in each stage: the networks of 18, 34, 50, 100 and 152 layers.
_STAGES = {8: (2, 2, 2, 2), 16: (3, 4, 6, 3), 24: BLOCKS, 49: (3, 13, 30, 3), 50: (3, 8, 36, 3)}
# The part of an aligned photo's height that a recogniser looks at.
CROP_FRACTION = (CROP_ROWS.stop - CROP_ROWS.start) / ALIGNED_SIZE


def _is_recogniser(state: Mapping[str, Any]) -> bool:
    return "input_layer.0.weight" in state and any(key.startswith("output_layer.") for key in state)


def _found(source: Source) -> Found | None:
    return find_network(source.content, WRAPPERS, _is_recogniser)


def _recognises(source: Source) -> bool:
    return _found(source) is not None


def _read(source: Source, choice: str) -> Imported:
    found = _found(source)
    assert found is not None
    table = KeyTable(source.path, found.tensors, found.prefix)
    config = _config(table, source)
    tensors = take_network(table, partial(build_identity, config), lambda key: key)
    report = table.report().joined(KeyReport((), found.beside))
    notes = () if config.kind == "ir_se50" else (f"{'IR-SE' if config.kind == 'ir_se' else 'IR'} of {sum(config.blocks)} units",)
    return Imported("identity", FORMAT, config, tensors, report, notes=notes)


def _config(table: KeyTable, source: Source) -> IdentityConfig:
    units = len({key.split(".")[1] for key in table.keys() if key.startswith("body.")})
    if table.shape("body.0.res_layer.2.weight") == table.shape("body.0.res_layer.0.weight") and "body.0.res_layer.2.running_mean" in table:
        raise UserError(f"{str(source.path)!r} is a recogniser with a norm between convolution and PReLU (AdaFace's), which is not read")
    if units not in _STAGES:
        known = ", ".join(map(str, _STAGES))
        raise UserError(f"{str(source.path)!r} has {units} units; recognisers of this family that can be imported have {known}")
    blocks, squeeze = _STAGES[units], "body.0.res_layer.5.fc1.weight" in table
    if squeeze and blocks == BLOCKS:
        return IdentityConfig(EMBED_DIM, IMAGE_SIZE, WIDTHS, crop_fraction=CROP_FRACTION, kind="ir_se50")
    kind: Literal["ir_se", "ir"] = "ir_se" if squeeze else "ir"
    return IdentityConfig(EMBED_DIM, IMAGE_SIZE, WIDTHS, crop_fraction=CROP_FRACTION, kind=kind, blocks=blocks)


IMPORTER = Importer(FORMAT, "identity", _recognises, _read)
