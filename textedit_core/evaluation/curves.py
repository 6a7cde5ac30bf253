"""Curves with their intervals as inline SVG, drawn in the page's own colours so that they follow its light and dark looks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from textedit_core.evaluation.bootstrap import Estimate

WIDTH, HEIGHT = 460, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 120, 14, 34
LABEL_HEIGHT = 13.0
COLORS = ("var(--accent)", "var(--second)", "var(--soft)")

Curve = tuple[str, Sequence[Estimate]]


def line_chart(across: Sequence[float], curves: Sequence[Curve], across_label: str, up_label: str) -> str:
    """Draws named curves with shaded intervals over common positions.

    Args:
        across: positions, ascending.
        curves: name and one estimate per position; at most as many as COLORS.
        across_label: what lies across, with its unit.
        up_label: what goes up, with its unit.

    Raises:
        ValueError: more curves than colours.
    """
    low = min(point["low"] for _, points in curves for point in points)
    high = max(point["high"] for _, points in curves for point in points)
    levels = _round_levels(low, high)
    plot = _Plot(across[0], across[-1], levels[0], levels[-1])
    parts = [_axes(plot, across, levels, across_label, up_label)]
    label_rows = _apart([plot.y(points[-1]["value"]) for _, points in _at_most(curves)])
    for (name, points), color, label_row in zip(curves, COLORS, label_rows, strict=False):
        parts.append(_curve(plot, across, points, color) + _label(name, label_row, color))
    description = escape(f"{up_label} over {across_label}: {', '.join(name for name, _ in curves)}")
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{description}">{"".join(parts)}</svg>'


def _round_levels(low: float, high: float) -> list[float]:
    """Three to six round numbers, evenly apart, that enclose low and high to within a fiftieth of a step."""
    # A flat curve still needs a scale.
    span = max(high - low, 1e-3)
    power = 10.0 ** math.floor(math.log10(span / 4.0))
    step = next(size * power for size in (1.0, 2.0, 2.5, 5.0, 10.0) if 4.0 * size * power >= 0.98 * span)
    first, last = math.floor(low / step + 0.02), math.ceil(high / step - 0.02)
    return [round(number * step, 9) for number in range(first, max(last, first + 1) + 1)]


def _at_most(curves: Sequence[Curve]) -> Sequence[Curve]:
    if len(curves) > len(COLORS):
        raise ValueError(f"{len(curves)} curves, but {len(COLORS)} colours")
    return curves


def _apart(rows: list[float]) -> list[float]:
    """Heights of labels beside their curves' ends, pushed down until no two overlap."""
    placed = dict.fromkeys(range(len(rows)), 0.0)
    lowest = float("-inf")
    for index in sorted(placed, key=lambda index: rows[index]):
        lowest = placed[index] = max(rows[index], lowest + LABEL_HEIGHT)
    return list(placed.values())


def _label(name: str, row: float, color: str) -> str:
    return f'<text x="{WIDTH - RIGHT + 6}" y="{row + 4:.1f}" style="fill:{color}">{escape(name)}</text>'


class _Plot:
    """Maps values to positions in the drawing."""

    def __init__(self, left: float, right: float, low: float, high: float) -> None:
        self.left, self.right, self.low, self.high = left, right, low, high

    def x(self, value: float) -> float:
        return LEFT + (value - self.left) / (self.right - self.left) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)


def _axes(plot: _Plot, across: Sequence[float], levels: Sequence[float], across_label: str, up_label: str) -> str:
    rules = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{plot.y(level):.1f}" y2="{plot.y(level):.1f}" stroke="var(--line)"/>'
        f'<text x="{LEFT - 6}" y="{plot.y(level) + 4:.1f}" text-anchor="end">{level:g}</text>'
        for level in levels
    )
    ticks = "".join(f'<text x="{plot.x(value):.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{value:g}</text>' for value in across)
    names = (
        f'<text x="{0.5 * (LEFT + WIDTH - RIGHT)}" y="{HEIGHT - 3}" text-anchor="middle">{escape(across_label)}</text>'
        f'<text x="{LEFT}" y="{TOP - 4}">{escape(up_label)}</text>'
    )
    return rules + ticks + names


def _curve(plot: _Plot, across: Sequence[float], points: Sequence[Estimate], color: str) -> str:
    upper = [f"{plot.x(at):.1f},{plot.y(point['high']):.1f}" for at, point in zip(across, points, strict=True)]
    lower = [f"{plot.x(at):.1f},{plot.y(point['low']):.1f}" for at, point in zip(across, points, strict=True)]
    line = [f"{plot.x(at):.1f},{plot.y(point['value']):.1f}" for at, point in zip(across, points, strict=True)]
    return (
        f'<polygon points="{" ".join([*upper, *reversed(lower)])}" fill="{color}" opacity=".18"/>'
        f'<polyline points="{" ".join(line)}" fill="none" stroke="{color}" stroke-width="2"/>'
    )
