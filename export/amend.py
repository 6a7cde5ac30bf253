"""Adds a prompt to a bundle or takes one out. All other networks keep their bytes; only its editor or its vector comes or goes."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export import bundle, golden, manifest, parity
from export.backends import BACKENDS, Backends, backend_of
from export.cost import COSTS_FILE, edits_of, read_costs, with_edits, write_costs
from export.describe import prompt_entry, provenance, shared_weights
from export.graphs import COMPOSITOR, DECODER, ENCODER, TEXT_EDITOR, example_input, graph_spec
from export.networks import Networks, load, trial_of
from export.pipeline import make_part
from export.plan import CALIBRATION_FACES, PARITY_FACES, Plan, part_of
from export.progress import Progress
from export.raw_tensors import read_tensor
from export.report import REPORT_FILE, write_report
from export.vectors import write_vectors
from export.verification import load_part
from textedit_core.errors import UserError
from textedit_core.names import require_prompt_id

# Networks that no prompt has for itself alone.
_SHARED = (ENCODER, DECODER, COMPOSITOR)

if TYPE_CHECKING:
    from export.backends.backend import Backend, Runner
    from export.cost import Cost
    from textedit_core.checkpoints.store import Checkpoint


def add_prompt(
    path: Path,
    prompt: str,
    checkpoint: Path | None,
    signing_key: Path | None,
    progress: Progress,
    backends: Backends = BACKENDS,
) -> manifest.Manifest:
    """Puts one prompt into an existing bundle, which is replaced when all is done.

    A prompt with an editor of its own brings that network. One that the text-conditioned editor serves brings its vector, and the network
    only where the bundle has none.

    Args:
        path: bundle directory.
        prompt: id of the checkpoint's prompt.
        checkpoint: checkpoint folder with the bundle's shared networks; None is the embedded reference.
        signing_key: PEM private key; required when the bundle is signed.
        progress: called with target, stage and part.
        backends: those that the bundle may be for.

    Raises:
        UsageError: the checkpoint has no such prompt.
        UserError: the bundle is damaged, has the prompt already, is signed and no key is given, was made from other weights, or
            the editor or the decoder fails parity on the new edit, or a decoder of `auto` loses it.
    """
    from textedit_core.checkpoints.store import open_checkpoint

    source = open_checkpoint(checkpoint)
    source.prompt(require_prompt_id(prompt))
    key = _signing_key(signing_key)
    with bundle.changing(path) as (opened, root):
        old = opened.manifest
        _require_key(old, key)
        backend = _measurable(old, backends)
        if prompt in {entry.id for entry in old.prompts}:
            raise UserError(f"bundle already has prompt {prompt!r}; take it out first with remove-prompt")
        _require_same_weights(old, source, part_of(source, prompt))
        networks = load(source, (prompt,), CALIBRATION_FACES, PARITY_FACES, _has_compositor(old))
        _copy_kept(opened, root, [entry.path for entry in old.files])
        return bundle.seal(root, _with_prompt(opened, root, backend, prompt, networks, progress), key)


def remove_prompt(path: Path, prompt: str, signing_key: Path | None, backends: Backends = BACKENDS) -> manifest.Manifest:
    """Takes one prompt out of a bundle, which is replaced when all is done. Needs no checkpoint.

    Raises:
        UsageError: the bundle has no such prompt.
        UserError: the bundle is damaged, or is signed and no key is given.
    """
    key = _signing_key(signing_key)
    with bundle.changing(path) as (opened, root):
        old = opened.manifest
        _require_key(old, key)
        backend = _measurable(old, backends)
        shrunk = _without_prompt(old, old.prompt(prompt))
        gone = _referred(old) - _referred(shrunk)
        _copy_kept(opened, root, [f.path for f in old.files if f.path not in gone])
        _rewrite_report(opened, root, backend, shrunk, {}, ())
        return bundle.seal(root, shrunk, key)


def _without_prompt(old: manifest.Manifest, entry: manifest.PromptEntry) -> manifest.Manifest:
    """The manifest without a prompt, and without its network if that serves no other."""
    prompts = tuple(other for other in old.prompts if other.id != entry.id)
    if entry.part in {other.part for other in prompts}:
        return dataclasses.replace(old, prompts=prompts)
    weights = {name: digest for name, digest in old.provenance.get("weights", {}).items() if name != entry.part}
    return dataclasses.replace(
        old,
        parts=tuple(part for part in old.parts if part.part != entry.part),
        prompts=prompts,
        golden=tuple(case for case in old.golden if case.part != entry.part),
        provenance={**old.provenance, "weights": weights},
    )


def _referred(source: manifest.Manifest) -> set[str]:
    """Those of the listed files that a part, a prompt or a golden case refers to."""
    files = {path for case in source.golden for path in (case.input, case.output)} | {prompt.vector for prompt in source.prompts}
    models = tuple(part.file for part in source.parts)
    packages = tuple(f"{model}/" for model in models)
    return {f.path for f in source.files if f.path in files or f.path in models or f.path.startswith(packages)}


def _with_prompt(
    opened: bundle.Bundle, root: Path, backend: Backend, prompt: str, networks: Networks, progress: Progress
) -> manifest.Manifest:
    old, checkpoint = opened.manifest, networks.checkpoint
    part, precision = part_of(checkpoint, prompt), backend.precisions[old.part(ENCODER).precision]
    write_vectors(root, networks.vectors)
    fresh: dict[str, Runner] = {}
    costs: tuple[Cost, ...] = ()
    grown = old
    if part in {entry.part for entry in old.parts}:
        progress(old.target, "verify", f"{part} on {prompt}")
        _require_shipped(opened, networks, part, backend, "the new prompt's text")
    else:
        grown, costs, fresh[part] = _with_network(opened, root, backend, part, networks, progress)
    progress(old.target, "verify", f"{DECODER} on {prompt}")
    _require_shipped(opened, networks, DECODER, backend, "the new prompt's edits")
    if _has_compositor(old):
        progress(old.target, "verify", f"{COMPOSITOR} on {prompt}")
        _require_shipped(opened, networks, COMPOSITOR, backend, "the new prompt's edits")
    if precision.float_layers == "searched":
        progress(old.target, "judge", f"{DECODER} on {prompt}")
        costs = (*costs, *_judged_decoder(opened, backend, networks))
    weights = {**shared_weights(checkpoint, part == TEXT_EDITOR, _has_compositor(old)), **old.provenance["weights"]}
    grown = dataclasses.replace(
        grown,
        prompts=(*old.prompts, prompt_entry(checkpoint, prompt, backend)),
        provenance={**provenance(checkpoint, False, _has_compositor(old), backend), "weights": weights},
    )
    _rewrite_report(opened, root, backend, grown, fresh, costs)
    return grown


def _has_compositor(source: manifest.Manifest) -> bool:
    return any(entry.part == COMPOSITOR for entry in source.parts)


def _with_network(
    opened: bundle.Bundle, root: Path, backend: Backend, part: str, networks: Networks, progress: Progress
) -> tuple[manifest.Manifest, tuple[Cost, ...], Runner]:
    from export.fold import fold

    old = opened.manifest
    spec = graph_spec(part, networks.checkpoint.config)
    progress(backend.target, "fold", part)
    graph = fold(networks.modules[part], example_input(spec))
    like = old.part(ENCODER)
    plan = Plan(
        backend,
        like.precision,
        old.name,
        networks.prompts,
        (spec,),
        root,
        # All editors ask for the same; a bundle without one asks for what is advised.
        compute_units=next((entry.compute_units for entry in old.parts if entry.part not in _SHARED), None),
        batch_sizes=like.batch_sizes or (1,),
    )
    made = make_part(plan, spec, networks, graph, root, progress)
    w_plus = read_tensor(opened.file(golden.W_PLUS), old.part(ENCODER).output.shape)
    value = golden.input_value(part, networks.heldout, w_plus, networks.vectors)
    case = golden.write_case(root, part, value, made.run, plan.kind.floor_db)
    # Editors stand before the decoder, as an export has them.
    at = next(index for index, entry in enumerate(old.parts) if entry.part == DECODER)
    grown = dataclasses.replace(old, parts=(*old.parts[:at], made.entry, *old.parts[at:]), golden=(*old.golden, case))
    return grown, (made.cost,), made.run


def _require_shipped(opened: bundle.Bundle, networks: Networks, part: str, backend: Backend, on: str) -> None:
    """A shipped network was calibrated and measured without this prompt, so it has to prove itself on what the prompt makes of faces."""
    inputs = networks.heldout.edited if part == DECODER else networks.heldout.inputs(part)
    precision = opened.manifest.part(ENCODER).precision
    floor_db = backend.precisions[precision].floor_db
    measured = parity.measure(load_part(opened, part, (backend,)), inputs, networks.outputs(part, inputs), floor_db)
    parity.require(f"{part} on {on}", measured, backend.remedy(precision))


def _judged_decoder(opened: bundle.Bundle, backend: Backend, networks: Networks) -> tuple[Cost, ...]:
    """The shipped decoder's cost with the new prompt among its edits; nothing where an older version left no costs.

    Raises:
        UserError: an edit of the new prompt is lost.
    """
    from export.edit_success import require_edits

    success = trial_of(networks).measure(load_part(opened, DECODER, (backend,)))
    require_edits(DECODER, success, "Export the bundle again with this prompt, so that its mix suits it")
    return tuple(with_edits(cost, success) for cost in read_costs(opened.root) if cost.part == DECODER)


def _rewrite_report(
    opened: bundle.Bundle,
    root: Path,
    backend: Backend,
    changed: manifest.Manifest,
    fresh: dict[str, Runner],
    new_costs: tuple[Cost, ...],
) -> None:
    from export.samples import load_face
    from textedit_core.pixels import PixelSpec

    runners = {part.part: fresh.get(part.part) or load_part(opened, part.part, (backend,)) for part in changed.parts}
    face = load_face(opened.file(golden.INPUT), PixelSpec(**changed.pixels))
    known = {cost.part: cost for cost in (*read_costs(opened.root), *new_costs)}
    prompts = {prompt.id for prompt in changed.prompts}
    costs = tuple(edits_of(known[part.part], prompts) for part in changed.parts if part.part in known)
    write_costs(root, costs)
    write_report(root, changed, backend, costs, [face], runners)


def _copy_kept(opened: bundle.Bundle, root: Path, paths: list[str]) -> None:
    for path in paths:
        if path in (REPORT_FILE, COSTS_FILE):
            continue
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(opened.file(path), root / path)


def _require_same_weights(old: manifest.Manifest, source: Checkpoint, part: str) -> None:
    wanted = old.provenance.get("weights", {})
    given = shared_weights(source, part == TEXT_EDITOR, COMPOSITOR in wanted and source.has_compositor)
    origin = f"than the bundle, which was made from {old.provenance['checkpoint_id']}; give that one with --checkpoint"
    if any(given[name] != wanted.get(name) for name in (ENCODER, DECODER)):
        raise UserError(f"checkpoint {source.checkpoint_id} has another encoder or decoder {origin}")
    if COMPOSITOR in wanted and given.get(COMPOSITOR) != wanted[COMPOSITOR]:
        raise UserError(f"checkpoint {source.checkpoint_id} has another compositor {origin}")
    if TEXT_EDITOR in wanted and given.get(TEXT_EDITOR, wanted[TEXT_EDITOR]) != wanted[TEXT_EDITOR]:
        raise UserError(f"checkpoint {source.checkpoint_id} has another text-conditioned editor {origin}")


def _measurable(old: manifest.Manifest, backends: Backends) -> Backend:
    backend = backend_of(old, backends)
    if backend.load is None:
        raise UserError(f"nothing on this machine runs {old.runtime.name} with {old.runtime.backend}; export the bundle anew")
    return backend


def _require_key(old: manifest.Manifest, key: Any | None) -> None:
    if old.signature is not None and key is None:
        raise UserError("bundle is signed; give --sign KEY.pem to sign the changed one")


def _signing_key(path: Path | None) -> Any | None:
    from export.signing import load_private_key

    return None if path is None else load_private_key(path)
