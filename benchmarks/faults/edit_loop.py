"""Many edits in one process: the memory that it holds does not grow."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from benchmarks.faults.ground import FIRST, PROMPTS, bundle_in, model_in
from benchmarks.memory import in_fresh_process, require_counters, reset_peak, resident_bytes
from textedit_core.errors import UsageError

# What the first edits take is paid once: threads, caches of the allocators, code that is loaded late.
WARMUP_SHARE = 0.2
MOST_GROWTH_BYTES = 8e6
LEAST = 10


def memory_of_edits(ground: Path, count: int) -> dict[str, int]:
    """Edits as many photos, by turns with the checkpoint and with its bundle.

    Returns:
        Bytes that are resident after a fifth of the edits, as `before`, and after the last one, as `after`.

    Raises:
        UsageError: too few edits to tell.
        UserError: this system does not count memory.
    """
    require_counters()
    if count < LEAST:
        raise UsageError(f"--edits {count} is too small to tell growth; give at least {LEAST}, or 0 to leave it out")
    return in_fresh_process(_edit_many, model_in(ground), bundle_in(ground), count)


def _edit_many(model: Path, bundle: Path, count: int) -> dict[str, int]:
    edits = _edits(model, bundle)
    warmup = int(count * WARMUP_SHARE)
    _exhaust(islice(edits, warmup))
    reset_peak()
    before = resident_bytes()
    _exhaust(islice(edits, count - warmup))
    reset_peak()
    return {"before": before, "after": resident_bytes()}


def _exhaust(edits: Iterator[None]) -> None:
    for _ in edits:
        pass


def _edits(model: Path, bundle: Path) -> Iterator[None]:
    import torch
    from PIL import Image

    from textedit_core.face_editor import FaceEditor

    torch.set_num_threads(1)
    rng = random.Random(0)
    with FaceEditor.open(model) as trained, FaceEditor.open(bundle) as exported:
        while True:
            photo = Image.frombytes("RGB", (4, 4), rng.randbytes(48)).resize((rng.randint(32, 96), rng.randint(32, 96)))
            # Each photo is encoded once and edited twice, as somebody does who moves a slider.
            for editor, prompt in ((trained, rng.choice(PROMPTS)), (exported, FIRST)):
                session = editor.photo(photo)
                for strength in (0.5, 1.0):
                    session.edit({prompt: strength})
                    yield
