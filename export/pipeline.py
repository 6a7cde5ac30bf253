"""The export itself: request -> networks -> folded copies -> quantized graphs -> lowered files -> measured files -> bundle."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export import bundle, manifest
from export.compute_units import require_units
from export.graphs import DECODER, EDITORS, ENCODER, TEXT_EDITOR, GraphSpec, editor_part, example_input, graph_spec
from export.parts import make_part
from export.targets import PARITY_FLOOR_DB, Target, resolve_precision, resolve_targets
from export.vectors import packed_texts, vector_path, write_vectors
from textedit_core.errors import UsageError, UserError
from textedit_core.names import require_model_name, require_prompt_id

if TYPE_CHECKING:
    from torch import Tensor, fx, nn

    from export.edit_success import EditTrial
    from export.runtimes import Runner
    from export.samples import Samples
    from textedit_core.alignment import CropRule
    from textedit_core.checkpoints.store import Checkpoint

# Called with target, stage and part whenever one begins.
Progress = Callable[[str, str, str], None]

_BYTES_PER_WEIGHT = {
    **{"fp32": 4.0, "fp16": 2.0, "int8w": 1.0, "int8": 1.0, "auto": 1.0},
    **{"palette8": 1.0, "palette6": 0.75, "palette4": 0.5, "w8a8": 1.0},
}
# Enough for the faces of a group picture; the schema's limit is the same.
MAX_BATCH = 64
_TOOLS = ("torch", "torchao", "executorch", "coremltools", "onnx", "onnxruntime", "timm")


@dataclass(frozen=True)
class ExportRequest:
    """What the user asked for.

    Attributes:
        target: a target's name or `all`.
        prompts: prompt ids; empty takes every prompt of the checkpoint.
        checkpoint: checkpoint folder; None is the embedded reference.
        precision: None takes each target's default.
        out: folder that receives NAME-TARGET.textedit.
        signing_key: PEM private key on P-256; None leaves the bundle unsigned.
        backend: name of the target's backend; None takes its default.
        unproven: accept a backend whose networks nothing on this machine can run.
        compute_units: what an app should let Core ML use for every network; None advises for each.
        batch_sizes: how many faces each network takes at once, ascending from 1; more than that one for Core ML packages only.
        parity_faces: held-out faces that each artifact is measured on.
        calibration_faces: faces that set the ranges of int8.
    """

    target: str
    prompts: tuple[str, ...] = ()
    checkpoint: Path | None = None
    precision: str | None = None
    out: Path = Path("bundles")
    signing_key: Path | None = None
    backend: str | None = None
    unproven: bool = False
    compute_units: str | None = None
    batch_sizes: tuple[int, ...] = (1,)
    parity_faces: int = 8
    calibration_faces: int = 16


@dataclass(frozen=True)
class Plan:
    """One bundle to make: a target with its precision, the prompts and parts in order, and where the bundle goes.

    `estimates` are the networks' sizes in bytes, as far as the number of their weights tells. `compute_units` and `batch_sizes` are the
    request's.
    """

    target: Target
    precision: str
    name: str
    prompts: tuple[str, ...]
    parts: tuple[GraphSpec, ...]
    path: Path
    estimates: dict[str, int] = dataclasses.field(default_factory=dict)
    compute_units: str | None = None
    batch_sizes: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class Networks:
    """The fp32 networks by part, the prompts they serve, and the faces to calibrate and measure with.

    `vectors` are the packed texts [R,D] of the prompts that the text-conditioned editor serves.
    """

    checkpoint: Checkpoint
    prompts: tuple[str, ...]
    modules: dict[str, nn.Module]
    calibration: Samples
    heldout: Samples
    vectors: dict[str, Tensor] = dataclasses.field(default_factory=dict)


def plan(request: ExportRequest) -> tuple[Checkpoint, list[Plan]]:
    """Resolves every name in a request before any work is done.

    Raises:
        UsageError: unknown target, backend, prompt, precision or compute units; units or batch sizes for a target without Core ML
            packages; or a backend that cannot be measured here and was not asked for as such.
        UserError: the checkpoint cannot be opened.
    """
    targets = resolve_targets(request.target, request.backend)
    _require_proof(targets, request.unproven)
    _require_core_ml(targets, request)
    precisions = {target.name: resolve_precision(target, request.precision) for target in targets}
    from textedit_core.checkpoints.store import open_checkpoint

    checkpoint = open_checkpoint(request.checkpoint)
    prompts = chosen_prompts(checkpoint, request.prompts)
    editors = dict.fromkeys(part_of(checkpoint, prompt) for prompt in prompts)
    parts = tuple(graph_spec(part, checkpoint.config) for part in (ENCODER, *editors, DECODER))
    name = require_model_name(checkpoint.config.name)
    plans = []
    for target in targets:
        precision, path = precisions[target.name], request.out / f"{name}-{target.label}{bundle.BUNDLE_SUFFIX}"
        estimates = {spec.part: estimated_bytes(checkpoint, spec.part, precision) for spec in parts}
        plans.append(Plan(target, precision, name, prompts, parts, path, estimates, request.compute_units, request.batch_sizes))
    return checkpoint, plans


def _require_proof(targets: list[Target], unproven: bool) -> None:
    for target in targets:
        if target.proof is None and not unproven:
            raise UsageError(
                f"nothing on this machine runs {target.runtime} with {target.backend}, so no parity can be measured; "
                "--unproven bundles the networks all the same"
            )


def _require_core_ml(targets: list[Target], request: ExportRequest) -> None:
    """Refuses what only Core ML packages can have, and what they cannot."""
    if request.compute_units is not None:
        require_units(request.compute_units)
    sizes = request.batch_sizes
    if sizes[:1] != (1,) or list(sizes) != sorted(set(sizes)) or sizes[-1] > MAX_BATCH:
        raise UsageError(f"batch sizes {', '.join(map(str, sizes))} are not a list from 1 upwards to at most {MAX_BATCH}")
    if sizes != (1,) and request.precision == "w8a8":
        raise UsageError("precision w8a8 is calibrated for one face at a time; take another, or leave --batch-sizes out")
    for target in targets:
        if target.runtime != "Core ML" and (request.compute_units is not None or sizes != (1,)):
            raise UsageError(f"--compute-units and --batch-sizes are for Core ML packages; target {target.label} makes none")


def estimated_bytes(checkpoint: Checkpoint, part: str, precision: str) -> int:
    """A network's size from the number of its weights, which the head of its checkpoint file tells.

    Raises:
        UserError: the checkpoint lacks the network, or its file is unreadable.
    """
    from safetensors import SafetensorError, safe_open

    name = f"{part}.safetensors"
    if name not in checkpoint.files:
        raise UserError(f"checkpoint {str(checkpoint.directory)!r} has no {name}, which a bundle holds; train or import it first")
    try:
        with safe_open(str(checkpoint.directory / name), framework="numpy") as stored:
            weights = sum(math.prod(stored.get_slice(key).get_shape()) for key in stored.keys())
    except (OSError, SafetensorError) as error:
        raise UserError(f"{str(checkpoint.directory / name)!r} cannot be read: {error}; restore the file") from None
    return round(weights * _BYTES_PER_WEIGHT[precision])


def part_of(checkpoint: Checkpoint, prompt_id: str) -> str:
    """The part that serves a prompt: its own editor, or the text-conditioned one."""
    return TEXT_EDITOR if checkpoint.prompt(prompt_id).conditioned else editor_part(prompt_id)


def chosen_prompts(checkpoint: Checkpoint, names: tuple[str, ...]) -> tuple[str, ...]:
    """The prompts to export, without repeats, in the order given.

    Raises:
        UsageError: the checkpoint lacks one of them, or its id is one that no bundle takes.
    """
    for name in names:
        checkpoint.prompt(name)
    chosen = tuple(require_prompt_id(name) for name in dict.fromkeys(names) or checkpoint.prompts)
    if not chosen:
        raise UsageError(f"checkpoint {checkpoint.checkpoint_id} has no prompts; train an editor first")
    return chosen


def load(checkpoint: Checkpoint, prompts: tuple[str, ...], request: ExportRequest) -> Networks:
    """Loads the networks and feeds the sample faces through them in fp32; the decoder's styles are brought to a size that fp16 can hold."""
    from export.samples import collect
    from textedit_core.decoder.layers import settle_styles
    from textedit_core.editor import PackedTextEditor

    vectors = packed_texts(checkpoint, prompts)
    encoder = checkpoint.load_encoder()
    modules: dict[str, nn.Module] = {ENCODER: encoder, DECODER: checkpoint.load_decoder()}
    modules |= {editor_part(prompt): checkpoint.load_editor(prompt) for prompt in prompts if prompt not in vectors}
    if vectors:
        modules[TEXT_EDITOR] = PackedTextEditor(checkpoint.load_text_editor())
    editors = [(_editor(modules, vectors, prompt), checkpoint.prompts[prompt]) for prompt in prompts]
    texts = list(vectors.values())
    # The ranges of int8 must reach as far as the slider does; what is measured is the edit as an app first shows it.
    strongest = [(editor, prompt.strength_max) for editor, prompt in editors]
    usual = [(editor, prompt.strength_default) for editor, prompt in editors]
    calibration = collect(checkpoint, "calibration", request.calibration_faces, encoder, strongest, texts)
    heldout = collect(checkpoint, "heldout", request.parity_faces, encoder, usual, texts)
    # One unedited face, always the same, so that the decoder's bytes depend on no prompt.
    settle_styles(modules[DECODER], calibration.latents[0])
    return Networks(checkpoint, prompts, modules, calibration, heldout, vectors)


