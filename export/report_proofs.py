"""The part of report.html that says which proof each network had, and what that leaves open."""

from __future__ import annotations

from html import escape

from export.backends.backend import Backend
from export.manifest import Manifest, PartEntry

_COLUMNS = ("file", "proof", "result", "what it does not prove")
_PARITY = (
    "<b>Parity</b> is 20&nbsp;log<sub>10</sub>(range&nbsp;/&nbsp;RMSE) between a file and the fp32 network on held-out faces, where range "
    "is the largest minus the smallest value that the fp32 network gives. It proves that the lowering kept the function; it says nothing "
    "about how good the function is."
)
_HASHES = "<b>Hashes</b> in bundle.json prove that the files are the ones that were made here."
_MEASURED = (
    "<b>Pictures</b> come from the files in this bundle, run on the exporting machine, not from the training code.",
    _PARITY,
    _HASHES,
    "<b>Golden vectors</b> let a device repeat the measurement on one face; run them after installing.",
)
_NOT_MEASURED = (
    "<b>Pictures</b> come from the fp32 networks: nothing on the exporting machine runs the files in this bundle.",
    _HASHES,
    "<b>Golden vectors</b> are the fp32 networks' answers: on a device they are the first measurement of these files. Run them before "
    "anything is shipped.",
)


def proof_section(manifest: Manifest, backend: Backend) -> str:
    """One row per network: how it was run, how near it came, and what only a device can tell."""
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    rows = "".join(_row(backend, part) for part in manifest.parts)
    notes = _NOT_MEASURED if backend.load is None else _MEASURED
    listed = "".join(f"<li>{note}</li>" for note in notes)
    return f"<section><h2>What the checks prove</h2><table><tr>{head}</tr>{rows}</table><ul>{listed}</ul></section>"


def _row(backend: Backend, part: PartEntry) -> str:
    parity = part.parity
    result = "not run" if parity is None else f"{parity.psnr_db:.1f} dB on {parity.samples} faces"
    cells = (f"<b>{escape(part.file)}</b>", escape(backend.proof or "none"), result, escape(backend.leaves_open))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
