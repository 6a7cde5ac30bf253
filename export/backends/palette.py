"""A palette for the weights of one layer: the few values that stand for all of them with the least square error."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_ITERATIONS = 300
_BINS = 4096


def palettise(weight: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Chooses 2**bits values by k-means in one dimension (Lloyd 1982), deterministically.

    Values in one dimension can be sorted, so that a cluster is a stretch of them and its mean a difference of two running sums: an
    iteration costs one search per palette entry, however many weights there are.

    Args:
        weight: float array of any shape.
        bits: 1 to 8.

    Returns:
        The palette [2**bits], ascending, of the weight's dtype, and one uint8 index per weight, flattened in C order.
    """
    import numpy as np

    flat = weight.reshape(-1).astype(np.float64)
    ordered = np.sort(flat)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centres = _first_guess(ordered, 2**bits)
    for _ in range(_ITERATIONS):
        edges = np.searchsorted(ordered, (centres[1:] + centres[:-1]) / 2.0)
        bounds = np.concatenate([[0], edges, [len(ordered)]])
        members = np.diff(bounds)
        means = np.diff(sums[bounds]) / np.maximum(members, 1)
        moved = np.where(members > 0, means, centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    palette = np.sort(centres.astype(weight.dtype))
    exact = palette.astype(np.float64)
    return palette, np.searchsorted((exact[1:] + exact[:-1]) / 2.0, flat).astype(np.uint8)


def _first_guess(ordered: np.ndarray, count: int) -> np.ndarray:
    """Centres as dense as the cube root of the values' density, the best spacing for many centres (Panter and Dite 1951)."""
    import numpy as np

    histogram, edges = np.histogram(ordered, bins=_BINS)
    share = np.concatenate([[0.0], np.cumsum(np.cbrt(histogram))])
    return np.interp((np.arange(count) + 0.5) / count * share[-1], share, edges)
