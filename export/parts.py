"""One part of a bundle: quantize, lower, load, measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from export import bundle, manifest
from export.attempts import Attempt, Choice, best_mix, require_good
from export.compute_units import chosen
from export.graphs import GraphSpec, example_input
from export.targets import PARITY_FLOOR_DB

if TYPE_CHECKING:
    from torch import Tensor, fx, nn

    from export.cost import Cost
    from export.edit_success import EditTrial
    from export.lowering.result import Lowered
    from export.pipeline import Networks, Plan, Progress
    from export.precision_search import Mix
    from export.runtimes import Runner
    from export.templates import Templates


def make_part(
    each: Plan,
    spec: GraphSpec,
    networks: Networks,
    graph: fx.GraphModule,
    root: Path,
    progress: Progress,
    trial: EditTrial | None = None,
    templates: Templates | None = None,
) -> tuple[manifest.PartEntry, Cost, Runner]:
    """Quantizes, lowers and measures one network; returns its manifest entry, its cost and the loaded artifact.

    Where nothing on this machine runs the artifact, its parity stays unmeasured, and the fp32 graph answers in its stead. With a trial,
    an artifact that loses edits is as bad as one below its floor. With templates, a network of a known form is filled in.

    Raises:
        UserError: not delegated, not finite, below the floor, or an edit is lost.
    """
    from export.cost import cost_of

    path = root / spec.path(each.target.suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    calibration = list(networks.calibration.inputs(spec.part))

    def lowered(aim_db: float) -> Choice:
        progress(each.target.name, "lower", spec.part)
        return lower(each, spec, graph, calibration, path, aim_db, templates)

    def attempt(aim_db: float) -> Attempt:
        choice = lowered(aim_db)
        progress(each.target.name, "verify", spec.part)
        made = Attempt(choice, *measure_part(each, spec, networks, path))
        if trial is None or not made.good:
            return made
        progress(each.target.name, "judge", spec.part)
        return replace(made, success=trial.measure(made.run))

    floor = PARITY_FLOOR_DB[each.precision]
    if each.target.proof is None:
        choice = lowered(floor)
        entry = _entry(each, spec, choice, path, None)
        return entry, cost_of(spec.part, graph, choice.lowered, entry.bytes, choice.mix), _eager(graph)
    made = best_mix(attempt, floor) if each.precision == "auto" else attempt(floor)
    require_good(f"{each.target.label} {spec.part} ({each.precision})", made)
    entry = _entry(each, spec, made.choice, path, made.measured)
    return entry, cost_of(spec.part, graph, made.choice.lowered, entry.bytes, made.choice.mix, made.success), made.run


def _entry(each: Plan, spec: GraphSpec, choice: Choice, path: Path, parity: manifest.ParityEntry | None) -> manifest.PartEntry:
    return manifest.PartEntry(
        part=spec.part,
        file=spec.path(each.target.suffix),
        precision=each.precision,
        bytes=size_of(path),
        input=spec.input,
        output=spec.output,
        parity=parity,
        operations=choice.lowered.operations,
        undelegated=choice.lowered.undelegated,
        kept_float=choice.kept,
        compute_units=chosen(spec.part, each.precision, each.compute_units) if each.target.runtime == "Core ML" else None,
        batch_sizes=each.batch_sizes if each.batch_sizes != (1,) else None,
    )


def _eager(graph: fx.GraphModule) -> Runner:
    import torch

    def run(value: Tensor) -> Tensor:
        with torch.no_grad():
            return graph(value)

    return run


def measure_part(each: Plan, spec: GraphSpec, networks: Networks, path: Path) -> tuple[manifest.ParityEntry, Runner]:
    """Loads a lowered network and compares it with the fp32 one on held-out faces.

    Raises:
        UserError: refused by its runtime, an output is not finite, or several faces at once are below the floor.
    """
    from export import parity, runtimes

    run = runtimes.load(each.target.label, path, spec)
    inputs = networks.heldout.inputs(spec.part)
    references, floor = reference_outputs(networks.modules[spec.part], inputs), PARITY_FLOOR_DB[each.precision]
    for size in each.batch_sizes[1:]:
        batches = parity.measure(run, _batched(inputs, size), _batched(references, size), floor)
        parity.require(f"{each.target.label} {spec.part} ({each.precision}) at batch size {size}", batches)
    return parity.measure(run, inputs, references, floor), run


def _batched(values: Sequence[Tensor], size: int) -> list[Tensor]:
    """Every value once at least, in batches of one size; the last is filled up from the front."""
    import torch

    starts = range(0, len(values), size)
    return [torch.cat([values[(start + offset) % len(values)] for offset in range(size)]) for start in starts]


def lower(
    each: Plan,
    spec: GraphSpec,
    graph: fx.GraphModule,
    calibration: list[Tensor],
    path: Path,
    aim_db: float,
    templates: Templates | None = None,
) -> Choice:
    """Writes one network in the target's format.

    Args:
        each: the bundle.
        spec: the network's name, input and output.
        graph: its folded graph.
        calibration: inputs of batch size 1 that set ranges and mixes.
        path: file or directory to write.
        aim_db: what the search of `auto` has to reach on calibration inputs.
        templates: the forms of networks that this bundle has met; None lowers in full.
    """
    from export import layers
    from export.templates import form_of

    form = _backend_form(each, graph, calibration)
    kept, mix = _in_float(each, form, calibration, aim_db)

    def write() -> Lowered:
        return _write(each, spec, form, kept, calibration, path)

    lowered = write() if templates is None else templates.lower(form_of(form, kept), path, write)
    homes = layers.homes(form)
    return Choice(lowered, tuple(homes[name] for name in kept), mix)


def _backend_form(each: Plan, graph: fx.GraphModule, calibration: list[Tensor]) -> fx.GraphModule:
    from export.lowering import executorch_backend

    if each.target.runtime == "ExecuTorch" and each.target.backend == executorch_backend.XNNPACK:
        return executorch_backend.xnnpack_form(graph, calibration[0], each.precision)
    return graph


def _in_float(each: Plan, graph: fx.GraphModule, calibration: list[Tensor], aim_db: float) -> tuple[tuple[str, ...], Mix | None]:
    """Names of the layers that stay in float where others become int8, and for `auto` the search that chose them."""
    from export.precision import keep_in_float
    from export.precision_search import smallest_mix

    if each.precision == "auto":
        mix = smallest_mix(graph, calibration, aim_db)
        return mix.kept, mix
    # Of ONNX networks and weights alone, all become int8.
    static = each.precision == "w8a8" or (each.precision == "int8" and each.target.runtime == "ExecuTorch")
    return (keep_in_float(graph, calibration) if static else ()), None


def _write(each: Plan, spec: GraphSpec, graph: fx.GraphModule, kept: tuple[str, ...], calibration: list[Tensor], path: Path) -> Lowered:
    from export.lowering import coreml_backend, executorch_backend, onnx_backend, static_int8

    example = example_input(spec)
    if each.target.runtime == "ONNX Runtime":
        return onnx_backend.lower(graph, spec, each.precision, calibration, path)
    if each.target.runtime == "Core ML":
        if each.precision == "w8a8":
            graph = static_int8.quantize(graph, calibration, kept, dynamic_linear=False)
        return coreml_backend.lower(graph, example, spec, each.precision, path, each.batch_sizes)
    if each.precision in ("fp32", "fp16"):
        return executorch_backend.lower(graph, calibration[0], path, spec.part, each.target.backend, each.precision)
    return executorch_backend.lower(static_int8.quantize(graph, calibration, kept), calibration[0], path, spec.part)


def reference_outputs(module: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """The fp32 module's outputs."""
    import torch

    with torch.no_grad():
        return [module(value) for value in inputs]


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a directory."""
    return path.stat().st_size if path.is_file() else sum(bundle.walk_files(path).values())
