"""The export: request -> networks -> fold -> form -> quantize -> lower -> load -> measure -> bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export import bundle, bundle_files, manifest, parity
from export.attempts import Attempt, Choice, best_mix, layers_in_float, require_good
from export.backends.backend import Job, Runner
from export.cost import Cost, cost_of, write_costs
from export.describe import describe
from export.graphs import DECODER, EDITORS, ENCODER, GraphSpec
from export.networks import Networks, fold_all, load, trial_of
from export.plan import ExportRequest, Plan, chosen_backends, plans_of
from export.progress import Progress
from export.vectors import write_vectors

if TYPE_CHECKING:
    from torch import fx

    from export.edit_success import EditTrial
    from export.templates import Templates


@dataclass(frozen=True)
class Made:
    """One lowered network: its manifest entry, its cost, and what runs it; the folded graph where nothing on this machine does."""

    entry: manifest.PartEntry
    cost: Cost
    run: Runner


def export_bundles(request: ExportRequest, progress: Progress) -> list[tuple[Path, manifest.Manifest]]:
    """Makes every bundle of a request.

    Returns:
        Path and manifest of each bundle.

    Raises:
        UsageError: unknown target, prompt or precision.
        UserError: a layer is not delegated, an artifact is below its floor or not finite or loses edits, the judges are damaged, or a
            file cannot be written. A target that fails leaves nothing behind.
    """
    from export.signing import load_private_key
    from textedit_core.checkpoints.store import open_checkpoint

    # Whatever the command line alone shows to be wrong costs no checkpoint.
    chosen_backends(request)
    checkpoint = open_checkpoint(request.checkpoint)
    plans = plans_of(request, checkpoint)
    key = None if request.signing_key is None else load_private_key(request.signing_key)
    progress("all targets", "load", checkpoint.checkpoint_id)
    networks = load(
        checkpoint, plans[0].prompts, request.calibration_faces, request.parity_faces, plans[0].has_compositor
    )
    folded = fold_all(networks, progress)
    made = []
    for plan in plans:
        with bundle.staged(plan.path) as root:
            made.append((plan.path, build(plan, networks, folded, root, key, progress)))
    return made


def build(
    plan: Plan, networks: Networks, folded: dict[str, fx.GraphModule], root: Path, key: Any | None, progress: Progress
) -> manifest.Manifest:
    """Fills an empty directory with one bundle and returns its manifest."""
    from export.report import write_report
    from export.templates import Templates

    target, templates = plan.backend.target, Templates()
    # Before anything is lowered, so that damaged judges cost no search.
    trials = {DECODER: trial_of(networks)} if plan.kind.float_layers == "searched" else {}
    parts: list[Made] = []
    for spec in plan.parts:
        # Editors come by the dozen, all others once.
        known = templates if spec.part.startswith(f"{EDITORS}/") else None
        parts.append(make_part(plan, spec, networks, folded[spec.part], root, progress, trials.get(spec.part), known))
    write_vectors(root, networks.vectors)
    progress(target, "golden", "self-test vectors")
    draft = describe(plan, networks, tuple(made.entry for made in parts), _golden_cases(root, plan, networks, parts))
    costs, runners = tuple(made.cost for made in parts), {made.entry.part: made.run for made in parts}
    write_costs(root, costs)
    progress(target, "report", "report.html")
    write_report(root, draft, plan.backend, costs, networks.heldout.images, runners)
    progress(target, "seal", "bundle.json")
    return bundle.seal(root, draft, key)


def make_part(
    plan: Plan,
    spec: GraphSpec,
    networks: Networks,
    graph: fx.GraphModule,
    root: Path,
    progress: Progress,
    trial: EditTrial | None = None,
    templates: Templates | None = None,
) -> Made:
    """Forms, quantizes, lowers, loads and measures one network.

    Where nothing on this machine runs the artifact, its parity stays unmeasured, and the folded graph answers in its stead. With a trial,
    an artifact that loses edits is as bad as one below its floor. With templates, a network of a known form is filled in.

    Raises:
        UserError: not delegated, not finite, below the floor, or an edit is lost.
    """
    backend, kind, path = plan.backend, plan.kind, root / spec.path(plan.backend.suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    job = Job(spec, plan.precision, tuple(networks.calibration.inputs(spec.part)), plan.batch_sizes)
    label, remedy = f"{backend.label} {spec.part} ({plan.precision})", backend.remedy(plan.precision)
    formed = backend.form(graph, job)

    def attempt(aim_db: float) -> Attempt:
        progress(backend.target, "lower", spec.part)
        choice = lower(plan, job, formed, path, aim_db, templates)
        if backend.load is None:
            return Attempt(choice, None, _eager(graph))
        progress(backend.target, "verify", spec.part)
        run = backend.load(path, spec, None)
        inputs = networks.heldout.inputs(spec.part)
        references = networks.outputs(spec.part, inputs)
        measured = parity.measure_batches(run, inputs, references, kind.floor_db, plan.batch_sizes, label, remedy)
        made = Attempt(choice, measured, run)
        if trial is None or not made.good:
            return made
        progress(backend.target, "judge", spec.part)
        return replace(made, success=trial.measure(run))

    made = best_mix(attempt, kind.floor_db) if kind.float_layers == "searched" else attempt(kind.floor_db)
    require_good(label, made, remedy)
    entry = _entry(plan, spec, made, path)
    return Made(entry, cost_of(spec.part, graph, made.choice.lowered, entry.bytes, made.choice.mix, made.success), made.run)


def lower(plan: Plan, job: Job, formed: fx.GraphModule, path: Path, aim_db: float, templates: Templates | None = None) -> Choice:
    """Quantizes and writes one formed network.

    Args:
        plan: the bundle.
        job: the network's name, input and output, and what calibrates it.
        formed: its graph in the backend's form.
        path: file or directory to write.
        aim_db: what the search of `auto` has to reach on calibration inputs.
        templates: the forms of networks that this bundle has met; None lowers in full.
    """
    from export import layers
    from export.templates import form_of

    kept, mix = layers_in_float(plan.kind, formed, job.calibration, aim_db)

    def write() -> Any:
        return plan.backend.lower(plan.backend.quantize(formed, job, kept), job, path)

    lowered = write() if templates is None else templates.lower(form_of(formed, kept), path, write)
    homes = layers.homes(formed)
    return Choice(lowered, tuple(homes[name] for name in kept), mix)


def _entry(plan: Plan, spec: GraphSpec, made: Attempt, path: Path) -> manifest.PartEntry:
    return manifest.PartEntry(
        part=spec.part,
        file=spec.path(plan.backend.suffix),
        precision=plan.precision,
        bytes=bundle_files.size_of(path),
        input=spec.input,
        output=spec.output,
        parity=made.measured,
        operations=made.choice.lowered.operations,
        undelegated=made.choice.lowered.undelegated,
        kept_float=made.choice.kept,
        compute_units=plan.units_of(spec.part),
        batch_sizes=plan.batch_sizes if plan.batch_sizes != (1,) else None,
    )


def _eager(graph: fx.GraphModule) -> Runner:
    import torch

    return torch.no_grad()(graph.forward)


def _golden_cases(root: Path, plan: Plan, networks: Networks, parts: Sequence[Made]) -> tuple[manifest.GoldenCase, ...]:
    """Stores the first held-out face and every artifact's answer to it."""
    from export import golden

    image = networks.heldout.images[0]
    (root / golden.INPUT).parent.mkdir(parents=True, exist_ok=True)
    networks.checkpoint.config.pixel.to_image(image).save(root / golden.INPUT, optimize=False)
    w_plus = next(made.run for made in parts if made.entry.part == ENCODER)(image)
    cases = []
    for made in parts:
        value = golden.input_value(made.entry.part, networks.heldout, w_plus, networks.vectors)
        cases.append(golden.write_case(root, made.entry.part, value, made.run, plan.kind.floor_db))
    return tuple(cases)
