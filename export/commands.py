"""The commands behind `python -m export`: each takes parsed flags, calls one typed function and returns a JSON-ready summary."""

from __future__ import annotations

import dataclasses
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textedit_core.errors import UsageError

if TYPE_CHECKING:
    from export.manifest import Manifest
    from export.plan import ExportRequest


def run_export(options: Namespace) -> dict[str, Any]:
    """Builds bundles, or with --dry-run only plans them."""
    from export.embed import embed, require_project
    from export.pipeline import export_bundles
    from export.plan import chosen_backends, plans_of
    from export.progress import StageProgress
    from textedit_core.checkpoints.store import open_checkpoint

    request = _request(options)
    if options.embed is not None:
        require_project(request.target, options.embed)
    if options.dry_run:
        chosen_backends(request)
        return {"plan": [_planned(each) for each in plans_of(request, open_checkpoint(request.checkpoint))]}
    with StageProgress() as progress:
        made = export_bundles(request, progress)
    summary: dict[str, Any] = {"bundles": [_summary(path, path, manifest) for path, manifest in made]}
    if options.embed is not None:
        summary["embedded"] = str(embed(made[0][0], options.embed))
    return summary


def run_verify(options: Namespace) -> dict[str, Any]:
    """Verifies a bundle."""
    from export.backends import backend_of
    from export.progress import StageProgress
    from export.verification import verify

    with StageProgress() as progress:
        result = verify(options.bundle, options.public_key, progress, options.unproven)
    golden = {part: round(value, 2) for part, value in result.golden_db.items()}
    backend = backend_of(result.manifest)
    return {
        "verified": str(options.bundle),
        "signed": result.manifest.signature is not None,
        "golden_db": golden,
        "proof": backend.proof or "none: nothing on this machine runs these networks",
        "not_proven": backend.leaves_open,
    }


def run_prove(options: Namespace) -> dict[str, Any]:
    """Proves a bundle's programs on a processor."""
    from export.progress import StageProgress
    from export.proof.prove import prove

    with StageProgress() as progress:
        proof = prove(options.bundle, options.cpu, options.wheel, options.download, progress)
    golden = {part: round(value, 2) for part, value in proof.golden_db.items()}
    return {"proven": str(options.bundle), "cpu": proof.cpu, "executorch": proof.executorch, "golden_db": golden}


def run_inspect(options: Namespace) -> dict[str, Any]:
    """Describes a bundle after checking every hash."""
    from export.bundle import open_bundle

    with open_bundle(options.bundle) as opened:
        return {"bundles": [_summary(options.bundle, opened.root, opened.manifest)]}


def run_add_prompt(options: Namespace) -> dict[str, Any]:
    """Adds a prompt."""
    from export.amend import add_prompt
    from export.progress import StageProgress

    with StageProgress() as progress:
        manifest = add_prompt(options.bundle, options.prompt, options.checkpoint, options.sign, progress)
    return {"bundles": [_summary(options.bundle, options.bundle, manifest)]}


def run_remove_prompt(options: Namespace) -> dict[str, Any]:
    """Removes a prompt."""
    from export.amend import remove_prompt

    manifest = remove_prompt(options.bundle, options.prompt, options.sign)
    return {"bundles": [_summary(options.bundle, options.bundle, manifest)]}


def run_preview(options: Namespace) -> dict[str, Any]:
    """Edits a photo, as the command does that has taken this one's place."""
    from textedit_core.alignment import parse_landmarks
    from textedit_core.edit_photos import edit_photo

    print("note: preview goes with the next release; use python -m textedit_core edit PHOTO --bundle BUNDLE", file=sys.stderr)
    landmarks = None if options.landmarks is None else parse_landmarks(options.landmarks)
    used = edit_photo(
        options.photo,
        {options.prompt: options.strength},
        options.out,
        bundle=options.bundle,
        landmarks=landmarks,
        say=lambda line: print(f"note: {line}", file=sys.stderr),
    )
    return {"wrote": str(options.out), "prompt": options.prompt, "strength": used[options.prompt]}


def run_pack(options: Namespace) -> dict[str, Any]:
    """Packs a bundle."""
    from export.bundle import open_bundle
    from export.bundle_zip import write_zip
    from export.update import write_update

    if options.bundle.is_file():
        raise UsageError(f"{str(options.bundle)!r} is a file already; pack takes a bundle directory")
    if options.since is None:
        with open_bundle(options.bundle) as opened:
            write_zip(opened.root, options.out)
    else:
        write_update(options.since, options.bundle, options.out)
    return {"wrote": str(options.out), "bytes": options.out.stat().st_size}


