"""Artifact against network: how far the lowered file's outputs are from the fp32 module's, and the floor below which nothing ships."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from export.manifest import ParityEntry
from textedit_core import psnr
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

# Stands for "no difference at all", which has no decibels and no place in JSON.
IDENTICAL_DB = 200.0


def psnr_db(reference: Tensor, candidate: Tensor) -> float:
    """PSNR of a whole output in dB, with max - min of the reference as its range; at most IDENTICAL_DB."""
    spread = float(reference.max() - reference.min())
    # A constant has no range, NaN neither: only the same is right.
    if not spread > 0.0:
        return IDENTICAL_DB if bool((reference == candidate).all()) else -IDENTICAL_DB
    return min(float(psnr.psnr_db(reference.reshape(1, -1), candidate.reshape(1, -1), spread)), IDENTICAL_DB)


def measure(run: Callable[[Tensor], Tensor], inputs: Sequence[Tensor], references: Sequence[Tensor], floor_db: float) -> ParityEntry:
    """Runs an artifact on every input and compares all outputs at once with the fp32 network's.

    Args:
        run: the loaded artifact.
        inputs: float32 inputs of batch size 1.
        references: the fp32 network's outputs, one per input.
        floor_db: recorded beside the result.

    Raises:
        UserError: an output is not finite.
    """
    import torch

    outputs = [run(value) for value in inputs]
    for index, output in enumerate(outputs):
        if not torch.isfinite(output).all():
            raise UserError(f"output {index} is not finite (NaN or infinity): values overflow this precision")
    reference, candidate = torch.cat(list(references)), torch.cat(outputs)
    worst = float((reference - candidate).abs().max())
    return ParityEntry(round(psnr_db(reference, candidate), 2), floor_db, float(f"{worst:.3g}"), len(outputs))


def measure_batches(
    run: Callable[[Tensor], Tensor],
    inputs: Sequence[Tensor],
    references: Sequence[Tensor],
    floor_db: float,
    batch_sizes: Sequence[int],
    label: str,
) -> ParityEntry:
    """As `measure`, after every batch size above 1 has reached the floor too.

    Args:
        run: the loaded artifact.
        inputs: float32 inputs of batch size 1.
        references: the fp32 network's outputs, one per input.
        floor_db: recorded beside the result.
        batch_sizes: how many inputs the artifact takes at once, ascending from 1.
        label: its name in errors.

    Raises:
        UserError: an output is not finite, or several faces at once are below the floor.
    """
    for size in batch_sizes[1:]:
        require(f"{label} at batch size {size}", measure(run, _batched(inputs, size), _batched(references, size), floor_db))
    return measure(run, inputs, references, floor_db)


def _batched(values: Sequence[Tensor], size: int) -> list[Tensor]:
    """Every value once at least, in batches of one size; the last is filled up from the front."""
    import torch

    starts = range(0, len(values), size)
    return [torch.cat([values[(start + offset) % len(values)] for offset in range(size)]) for start in starts]


def require(part: str, parity: ParityEntry) -> None:
    """Refuses an artifact below its floor.

    Raises:
        UserError: naming the part, the measured PSNR and the floor.
    """
    if parity.psnr_db < parity.floor_db:
        raise UserError(
            f"{part} reaches {parity.psnr_db:.1f} dB against the fp32 network on {parity.samples} inputs; the floor is "
            f"{parity.floor_db:.0f} dB. Choose a higher --precision"
        )