def _editor(modules: dict[str, nn.Module], vectors: dict[str, Tensor], prompt: str) -> Callable[[Tensor], Tensor]:
    """A prompt's fp32 editor, w_plus [1,L,D] -> delta_w [1,L,D], whichever network serves it."""
    from textedit_core.editor import with_text

    if prompt not in vectors:
        return modules[editor_part(prompt)]
    shared, rows = modules[TEXT_EDITOR], vectors[prompt]
    return lambda w_plus: shared(with_text(w_plus, rows))


def fold_all(networks: Networks, progress: Progress) -> dict[str, fx.GraphModule]:
    """Folded inference copies by part; the networks stay as they are."""
    from export.fold import fold

    folded = {}
    for part, module in networks.modules.items():
        progress("all targets", "fold", part)
        folded[part] = fold(module, example_input(graph_spec(part, networks.checkpoint.config)))
    return folded


def export(request: ExportRequest, progress: Progress) -> list[tuple[Path, manifest.Manifest]]:
    """Makes every bundle of a request.

    Returns:
        Path and manifest of each bundle.

    Raises:
        UsageError: unknown target, prompt or precision.
        UserError: a layer is not delegated, an artifact is below its floor or not finite or loses edits, the judges are damaged, or a
            file cannot be written. A target that fails leaves nothing behind.
    """
    from export.signing import load_private_key

    checkpoint, plans = plan(request)
    key = None if request.signing_key is None else load_private_key(request.signing_key)
    progress("all targets", "load", checkpoint.checkpoint_id)
    networks = load(checkpoint, plans[0].prompts, request)
    folded = fold_all(networks, progress)
    made = []
    for each in plans:
        with bundle.staged(each.path) as root:
            made.append((each.path, build(each, networks, folded, root, key, progress)))
    return made


