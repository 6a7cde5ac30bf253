"""report.html: what a bundle does to faces, what was measured of it, and what that proves. Self-contained, the same bytes every time."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from export.backends.backend import Backend
from export.bundle_networks import BundleNetworks
from export.cost import Cost
from export.graphs import TEXT_EDITOR
from export.manifest import Manifest, ParityEntry, PartEntry, PromptEntry
from export.report_costs import cost_section, counts_cell, size_cell
from export.report_proofs import proof_section
from export.report_style import STYLE
from textedit_core.face_editor import FaceEditor
from textedit_core.html_page import html_page, inline_picture
from textedit_core.latents import apply_edit

if TYPE_CHECKING:
    from torch import Tensor

    from export.backends.backend import Runner
    from textedit_core.face_networks import FaceNetworks

REPORT_FILE = "report.html"
FACES = 2


def write_report(
    root: Path, manifest: Manifest, backend: Backend, costs: tuple[Cost, ...], images: Sequence[Tensor], runners: dict[str, Runner]
) -> None:
    """Writes report.html into a bundle; every picture in it comes out of the given networks.

    Args:
        root: the bundle, with its vectors.
        manifest: its manifest; the list of files may still be empty.
        backend: what its networks were lowered for.
        costs: what its networks cost; one may be missing, if an older version wrote the bundle.
        images: aligned faces, float32 [1,3,S,S]; the first few are shown.
        runners: by part, the loaded networks of the bundle, or the fp32 ones where nothing on this machine runs those.
    """
    networks = BundleNetworks(root, manifest, runners.__getitem__)
    faces = [_Face(image, networks) for image in images[:FACES]]
    body = "".join(
        [
            _header(manifest),
            *(_prompt_section(prompt, faces) for prompt in manifest.prompts),
            _parts_section(manifest),
            *([cost_section(costs)] if costs else []),
            _operations_section(manifest),
            _compute_section(manifest, backend),
            _provenance_section(manifest),
            proof_section(manifest, backend),
        ]
    )
    page = html_page(f"{manifest.name} for {manifest.target}", body, STYLE)
    (root / REPORT_FILE).write_text(page, "utf-8")


class _Face:
    """One face, encoded once and decoded as often as the report shows it."""

    def __init__(self, image: Tensor, networks: FaceNetworks) -> None:
        self.networks = networks
        self.w_plus = networks.encode(image)
        self.photo = self._picture(image, "photo")
        self.reconstruction = self._picture(networks.decode(self.w_plus), "reconstruction")
        # With a compositor an edit is drawn on the photo, as apps show it.
        self.session = FaceEditor(networks).photo(networks.pixels.to_image(image)) if networks.has_compositor else None

    def edited(self, prompt: PromptEntry, strengths: Sequence[float]) -> str:
        """The face at each strength, as HTML."""
        labels = [f"strength {strength:g}" for strength in strengths]
        if self.session is not None:
            drawn = [self.session.edit({prompt.id: strength}) for strength in strengths]
            return "".join(inline_picture(image, label) for image, label in zip(drawn, labels, strict=True))
        delta_w = self.networks.delta(prompt.id, self.w_plus)
        images = [self.networks.decode(apply_edit(self.w_plus, delta_w, strength)) for strength in strengths]
        return "".join(self._picture(image, label) for image, label in zip(images, labels, strict=True))

    def _picture(self, image: Tensor, label: str) -> str:
        return inline_picture(self.networks.pixels.to_image(image), label)


def _header(manifest: Manifest) -> str:
    total = sum(part.bytes for part in manifest.parts)
    precisions = ", ".join(dict.fromkeys(part.precision for part in manifest.parts))
    facts = {
        "runtime": f"{manifest.runtime.name} {manifest.runtime.version}",
        "backend": manifest.runtime.backend,
        "needs": manifest.runtime.min_os,
        "precision": precisions,
        "networks": size_cell(total),
        "lowest parity": _lowest_parity(manifest),
    }
    cards = "".join(f"<div><dt>{key}</dt><dd>{escape(value)}</dd></div>" for key, value in facts.items())
    return f"<header><h1>{escape(manifest.name)} <span>{escape(manifest.target)}</span></h1><dl class=facts>{cards}</dl></header>"


def _lowest_parity(manifest: Manifest) -> str:
    measured = [part.parity.psnr_db for part in manifest.parts if part.parity is not None]
    return f"{min(measured):.1f} dB" if measured else "not run"


def _prompt_section(prompt: PromptEntry, faces: Sequence[_Face]) -> str:
    strengths = (0.5 * prompt.strength_default, prompt.strength_default, prompt.strength_max)
    rows = "".join(f"<div class=row>{face.photo}{face.reconstruction}{face.edited(prompt, strengths)}</div>" for face in faces)
    names = ", ".join(f"{escape(name)} ({escape(locale)})" for locale, name in sorted(prompt.names.items()))
    text = f'"{escape(prompt.text)}"' + (f" against {escape(prompt.neutral_text)!r}" if prompt.neutral_text else "")
    text += f" · a vector for {TEXT_EDITOR}" if prompt.vector else ""
    return f"<section><h2>{escape(prompt.id)}</h2><p>{text}{' · ' if names else ''}{names}</p>{rows}</section>"


def _parts_section(manifest: Manifest) -> str:
    rows = "".join(_part_row(part) for part in manifest.parts)
    head = "".join(
        f"<th>{name}</th>" for name in ("network", "precision", "size", "parity", "floor", "worst error", "faces", "kept in float")
    )
    return f"<section><h2>Networks</h2><table><tr>{head}</tr>{rows}</table></section>"


def _part_row(part: PartEntry) -> str:
    kept = escape(", ".join(part.kept_float)) or "none"
    batches = f"<br>batches of {', '.join(map(str, part.batch_sizes))}" if part.batch_sizes else ""
    cells = (f"<b>{escape(part.part)}</b>{batches}", part.precision, size_cell(part.bytes), *_parity_cells(part.parity), kept)
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _parity_cells(parity: ParityEntry | None) -> tuple[str, str, str, str]:
    if parity is None:
        return ("not run", "", "", "")
    margin = min(max((parity.psnr_db - parity.floor_db) / 60.0, 0.02), 1.0)
    bar = f'<span class=bar><span style="width:{100 * margin:.0f}%"></span></span>'
    return (f"{parity.psnr_db:.1f} dB {bar}", f"{parity.floor_db:.0f} dB", f"{parity.max_abs_error:.3g}", str(parity.samples))


def _operations_section(manifest: Manifest) -> str:
    rows = []
    for part in manifest.parts:
        left = "decided by the device" if part.undelegated is None else counts_cell(part.undelegated) or "none"
        rows.append(f"<tr><td><b>{escape(part.part)}</b></td><td>{counts_cell(part.operations)}</td><td>{left}</td></tr>")
    backend = escape(manifest.runtime.backend)
    head = f"<tr><th>network</th><th>operations</th><th>outside {backend}</th></tr>"
    return f"<section><h2>Operations</h2><table>{head}{''.join(rows)}</table></section>"


def _compute_section(manifest: Manifest, backend: Backend) -> str:
    rows = []
    for part in manifest.parts:
        if part.compute_units is not None and backend.advise is not None:
            advice = backend.advise(part.part, part.precision)
            reason = advice.reason if advice.units == part.compute_units else "asked for when the bundle was made"
            rows.append(f"<tr><td><b>{escape(part.part)}</b></td><td>{part.compute_units}</td><td>{escape(reason)}</td></tr>")
    if not rows:
        return ""
    note = "What an app should let Core ML use. By rule, not by measurement: no phone took part."
    head = "<tr><th>network</th><th>MLComputeUnits</th><th>why</th></tr>"
    return f"<section><h2>Compute units</h2><p>{note}</p><table>{head}{''.join(rows)}</table></section>"


def _provenance_section(manifest: Manifest) -> str:
    facts = {
        "checkpoint": str(manifest.provenance["checkpoint_id"]),
        "training data": str(manifest.provenance["training_data_licence"]),
        "tools": ", ".join(f"{name} {version}" for name, version in sorted(manifest.provenance["tools"].items())),
    }
    rows = "".join(f"<tr><td><b>{key}</b></td><td>{escape(value)}</td></tr>" for key, value in facts.items())
    return f"<section><h2>Origin</h2><table>{rows}</table></section>"
