"""Core ML: torch.export -> ML Program package for iOS 17, converted on any system, written with the same bytes every time."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.graphs import GraphSpec, trace, trace_batches
from export.lowering.palette import palettise
from export.lowering.result import Lowered, count
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, fx
    from torch.export import ExportedProgram

_VOLATILE_METADATA = ("com.github.apple.coremltools.conversion_date",)
PALETTE_BITS = {"palette8": 8, "palette6": 6, "palette4": 4}
_DEBUG_FILES = ("executorch_debug_handle_mapping.json",)


def lower(
    graph: fx.GraphModule, example: Tensor, spec: GraphSpec, precision: str, destination: Path, batch_sizes: tuple[int, ...] = (1,)
) -> Lowered:
    """Writes `graph` as an .mlpackage directory with float32 input and output.

    Args:
        graph: folded fp32 network with one input.
        example: float32 input that fixes the shapes.
        spec: names of input and output.
        precision: fp32; fp16 (weights and arithmetic); or arithmetic in fp16 and weights as int8w (int8 per channel), palette8,
            palette6, palette4 (so many bits per weight, one palette per layer) or w8a8, whose convolutions `graph` brings quantized
            with their activations and whose other weights become int8 here.
        destination: directory to make.
        batch_sizes: how many inputs the package takes at once; 1 is one of them, and the default.

    Raises:
        UserError: an operation of the graph is tied to one input.
    """
    with quiet_conversion():
        model = _convert(graph, example, spec, precision, batch_sizes)
        with tempfile.TemporaryDirectory(prefix="textedit-coreml-") as scratch:
            package = Path(scratch) / "model.mlpackage"
            model.save(str(package))
            _canonicalise(package, model.get_spec())
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(package, destination)
        return Lowered(count(_operations(model)))


def _convert(graph: fx.GraphModule, example: Tensor, spec: GraphSpec, precision: str, batch_sizes: tuple[int, ...]) -> Any:
    import coremltools as ct
    import numpy as np

    program, shape = _traced(graph, example, spec, batch_sizes)
    model = ct.convert(
        program.run_decompositions({}),
        inputs=[ct.TensorType(name=spec.input.name, shape=shape, dtype=np.float32)],
        outputs=[ct.TensorType(name=spec.output.name, dtype=np.float32)],
        convert_to="mlprogram",
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=ct.precision.FLOAT32 if precision == "fp32" else ct.precision.FLOAT16,
        skip_model_load=True,
    )
    if precision in PALETTE_BITS:
        return _weights_as_palette(model, PALETTE_BITS[precision])
    return _weights_as_int8(model) if precision in ("int8w", "w8a8") else model


def _traced(graph: fx.GraphModule, example: Tensor, spec: GraphSpec, batch_sizes: tuple[int, ...]) -> tuple[ExportedProgram, Any]:
    """The traced program, and the shapes of its input: one, or a list of those allowed. The Neural Engine takes no open range."""
    import coremltools as ct

    from export.rewrites.batch import free_batch

    if batch_sizes == (1,):
        return trace(graph, example), spec.input.shape
    shapes = [[size, *spec.input.shape[1:]] for size in batch_sizes]
    enumerated = ct.EnumeratedShapes(shapes=shapes, default=list(spec.input.shape))
    try:
        return trace_batches(free_batch(graph), example, max(batch_sizes)), enumerated
    except Exception as error:
        # Tracing raises whatever the operation that refuses a batch raises.
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise UserError(f"{spec.part} cannot take several faces at once; leave --batch-sizes out ({reason})") from None


def _weights_as_int8(model: Any) -> Any:
    from coremltools.optimize.coreml import OpLinearQuantizerConfig, OptimizationConfig, linear_quantize_weights

    config = OptimizationConfig(global_config=OpLinearQuantizerConfig(mode="linear_symmetric", granularity="per_channel"))
    return linear_quantize_weights(model, config=config)


def _weights_as_palette(model: Any, bits: int) -> Any:
    from coremltools.optimize.coreml import OpPalettizerConfig, OptimizationConfig, palettize_weights

    # The SDK's own k-means takes minutes for eight bits, and its result may differ between versions of scikit-learn.
    config = OpPalettizerConfig(mode="custom", lut_function=lambda weight: palettise(weight, bits))
    return palettize_weights(model, OptimizationConfig(global_config=config))


def _canonicalise(package: Path, spec: Any) -> None:
    """Removes dates, random identifiers and debug files, and writes the protobuf in its deterministic form."""
    for key in _VOLATILE_METADATA:
        spec.description.metadata.userDefined.pop(key, None)
    for name in _DEBUG_FILES:
        (package / name).unlink(missing_ok=True)
    (model_file,) = package.glob("Data/com.apple.CoreML/*.mlmodel")
    model_file.write_bytes(spec.SerializeToString(deterministic=True))
    _rename_items(package / "Manifest.json")


def _rename_items(manifest: Path) -> None:
    values = json.loads(manifest.read_text("utf-8"))
    names = {old: _stable_id(item["path"]) for old, item in values["itemInfoEntries"].items()}
    values["itemInfoEntries"] = {names[old]: item for old, item in values["itemInfoEntries"].items()}
    values["rootModelIdentifier"] = names[values["rootModelIdentifier"]]
    manifest.write_text(json.dumps(values, indent=4, sort_keys=True) + "\n", "utf-8")


def _stable_id(path: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, path))


def _operations(model: Any) -> list[str]:
    (function,) = model.get_spec().mlProgram.functions.values()
    (block,) = function.block_specializations.values()
    return [operation.type for operation in block.operations if operation.type != "const"]


@contextlib.contextmanager
def quiet_conversion() -> Iterator[None]:
    """Silences progress bars and version notices, which the SDK writes to stderr."""
    previous = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
