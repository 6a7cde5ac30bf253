"""Result documents as text for people: one line per measurement and per figure."""

from __future__ import annotations

from typing import Any

from benchmarks.results import Document, spread

# How a value is shown, by the document's unit: a factor, digits after the point, and what follows the number.
_SHOWN = {
    "ms": (1.0, 2, " ms"),
    "s": (1.0, 2, " s"),
    "bytes": (1e-6, 3, " MB"),
    "GMAC": (1.0, 3, " GMAC"),
    "GMAC/s": (1.0, 1, " GMAC/s"),
    "images/s": (1.0, 1, " images/s"),
    "dB": (1.0, 1, " dB"),
    "ratio": (1.0, 2, " times"),
    "share": (100.0, 1, "%"),
    "count": (1.0, 0, ""),
}
DESKTOP_NOTE = "times of this computer's processor, not of a phone"


def shown(value: float, unit: str) -> str:
    """A value with its unit: bytes as MB, shares in per cent."""
    factor, digits, suffix = _SHOWN[unit]
    return f"{value * factor:.{digits}f}{suffix}"


def factor_and_name(unit: str) -> tuple[float, str]:
    """What a plot multiplies values of a unit with, and how its axis calls them."""
    factor, _, suffix = _SHOWN[unit]
    return factor, suffix.strip() or unit


def cell(samples: list[float], unit: str) -> str:
    """The median with its unit and, of several samples, their 10th to 90th percentile."""
    middle = spread(samples)
    if len(samples) == 1:
        return shown(middle["median"], unit)
    factor, digits, _ = _SHOWN[unit]
    return f"{shown(middle['median'], unit)} ({middle['p10'] * factor:.{digits}f} to {middle['p90'] * factor:.{digits}f})"


def verdict(figure: dict[str, Any]) -> str:
    """The goal of a figure and whether it was met; empty without a goal."""
    if "goal" not in figure:
        return ""
    ((kind, value),) = figure["goal"].items()
    return f"goal {kind.replace('_', ' ')} {shown(value, figure['unit'])}: {'met' if figure['met'] else 'MISSED'}"


def headline(document: Document) -> str:
    """What was measured on which machine."""
    machine, subject = document["machine"], document["subject"]
    target = f" for {subject['bundle_target']}" if "bundle_target" in subject else ""
    weights = ", random weights" if subject.get("random_weights") else ""
    where = f"{machine['model']}, {machine['processor']}, {machine['cores']} cores, {machine['system']}"
    return f"{document['benchmark']}: {subject['model']}{target}{weights}, on {where}"


def conditions(document: Document) -> str:
    """The settings, and how busy the machine was."""
    given = [f"{name} {value}" for name, value in document["settings"].items()]
    load = document["machine"].get("load_average")
    return ", ".join([*given, *([] if load is None else [f"load average before {load:g}"])])


def text_table(document: Document) -> str:
    """A document as plain text."""
    lines = [headline(document), conditions(document)]
    if document["machine"]["kind"] == "desktop":
        lines.append(DESKTOP_NOTE)
    lines.append("median (10th to 90th percentile of the rounds)")
    for group in dict.fromkeys(entry["group"] for entry in document["measurements"]):
        lines += ["", group]
        lines += [_line(entry) for entry in document["measurements"] if entry["group"] == group]
    if document.get("figures"):
        lines += ["", "what follows from these"]
    lines += [f"  {f['text']:<64}{cell(f['samples'], f['unit']):>34}  {verdict(f)}".rstrip() for f in document.get("figures", [])]
    if document.get("absent"):
        lines += ["", "not measured"]
    lines += [f"  {entry['id']:<52}{entry['reason']}" for entry in document.get("absent", [])]
    return "\n".join(lines)


def _line(entry: dict[str, Any]) -> str:
    runs = len(entry["samples"])
    return f"  {entry['id']:<52}{cell(entry['samples'], entry['unit']):>40}{runs:>5} sample{'s' if runs > 1 else ''}"
