"""The part of report.html that says what the networks cost to run."""

from __future__ import annotations

from html import escape

from export.cost import Cost, as_html

_COLUMNS = ("network", "GMAC", "numbers stored", "size", "activations, fp32", "arena", "delegates", "delegated", "left behind")
_LEGEND = (
    "Counted on the folded graph for one face. Activations: the most that is alive at one moment if each takes four bytes. Arena: what "
    "the runtime plans beside the delegate's own memory."
)


def cost_section(costs: tuple[Cost, ...]) -> str:
    """A table of costs for people, and the same as JSON for tools."""
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    rows = "".join(_row(cost) for cost in costs)
    return f"<section><h2>Costs</h2><p>{_LEGEND}</p><table><tr>{head}</tr>{rows}</table>{as_html(costs)}</section>"


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
