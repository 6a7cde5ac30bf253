"""Adds a prompt to a bundle or takes one out. Encoder and decoder keep their bytes; only the small editor comes or goes."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export import bundle, golden, manifest, parity
from export.graphs import DECODER, ENCODER, editor_part, example_input, graph_spec
from export.parts import make_part, reference_outputs
from export.pipeline import ExportRequest, Networks, Plan, Progress, load, prompt_entry, provenance
from export.report import REPORT_FILE, read_costs, write_report
from export.targets import PARITY_FLOOR_DB, TARGETS
from export.verification import load_part
from textedit_core.errors import UserError, unknown_name

if TYPE_CHECKING:
    from export.cost import Cost
    from export.runtimes import Runner
    from textedit_core.checkpoints.store import Checkpoint


def add_prompt(path: Path, prompt: str, checkpoint: Path | None, signing_key: Path | None, progress: Progress) -> manifest.Manifest:
    """Lowers one prompt's editor into an existing bundle, which is replaced when all is done.

    Args:
        path: bundle directory.
        prompt: id of the checkpoint's prompt.
        checkpoint: checkpoint folder with the bundle's encoder and decoder; None is the embedded reference.
        signing_key: PEM private key; required when the bundle is signed.
        progress: called with target, stage and part.

    Raises:
        UsageError: the checkpoint has no such prompt.
        UserError: the bundle is damaged, has the prompt already, is signed and no key is given, was made from other weights, or the
            editor or the decoder fails parity on the new edit.
    """
    from textedit_core.checkpoints.store import open_checkpoint

    source = open_checkpoint(checkpoint)
    source.prompt(prompt)
    key = _signing_key(signing_key)
    with bundle.open_bundle(_directory(path)) as opened:
        old = opened.manifest
        _require_key(old, key)
        if prompt in {entry.id for entry in old.prompts}:
            raise UserError(f"bundle already has prompt {prompt!r}; take it out first with remove-prompt")
        _require_same_weights(old, source)
        request = ExportRequest(old.target, (prompt,), checkpoint)
        networks = load(source, (prompt,), request)
        with bundle.staged(path) as root:
            _copy_kept(opened, root, [entry.path for entry in old.files])
            grown = _with_editor(opened, root, prompt, networks, progress)
            return bundle.seal(root, grown, key)


def remove_prompt(path: Path, prompt: str, signing_key: Path | None) -> manifest.Manifest:
    """Takes one prompt out of a bundle, which is replaced when all is done. Needs no checkpoint.

    Raises:
        UsageError: the bundle has no such prompt.
        UserError: the bundle is damaged, or is signed and no key is given.
    """
    key = _signing_key(signing_key)
    with bundle.open_bundle(_directory(path)) as opened:
        old = opened.manifest
        _require_key(old, key)
        entry = find_prompt(old, prompt)
        gone = {golden.output_path(entry.part)}
        kept = [f.path for f in old.files if f.path not in gone and f.path != entry.file and not f.path.startswith(f"{entry.file}/")]
        shrunk = dataclasses.replace(
            old,
            parts=tuple(part for part in old.parts if part.part != entry.part),
            prompts=tuple(other for other in old.prompts if other.id != prompt),
            golden=tuple(case for case in old.golden if case.part != entry.part),
        )
        with bundle.staged(path) as root:
            _copy_kept(opened, root, kept)
            _rewrite_report(opened, root, shrunk, {}, ())
            return bundle.seal(root, shrunk, key)


def find_prompt(source: manifest.Manifest, prompt: str) -> manifest.PromptEntry:
    """Looks a prompt up in a bundle.

    Raises:
        UsageError: the bundle has no such prompt.
    """
    for entry in source.prompts:
        if entry.id == prompt:
            return entry
    raise unknown_name("prompt", prompt, [entry.id for entry in source.prompts], "this bundle has")


def _with_editor(opened: bundle.Bundle, root: Path, prompt: str, networks: Networks, progress: Progress) -> manifest.Manifest:
    from export.fold import fold

    old, part = opened.manifest, editor_part(prompt)
    target, spec = TARGETS[old.target], graph_spec(part, networks.checkpoint.config)
    precision = old.part(ENCODER).precision
    progress(target.name, "fold", part)
    graph = fold(networks.modules[part], example_input(spec))
    plan = Plan(target, precision, old.name, (spec,), root)
    entry, cost, runner = make_part(plan, spec, networks, graph, root, progress)
    progress(target.name, "verify", f"{DECODER} on {prompt}")
    _require_decoder(opened, networks, precision)
    w_plus = golden.read_tensor(opened.file(golden.W_PLUS), spec.input.shape)
    case = golden.write_case(root, part, w_plus, runner, entry.parity.floor_db)
    grown = dataclasses.replace(
        old,
        parts=(*old.parts[:-1], entry, old.parts[-1]),
        prompts=(*old.prompts, prompt_entry(networks.checkpoint, prompt, target)),
        golden=(*old.golden, case),
        provenance={**provenance(networks.checkpoint), "weights": old.provenance["weights"]},
    )
    _rewrite_report(opened, root, grown, {part: runner}, (cost,))
    return grown


def _require_decoder(opened: bundle.Bundle, networks: Networks, precision: str) -> None:
    """The shipped decoder was calibrated without this prompt, so it has to prove itself on the latents that the prompt makes."""
    edited = networks.heldout.edited
    references = reference_outputs(networks.modules[DECODER], edited)
    measured = parity.measure(load_part(opened, DECODER), edited, references, PARITY_FLOOR_DB[precision])
    parity.require("decoder on the new prompt's edits", measured)


def _rewrite_report(
    opened: bundle.Bundle, root: Path, changed: manifest.Manifest, fresh: dict[str, Runner], new_costs: tuple[Cost, ...]
) -> None:
    from export.samples import load_face
    from textedit_core.pixels import PixelSpec

    runners = {part.part: fresh.get(part.part) or load_part(opened, part.part) for part in changed.parts}
    face = load_face(opened.file(golden.INPUT), PixelSpec(**changed.pixels))
    known = {cost.part: cost for cost in (*read_costs(opened), *new_costs)}
    costs = tuple(known[part.part] for part in changed.parts if part.part in known)
    write_report(root, changed, costs, [face], runners)


def _copy_kept(opened: bundle.Bundle, root: Path, paths: list[str]) -> None:
    for path in paths:
        if path == REPORT_FILE:
            continue
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(opened.file(path), root / path)


def _require_same_weights(old: manifest.Manifest, source: Checkpoint) -> None:
    wanted = old.provenance.get("weights")
    if provenance(source)["weights"] != wanted:
        raise UserError(
            f"checkpoint {source.checkpoint_id} has another encoder or decoder than the bundle, which was made from "
            f"{old.provenance['checkpoint_id']}; give that one with --checkpoint"
        )


def _require_key(old: manifest.Manifest, key: Any | None) -> None:
    if old.signature is not None and key is None:
        raise UserError("bundle is signed; give --sign KEY.pem to sign the changed one")


def _signing_key(path: Path | None) -> Any | None:
    from export.signing import load_private_key

    return None if path is None else load_private_key(path)


def _directory(path: Path) -> Path:
    if path.is_file():
        raise UserError(f"{str(path)!r} is a zip; unpack it to change its prompts")
    return path
