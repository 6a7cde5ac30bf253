"""Core ML: torch.export -> ML Program package for iOS 17, converted on any system, written with the same bytes every time."""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.backends.backend import PHONE_ALONE, Backend, Job, Precision, Runner
from export.backends.lowered import Lowered, count
from export.backends.palette import palettise
from export.compute_units import advise
from export.forms import slices_and_spatial_means
from export.graphs import GraphSpec, example_input, trace, trace_batches
from export.quiet import quiet
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from torch import fx
    from torch.export import ExportedProgram

NEURAL_ENGINE = "what the Neural Engine rounds inside an operation, and which unit runs it"
_VOLATILE_METADATA = ("com.github.apple.coremltools.conversion_date",)
_PALETTE_BITS = {"palette8": 8, "palette6": 6, "palette4": 4}
_DEBUG_FILES = ("executorch_debug_handle_mapping.json",)


def quantize(graph: fx.GraphModule, job: Job, kept: tuple[str, ...]) -> fx.GraphModule:
    """For w8a8, convolutions in static int8, all but those kept; other precisions come to the weights when the package is written."""
    from export.backends import static_int8

    return static_int8.quantize(graph, job.calibration, kept, dynamic_linear=False) if job.precision == "w8a8" else graph


def lower(graph: fx.GraphModule, job: Job, path: Path) -> Lowered:
    """Writes `graph` as an .mlpackage directory with float32 input and output.

    Args:
        graph: formed network with one input, its convolutions quantized for w8a8.
        job: names of input and output, batch sizes, and the precision: fp32; fp16 (weights and arithmetic); or arithmetic in fp16 and
            weights as int8w (int8 per channel), palette8, palette6, palette4 (so many bits per weight, one palette per layer) or w8a8,
            whose weights outside of convolutions become int8 here.
        path: directory to make.

    Raises:
        UserError: an operation of the graph is tied to one input.
    """
    with quiet():
        model = _convert(graph, job)
        with tempfile.TemporaryDirectory(prefix="textedit-coreml-") as scratch:
            package = Path(scratch) / "model.mlpackage"
            model.save(str(package))
            _canonicalise(package, model.get_spec())
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(package, path)
        return Lowered(count(_operations(model)))


def load(path: Path, spec: GraphSpec, threads: int | None = None) -> Runner:
    """Opens a package for evaluation, every fp16 result rounded, since Core ML itself exists on Apple systems only.

    Raises:
        UserError: the package is damaged, or holds an operation that the evaluation does not know.
    """
    from export.mil_reference import MilProgram

    program = MilProgram(path)
    return lambda value: program({spec.input.name: value})[spec.output.name]


def _convert(graph: fx.GraphModule, job: Job) -> Any:
    import coremltools as ct
    import numpy as np

    spec, precision = job.spec, job.precision
    program, shape = _traced(graph, spec, job.batch_sizes)
    model = ct.convert(
        program.run_decompositions({}),
        inputs=[ct.TensorType(name=spec.input.name, shape=shape, dtype=np.float32)],
        outputs=[ct.TensorType(name=spec.output.name, dtype=np.float32)],
        convert_to="mlprogram",
        minimum_deployment_target=ct.target.iOS17,
        compute_precision=ct.precision.FLOAT32 if precision == "fp32" else ct.precision.FLOAT16,
        skip_model_load=True,
    )
    if precision in _PALETTE_BITS:
        return _weights_as_palette(model, _PALETTE_BITS[precision])
    return _weights_as_int8(model) if precision in ("int8w", "w8a8") else model


def _traced(graph: fx.GraphModule, spec: GraphSpec, batch_sizes: tuple[int, ...]) -> tuple[ExportedProgram, Any]:
    """The traced program, and the shapes of its input: one, or a list of those allowed. The Neural Engine takes no open range."""
    import coremltools as ct

    from export.rewrites.batch import free_batch

    example = example_input(spec)
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


BACKEND = Backend(
    target="ios",
    id="coreml",
    name="ML Program",
    runtime="Core ML",
    min_os="iOS 17.0",
    suffix=".mlpackage",
    tools=("coremltools", "torch", "torchao", "executorch", "timm"),
    precisions={
        "fp16": Precision(45.0, 2.0),
        "fp32": Precision(60.0, 4.0),
        "int8w": Precision(30.0, 1.0),
        "palette8": Precision(45.0, 1.0),
        "palette6": Precision(35.0, 0.75),
        "palette4": Precision(25.0, 0.5),
        "w8a8": Precision(30.0, 1.0, "sensitive", one_face=True),
    },
    form=slices_and_spatial_means,
    quantize=quantize,
    lower=lower,
    load=load,
    proof="the saved Core ML package, evaluated operation by operation with every fp16 result rounded",
    leaves_open=f"{NEURAL_ENGINE}; {PHONE_ALONE}",
    real_time=False,
    takes_batches=True,
    advise=advise,
)