def run_update(options: Namespace) -> dict[str, Any]:
    """Updates a bundle."""
    from export.signing import load_public_key
    from export.update import apply_update

    key = None if options.public_key is None else load_public_key(options.public_key)
    manifest = apply_update(options.bundle, options.update, key)
    return {"bundles": [_summary(options.bundle, options.bundle, manifest)]}


def show(summary: dict[str, Any]) -> None:
    """Prints a summary for people."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    for each in summary.get("bundles", []) + summary.get("plan", []):
        table = Table(title=f"{each['path']}  ({each['target']}, {each['total_bytes'] / 1e6:.2f} MB)", title_justify="left")
        for column in ("part", "precision", "bytes", "parity dB", "undelegated"):
            table.add_column(column)
        for part in each["parts"]:
            left = part.get("undelegated")
            cells = (
                part["part"],
                part["precision"],
                f"{part['bytes']:,}",
                _measured(part),
                "" if left is None else sum(left.values()),
            )
            table.add_row(*(str(cell) for cell in cells))
        console.print(table)
    for key, value in summary.items():
        if key not in ("bundles", "plan"):
            console.print(f"{key}: {value}", soft_wrap=True)


def _measured(part: dict[str, Any]) -> str:
    """The parity cell: empty in a plan, which has measured nothing yet."""
    if "psnr_db" not in part:
        return ""
    return "not run" if part["psnr_db"] is None else str(part["psnr_db"])


def _request(options: Namespace) -> ExportRequest:
    from export.plan import ExportRequest

    prompts = tuple(name.strip() for name in options.prompts.split(",") if name.strip())
    request = ExportRequest(
        options.target,
        prompts,
        options.checkpoint,
        options.precision,
        signing_key=options.sign,
        backend=options.backend,
        unproven=options.unproven,
        compositor=not options.without_compositor,
        compute_units=options.compute_units,
        batch_sizes=_batch_sizes(options.batch_sizes),
    )
    given = {"out": options.out, "parity_faces": options.parity_faces}
    request = dataclasses.replace(request, **{key: value for key, value in given.items() if value is not None})
    if request.parity_faces < 1:
        raise UsageError(f"--parity-faces {request.parity_faces} measures nothing; give 1 or more")
    return request


def _batch_sizes(text: str | None) -> tuple[int, ...]:
    try:
        return (1,) if text is None else tuple(int(size) for size in text.split(","))
    except ValueError:
        raise UsageError(f"--batch-sizes {text} is not a list of whole numbers such as 1,2,4") from None


def _planned(each: Any) -> dict[str, Any]:
    parts = [{"part": spec.part, "precision": each.precision, "bytes": each.estimates[spec.part]} for spec in each.parts]
    return {"path": str(each.path), "target": each.backend.target, "parts": parts, "total_bytes": sum(part["bytes"] for part in parts)}


def _summary(path: Path, root: Path, manifest: Manifest) -> dict[str, Any]:
    """What a bundle holds: `path` as it was given, `root` where its files lie."""
    from export.cost import read_costs

    costs = {cost.part: {**dataclasses.asdict(cost), "gmac": cost.gmac} for cost in read_costs(root)}
    parts = [
        {
            "part": part.part,
            "file": part.file,
            "precision": part.precision,
            "bytes": part.bytes,
            "psnr_db": None if part.parity is None else part.parity.psnr_db,
            "floor_db": None if part.parity is None else part.parity.floor_db,
            "undelegated": part.undelegated,
            "kept_float": list(part.kept_float),
            "compute_units": part.compute_units,
            "batch_sizes": list(part.batch_sizes or (1,)),
            "cost": costs.get(part.part),
        }
        for part in manifest.parts
    ]
    return {
        "path": str(path),
        "name": manifest.name,
        "target": manifest.target,
        "runtime": dataclasses.asdict(manifest.runtime),
        "prompts": [prompt.id for prompt in manifest.prompts],
        "parts": parts,
        "network_bytes": sum(part.bytes for part in manifest.parts),
        "total_bytes": sum(entry.bytes for entry in manifest.files),
        "signed": manifest.signature is not None,
        "checkpoint_id": manifest.provenance["checkpoint_id"],
    }
