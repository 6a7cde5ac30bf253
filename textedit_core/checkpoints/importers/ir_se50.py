"""ArcFace's IR-SE50 recogniser: model_ir_se50.pth, the state dict of InsightFace_Pytorch's backbone, whose keys this project kept."""

from __future__ import annotations

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyTable, Source
from textedit_core.checkpoints.importers.whole_network import take_network
from textedit_core.config import IdentityConfig
from textedit_core.perception.ir_se50 import ALIGNED_SIZE, CROP_ROWS, EMBED_DIM, IMAGE_SIZE, IRSE50, WIDTHS

FORMAT = "ir_se50"


def _recognises(source: Source) -> bool:
    content = source.content
    return isinstance(content, dict) and "input_layer.0.weight" in content and any(str(key).startswith("output_layer.") for key in content)


def _read(source: Source, choice: str) -> Imported:
    table = KeyTable(source.path, source.content)
    tensors = take_network(table, IRSE50, lambda key: key)
    fraction = (CROP_ROWS.stop - CROP_ROWS.start) / ALIGNED_SIZE
    config = IdentityConfig(EMBED_DIM, IMAGE_SIZE, WIDTHS, crop_fraction=fraction, kind="ir_se50")
    return Imported("identity", FORMAT, config, tensors, table.report())


IMPORTER = Importer(FORMAT, "identity", _recognises, _read)
