"""The part of report.html that says what the networks cost to run."""

from __future__ import annotations

from html import escape
from typing import Any

from export.cost import Cost

_COLUMNS = ("network", "GMAC", "numbers stored", "size", "activations, fp32", "arena", "delegates", "delegated", "left behind")
_EDIT_COLUMNS = ("prompt", "faces", "done, fp32", "done, this mix", "lost")
_EDIT_LEGEND = (
    "Edits that the attribute judge finds done, drawn by the fp32 decoder and by this file. Lost: done there and not here, with a score "
    "that fell by more than the judge's own noise; where one is lost, a mix of higher aim is searched."
)
_LEGEND = (
    "Counted on the folded graph for one face. Activations: the most that is alive at one moment if each takes four bytes. Arena: what "
    "the runtime plans beside the delegate's own memory."
)


def cost_section(costs: tuple[Cost, ...]) -> str:
    """A table of costs for people; tools read costs.json."""
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    rows = "".join(_row(cost) for cost in costs)
    searches = "".join(_precision(cost) for cost in costs if cost.mix is not None)
    return f"<section><h2>Costs</h2><p>{_LEGEND}</p><table><tr>{head}</tr>{rows}</table>{searches}</section>"


def counts_cell(counts: dict[str, int]) -> str:
    """Names with their numbers, as HTML."""
    return ", ".join(f"{escape(name)}&nbsp;{number}" for name, number in sorted(counts.items()))


def size_cell(count: int) -> str:
    """Bytes in kB or MB, of a thousand or a million bytes."""
    return f"{count / 1e6:.2f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _row(cost: Cost) -> str:
    unknown = "device&nbsp;decides"
    cells = (
        f"<b>{escape(cost.part)}</b>",
        f"{cost.gmac:.4f}",
        f"{cost.parameters:,}",
        size_cell(cost.bytes),
        size_cell(cost.activation_bytes),
        "not stated" if cost.planned_bytes is None else size_cell(cost.planned_bytes),
        unknown if cost.delegates is None else str(cost.delegates),
        unknown if cost.delegated is None else counts_cell(cost.delegated) or "none",
        unknown if cost.undelegated is None else counts_cell(cost.undelegated) or "none",
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _precision(cost: Cost) -> str:
    return _search(cost.part, cost.mix or {}) + _edit_success(cost.edits)


def _edit_success(edits: dict[str, Any] | None) -> str:
    """The table of judged prompts, and why the others were not judged."""
    if edits is None:
        return ""
    prompts_by_reason: dict[str, list[str]] = {}
    for prompt, reason in edits["not_judged"].items():
        prompts_by_reason.setdefault(reason, []).append(prompt)
    missing = "".join(
        f"<p>Edit success not judged for {escape(', '.join(prompts))}, PSNR alone decides: {escape(reason)}.</p>"
        for reason, prompts in prompts_by_reason.items()
    )
    if not edits["judged"]:
        return missing
    head = "".join(f"<th>{name}</th>" for name in _EDIT_COLUMNS)
    rows = "".join(_edit_row(row) for row in edits["judged"])
    return f"<p>{_EDIT_LEGEND}</p><table><tr>{head}</tr>{rows}</table>{missing}"


def _edit_row(row: dict[str, Any]) -> str:
    cells = (f"<b>{escape(row['prompt'])}</b>", row["faces"], row["done_fp32"], row["done"], row["lost"])
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _search(part: str, mix: dict[str, Any]) -> str:
    chosen = mix["chosen"]
    text = (
        f"{chosen['float_layers']} of {mix['layers']} layers stay in float: {size_cell(chosen['weight_bytes'])} of weights, "
        f"{chosen['psnr_db']:.1f} dB in simulation, {mix['aim_db']:.1f} dB aimed at. Every mix that was measured:"
    )
    return f"<h3>Precision of {escape(part)}</h3><p>{text}</p>{_curve(mix)}"


def _curve(mix: dict[str, Any]) -> str:
    """Decibels over bytes of weights; the chosen mix is filled, the line is the aim."""
    points, aim = mix["curve"], float(mix["aim_db"])
    left, right = min(point["weight_bytes"] for point in points), max(point["weight_bytes"] for point in points)
    # A mix without int8 is exact, 200 dB by convention, and would flatten all others.
    heights = [min(float(point["psnr_db"]), aim + 25.0) for point in points]
    low, high = min([*heights, aim]) - 1.0, max([*heights, aim]) + 1.0
    dots = "".join(
        f'<circle cx="{_along(point["weight_bytes"], left, right, 12, 468)}" cy="{_along(height, low, high, 128, 12)}" r="4" '
        f'class="{"on" if point == mix["chosen"] else "off"}"><title>{point["float_layers"]} in float, '
        f"{size_cell(point['weight_bytes'])}, {point['psnr_db']:.1f} dB</title></circle>"
        for point, height in zip(points, heights, strict=True)
    )
    level = _along(aim, low, high, 128, 12)
    return f'<svg class=curve viewBox="0 0 480 140"><line x1="0" x2="480" y1="{level}" y2="{level}"/>{dots}</svg>'


def _along(value: float, low: float, high: float, start: float, end: float) -> str:
    share = (value - low) / (high - low) if high > low else 0.5
    return f"{start + share * (end - start):.1f}"
