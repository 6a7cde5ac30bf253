"""Files of many directions, of which the user names one: principal components (GANSpace), and closed-form factors (SeFa).

GANSpace's .npz and e4e's *_pca.pt hold components with their deviations, rosinality's factor.pt the eigenvectors as columns; an array
[K,D] by itself holds directions as rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from textedit_core.checkpoints.importers.contract import ChoiceNeeded, Imported, Importer, KeyReport, Source
from textedit_core.checkpoints.importers.global_direction import MIN_W_DIM, array_of, direction_editor
from textedit_core.checkpoints.importers.latents_file import MAX_LEVELS
from textedit_core.errors import UsageError, UserError

FORMAT = "components"
# Components and their deviations, by the keys of GANSpace and of e4e.
_PCA = (("lat_comp", "lat_stdev"), ("comp", "std"))
_SEFA = "eigvec"
# Which component, and the first and last level that it moves.
_CHOICE = re.compile(r"(\d+)(?::(\d+)-(\d+))?")


@dataclass(frozen=True)
class _Components:
    """Directions float [K,D] as they move at strength 1, what one is, and the keys that were read."""

    rows: Tensor
    unit: str
    keys: tuple[str, ...]


def _components(source: Source) -> _Components | None:
    content = source.content
    if isinstance(content, dict):
        for comp, std in _PCA:
            if _is_matrix(content.get(comp)) and isinstance(content.get(std), Tensor):
                return _scaled(content, comp, std)
        if _is_matrix(content.get(_SEFA)):
            return _Components(_rows(content[_SEFA]).t(), "an eigenvector of length 1", (_SEFA,))
    array = array_of(source)
    # More rows than a generator has levels; more rows than numbers are no directions in W but a table of something else.
    if array is None or array.ndim != 2 or not MAX_LEVELS < len(array) <= array.shape[1] or array.shape[1] < MIN_W_DIM:
        return None
    return _Components(array.float(), "a row of the array", ("array",))


def _is_matrix(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.ndim in (2, 3) and value.shape[-1] >= MIN_W_DIM


def _rows(value: Tensor) -> Tensor:
    """[K,D] of [K,D] or [K,1,D]."""
    return value.detach().float().reshape(-1, value.shape[-1])


def _scaled(content: dict[str, Any], comp: str, std: str) -> _Components | None:
    rows, deviations = _rows(content[comp]), content[std].detach().float().reshape(-1)
    if len(deviations) != len(rows):
        return None
    return _Components(rows * deviations.unsqueeze(1), "a component, one standard deviation at strength 1", (comp, std))


def _recognises(source: Source) -> bool:
    return _components(source) is not None


def _read(source: Source, choice: str) -> Imported:
    found = _components(source)
    assert found is not None
    number, first, last = _chosen(choice, len(found.rows), source)
    row = found.rows[number]
    direction = row.unsqueeze(0).contiguous()
    if last is not None:
        # Levels beyond the last are cut off, or filled with zeros, by what fits the editor to a generator.
        direction = torch.zeros(MAX_LEVELS, len(row))
        direction[first : last + 1] = row
    where = "every level" if last is None else f"levels {first} to {last}"
    note = f"{number} of {len(found.rows)}: {found.unit}, of length {float(row.norm()):.3g}, on {where}"
    content = source.content if isinstance(source.content, dict) else {}
    beside = {str(key): "not needed to move along a component" for key in content if key not in found.keys}
    return direction_editor(FORMAT, direction, source, note, KeyReport(found.keys, beside))


def _chosen(choice: str, count: int, source: Source) -> tuple[int, int, int | None]:
    if not choice:
        raise ChoiceNeeded(
            f"{str(source.path)!r} holds {count} directions: name one, --editor ID=FILE#0 to #{count - 1}, and the levels that it moves if "
            "not all: --editor ID=FILE#0:2-5"
        )
    match = _CHOICE.fullmatch(choice)
    if match is None:
        raise UsageError(f"#{choice} names no component; write #NUMBER or #NUMBER:FIRST-LAST, e.g. #0:2-5")
    number, first, last = int(match[1]), int(match[2] or 0), int(match[3]) if match[3] else None
    if number >= count:
        raise UserError(f"{str(source.path)!r} has no component {number}; it holds 0 to {count - 1}")
    if last is not None and not first <= last < MAX_LEVELS:
        raise UsageError(f"#{choice}: the levels {first} to {last} are none of a generator's")
    return number, first, last


IMPORTER = Importer(FORMAT, "editor", _recognises, _read, takes_choice=True)