def build(
    each: Plan, networks: Networks, folded: dict[str, fx.GraphModule], root: Path, key: Any | None, progress: Progress
) -> manifest.Manifest:
    """Fills an empty directory with one bundle and returns its manifest."""
    from export.report import write_report
    from export.templates import Templates

    entries, costs, runners = [], [], {}
    templates = Templates()
    # Before anything is lowered, so that damaged judges cost no search.
    trials = {DECODER: trial_of(networks)} if each.precision == "auto" else {}
    for spec in each.parts:
        # Editors come by the dozen, all others once.
        known = templates if spec.part.startswith(f"{EDITORS}/") else None
        made = make_part(each, spec, networks, folded[spec.part], root, progress, trials.get(spec.part), known)
        entry, cost, runners[spec.part] = made
        entries.append(entry)
        costs.append(cost)
    write_vectors(root, networks.vectors)
    progress(each.target.name, "golden", "self-test vectors")
    cases = golden_cases(root, networks, entries, runners)
    draft = describe(each, networks, tuple(entries), cases)
    progress(each.target.name, "report", "report.html")
    write_report(root, draft, tuple(costs), networks.heldout.images, runners)
    progress(each.target.name, "seal", "bundle.json")
    return bundle.seal(root, draft, key)


def trial_of(networks: Networks) -> EditTrial:
    """The trial of edit success of the networks' prompts, by the shipped judge, on the held-out faces and then the calibration faces.

    Raises:
        UserError: the judges are there and damaged.
    """
    from export.edit_success import edit_trial, shipped_judge

    checkpoint = networks.checkpoint
    edits = {
        prompt: (_editor(networks.modules, networks.vectors, prompt), checkpoint.prompt(prompt).strength_default)
        for prompt in networks.prompts
    }
    # Few faces say little about edits. The calibration faces have set the ranges of int8 and flatter them a little, so they come last.
    faces = (*networks.heldout.latents, *networks.calibration.latents)
    return edit_trial(checkpoint.config, edits, faces, networks.modules[DECODER], shipped_judge(checkpoint.config))


