"""Mutated foreign checkpoints: refused in one line, or imported with the same shapes, and never with much more memory than the file."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.faults.case import Broken, Case, Fault, Outcome, require_one_line
from benchmarks.memory import peak_bytes, require_counters, reset_peak, resident_bytes
from textedit_core.atomic import replacing_folder
from textedit_core.errors import TexteditError

if TYPE_CHECKING:
    from textedit_core.checkpoints.importers.contract import Imported

_GROWTH = "memory of an import"
# The files have 160 KB at most: this is what libraries take for themselves, and far below what a damaged length can ask for.
MOST_BYTES = 64e6
_SIDE, _W_DIM, _WIDTH = 32, 32, 16


def prepare(ground: Path) -> Case:
    """Small files of three formats."""
    require_counters()
    return cases_of(foreign_files_in(ground))


def cases_of(paths: list[Path]) -> Case:
    """What damages one of these files and imports it."""
    from textedit_core.checkpoints.import_model import import_file

    whole = {path: _shapes(import_file(path)) for path in paths}

    def case(rng: random.Random, folder: Path) -> Outcome:
        original = rng.choice(paths)
        path = folder / original.name
        path.write_bytes(_damaged(original.read_bytes(), rng))
        reset_peak()
        before = resident_bytes()
        try:
            imported = import_file(path)
        except TexteditError as error:
            require_one_line(error)
            word = "refused"
        else:
            if _shapes(imported) != whole[original]:
                raise Broken(f"{original.name}: imported with other parts or shapes")
            word = "imported"
        return Outcome(word, {_GROWTH: max(0, peak_bytes() - before)})

    return case


def foreign_files_in(ground: Path) -> list[Path]:
    """A generator and a mapper, as torch writes files now and as it once did, and a direction as an array."""
    folder = ground / "foreign"
    if not folder.exists():
        with replacing_folder(folder) as draft:
            _write(draft)
    return sorted(folder.iterdir())


def _write(folder: Path) -> None:
    import numpy as np
    import torch

    from benchmarks.foreign_files import GENERATOR, MAPPER, foreign_contents
    from textedit_core.decoder.config import DecoderConfig

    torch.manual_seed(0)
    channels = tuple((side, _WIDTH) for side in (4, 8, 16, _SIDE))
    contents = foreign_contents(DecoderConfig("stylegan2", _SIDE, _W_DIM, channels))
    # Not the encoder, which has 72 MB at any width.
    for name in (GENERATOR, MAPPER):
        torch.save(contents[name], folder / name)
        torch.save(contents[name], folder / f"old_{name}", _use_new_zipfile_serialization=False)
    np.save(folder / "direction.npy", torch.randn(1, 8, _W_DIM).numpy())


def _shapes(imported: Imported) -> dict[str, Any]:
    shapes: dict[str, Any] = {key: tuple(value.shape) for key, value in imported.tensors.items()}
    return {imported.kind: shapes, **{each.kind: _shapes(each) for each in imported.companions}}


def _damaged(raw: bytes, rng: random.Random) -> bytes:
    changed = bytearray(raw)
    start = rng.choice((0, rng.randrange(len(raw)), max(0, len(raw) - 4096)))
    length = rng.randint(1, min(4096, len(raw) - start))
    kind = rng.randrange(6)
    if kind == 0:
        for _ in range(rng.choice((1, 2, 16, 256))):
            # Headers and directories lie at the ends; elsewhere are mostly weights.
            changed[start + rng.randrange(length)] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del changed[rng.randrange(len(raw)) :]
    elif kind == 2:
        del changed[start : start + length]
    elif kind == 3:
        changed[start:start] = rng.randbytes(length)
    elif kind == 4:
        changed[start : start + length] = bytes(length) if rng.random() < 0.5 else b"\xff" * length
    else:
        other = rng.randrange(len(raw) - length + 1)
        changed[start : start + length] = raw[other : other + length]
    return bytes(changed)


FAULT = Fault(
    "checkpoints",
    "a mutated foreign checkpoint is refused in one line or imported with its shapes",
    prepare,
    {_GROWTH: MOST_BYTES},
)
