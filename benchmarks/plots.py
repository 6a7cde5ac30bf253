"""Measurements of one group as a picture: curves where they have a scale, bars otherwise, each with its spread."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.results import spread
from benchmarks.tables import factor_and_name
from textedit_core.atomic import replacing_file
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The measurements of one group, by the name of their document.
Entries = dict[str, list[dict[str, Any]]]

_BAR_INCHES, _MARGIN_INCHES, _WIDTH_INCHES, _CURVE_INCHES = 0.32, 1.4, 9.0, 5.0
# From this ratio of the largest to the smallest value on, a linear axis hides the small ones.
_LOG_FROM = 30.0


def drawable(entries: Entries) -> bool:
    """Whether there is something to compare: two values at least, all on one scale or none."""
    every = [entry for each in entries.values() for entry in each]
    return len(every) > 1 and len({entry.get("scale", {}).get("axis") for entry in every}) == 1


def write_plot(entries: Entries, path: Path) -> None:
    """Draws a PNG, atomically.

    Raises:
        UserError: matplotlib is missing, or the folder cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("plots need matplotlib: pip install 'textedit[plots]'") from None
    every = [entry for each in entries.values() for entry in each]
    curves = "scale" in every[0]
    height = _CURVE_INCHES if curves else _MARGIN_INCHES + _BAR_INCHES * len(every)
    figure = Figure(figsize=(_WIDTH_INCHES, height), layout="constrained")
    axes = figure.add_subplot()
    (_curves if curves else _bars)(axes, entries)
    axes.set_title(every[0]["group"])
    axes.grid(alpha=0.3)
    if len(entries) > 1 or curves:
        axes.legend(fontsize="small")
    with replacing_file(path) as draft:
        # No version of the library in the file: the same results give the same bytes.
        figure.savefig(draft, format="png", dpi=120, metadata={"Software": None})


def _bars(axes: Axes, entries: Entries) -> None:
    ids = list(dict.fromkeys(entry["id"] for each in entries.values() for entry in each))
    thickness = 0.8 / len(entries)
    for number, (document, each) in enumerate(entries.items()):
        places = [ids.index(entry["id"]) + (number - (len(entries) - 1) / 2) * thickness for entry in each]
        middles, below, above = _values(each)
        axes.barh(places, middles, thickness, xerr=(below, above), label=document, capsize=2)
    axes.set_yticks(range(len(ids)), ids, fontsize="small")
    axes.invert_yaxis()
    axes.set_xlabel(_unit(entries))
    if _wide(entries):
        axes.set_xscale("log")


def _curves(axes: Axes, entries: Entries) -> None:
    for document, each in entries.items():
        for series in dict.fromkeys(entry["series"] for entry in each):
            points = sorted((entry for entry in each if entry["series"] == series), key=lambda entry: entry["scale"]["value"])
            middles, below, above = _values(points)
            label = series if len(entries) == 1 else f"{document}: {series}"
            axes.errorbar([entry["scale"]["value"] for entry in points], middles, (below, above), label=label, marker="o", capsize=2)
    places = sorted({entry["scale"]["value"] for each in entries.values() for entry in each})
    axes.set_xscale("log", base=2)
    axes.set_xticks(places, [f"{place:g}" for place in places])
    axes.set_xlabel(next(entry for each in entries.values() for entry in each)["scale"]["axis"])
    axes.set_ylabel(_unit(entries))
    if _wide(entries):
        axes.set_yscale("log")


def _values(entries: list[dict[str, Any]]) -> tuple[list[float], list[float], list[float]]:
    """Medians, and how far the 10th and 90th percentile lie below and above."""
    factor, _ = factor_and_name(entries[0]["unit"]) if entries else (1.0, "")
    spreads = [spread(entry["samples"]) for entry in entries]
    middles = [factor * each["median"] for each in spreads]
    below = [factor * (each["median"] - each["p10"]) for each in spreads]
    return middles, below, [factor * (each["p90"] - each["median"]) for each in spreads]


def _unit(entries: Entries) -> str:
    return factor_and_name(next(entry for each in entries.values() for entry in each)["unit"])[1]


def _wide(entries: Entries) -> bool:
    values = [spread(entry["samples"])["median"] for each in entries.values() for entry in each]
    return min(values) > 0.0 and max(values) > _LOG_FROM * min(values)