def golden_cases(
    root: Path, networks: Networks, entries: list[manifest.PartEntry], runners: dict[str, Runner]
) -> tuple[manifest.GoldenCase, ...]:
    """Stores the first held-out face and every artifact's answer to it."""
    from export import golden

    pixels = networks.checkpoint.config.pixel
    (root / golden.INPUT).parent.mkdir(parents=True, exist_ok=True)
    pixels.to_image(networks.heldout.images[0]).save(root / golden.INPUT, optimize=False)
    image = networks.heldout.images[0]
    w_plus = runners[ENCODER](image)
    cases = []
    for entry in entries:
        value = golden.input_value(entry.part, image, w_plus, networks.vectors)
        cases.append(golden.write_case(root, entry.part, value, runners[entry.part], PARITY_FLOOR_DB[entry.precision]))
    return tuple(cases)


def describe(
    each: Plan, networks: Networks, entries: tuple[manifest.PartEntry, ...], cases: tuple[manifest.GoldenCase, ...]
) -> manifest.Manifest:
    """The manifest of a bundle, all but the list of files."""
    checkpoint, target = networks.checkpoint, each.target
    return manifest.Manifest(
        name=each.name,
        target=target.name,
        runtime=manifest.RuntimeEntry(target.runtime, version(target.package), target.backend, target.min_os),
        pixels=dataclasses.asdict(checkpoint.config.pixel),
        alignment=alignment_entry(checkpoint.config.crop),
        parts=entries,
        prompts=tuple(prompt_entry(checkpoint, prompt, target) for prompt in networks.prompts),
        golden=cases,
        provenance=provenance(checkpoint, bool(networks.vectors)),
    )


def alignment_entry(rule: CropRule) -> dict[str, Any]:
    """How a crop follows from five landmarks, and where they come to lie in it."""
    from textedit_core.alignment import LANDMARK_NAMES, landmark_template

    template = landmark_template(rule).round(4).tolist()
    return {"landmarks": list(LANDMARK_NAMES), "template": template, "crop_rule": dataclasses.asdict(rule)}


def prompt_entry(checkpoint: Checkpoint, prompt_id: str, target: Target) -> manifest.PromptEntry:
    """The manifest's view of a checkpoint's prompt."""
    prompt = checkpoint.prompt(prompt_id)
    part = part_of(checkpoint, prompt_id)
    return manifest.PromptEntry(
        id=prompt.id,
        text=prompt.text,
        neutral_text=prompt.neutral_text,
        names=dict(prompt.names),
        strength_default=prompt.strength_default,
        strength_min=prompt.strength_min,
        strength_max=prompt.strength_max,
        part=part,
        file=f"models/{part}{target.suffix}",
        vector=vector_path(prompt_id) if prompt.conditioned else None,
    )


def provenance(checkpoint: Checkpoint, with_text_editor: bool) -> dict[str, Any]:
    """Where the weights come from and which tools lowered them; `weights` are the checkpoint's own hashes of what prompts share."""
    world = checkpoint.provenance.get("dataset", {}).get("world", {})
    shared = (ENCODER, DECODER, TEXT_EDITOR) if with_text_editor else (ENCODER, DECODER)
    weights = {name: checkpoint.files[f"{name}.safetensors"]["sha256"] for name in shared}
    return {
        "checkpoint_id": checkpoint.checkpoint_id,
        "training_data_licence": world.get("licence", "not stated by the checkpoint"),
        "weights": weights,
        "tools": {name: version(name) for name in _TOOLS},
    }
