"""The evaluation on photographs as it is read: a Markdown table, and a sheet with a row per person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from textedit_core.evaluation.photo_measures import Picture
from textedit_core.evaluation.photo_ways import NO_EDIT
from textedit_core.photo_sheet import save_sheet

# By figure: heading, factor, digits.
_COLUMNS = {
    "psnr_db": ("PSNR, dB", 1.0, 2),
    "psnr_gain_db": ("gain, dB", 1.0, 2),
    "best_psnr_db": ("best strength, dB", 1.0, 2),
    "structure_distance": ("structure", 1.0, 3),
    "corner_motion": ("corners move, %", 100.0, 0),
    "pooled_motion": ("pooled, %", 100.0, 0),
    "right_direction": ("right way, %", 100.0, 0),
    "field_motion": ("corners by the field, %", 100.0, 0),
    "identity": ("identity", 1.0, 3),
    "unchanged_pixels": ("pixels unchanged, %", 100.0, 1),
}


def format_photographs(report: dict[str, Any]) -> str:
    """The report as Markdown: means with 95% intervals, one line per way of editing; people who were trained on stand in a table below."""
    strange, known = report["people"], report["trained_on"]
    parts = [f"{report['prompt']} at strength {report['strength']:g}, {report['checkpoint_id']}"]
    if strange:
        parts.append(f"{_people(strange)} whom the compositor was not trained on\n\n{_table(report['rows'])}")
    if known:
        parts.append(f"{_people(known)} whom the compositor was trained on: no measure of it\n\n{_table(report['rows_trained_on'])}")
    return "\n\n".join(parts)


def write_photo_sheet(pictures: Mapping[str, Mapping[str, Picture]], path: Path) -> None:
    """Writes a row per person and a column per way of editing.

    Args:
        pictures: by row of the report and person, crops uint8 [S,S,3]; the unedited ones stand first.
        path: the file; the suffix selects the format.

    Raises:
        UserError: the file cannot be written.
    """
    columns = [name for name in pictures if name != NO_EDIT]
    faces = [(person, [Image.fromarray(pictures[name][person]) for name in (NO_EDIT, *columns)]) for person in pictures[NO_EDIT]]
    save_sheet(faces, columns, path)


def _people(names: list[str]) -> str:
    return f"{len(names)} {'person' if len(names) == 1 else 'people'}"


def _table(rows: dict[str, dict[str, Any]]) -> str:
    shown = [key for key in _COLUMNS if any(figures.get(key) is not None for figures in rows.values())]
    lines = ["| | " + " | ".join(_COLUMNS[key][0] for key in shown) + " |", "|---|" + "---|" * len(shown)]
    for name, figures in rows.items():
        lines.append(f"| {name} | " + " | ".join(_cell(figures.get(key), *_COLUMNS[key][1:]) for key in shown) + " |")
    return "\n".join(lines)


def _cell(found: dict[str, float] | None, scale: float, digits: int) -> str:
    if found is None:
        return ""
    value, low, high = (scale * found[key] for key in ("value", "low", "high"))
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
