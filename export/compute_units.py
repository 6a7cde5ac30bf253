"""Which of a phone's processors an app should let Core ML use for each network, and why. A rule, not a measurement: no phone took part."""

from __future__ import annotations

from dataclasses import dataclass

from export.graphs import COMPOSITOR, DECODER, ENCODER
from textedit_core.errors import unknown_name

# As `MLComputeUnits` of Core ML spells its cases.
COMPUTE_UNITS = ("all", "cpuAndNeuralEngine", "cpuAndGPU", "cpuOnly")


@dataclass(frozen=True)
class Advice:
    """The units to ask for, and the reason."""

    units: str
    reason: str


def advise(part: str, precision: str) -> Advice:
    """The units for one network of a Core ML bundle.

    Args:
        part: `encoder`, `decoder`, `text_editor`, `compositor` or `editors/ID`.
        precision: the precision that it was lowered with.
    """
    if part not in (ENCODER, DECODER, COMPOSITOR):
        return Advice("cpuOnly", "a few matrix products on one vector per level: little to gain for the way to another unit and back")
    if precision == "fp32":
        return Advice("cpuAndGPU", "the Neural Engine computes in fp16 only, and would be passed over")
    return Advice("cpuAndNeuralEngine", "fp16 convolutions with constant weights, as the Neural Engine takes; the GPU stays free to draw")


def require_units(name: str) -> None:
    """Refuses a misspelt name.

    Raises:
        UsageError: Core ML has no such compute units.
    """
    if name not in COMPUTE_UNITS:
        raise unknown_name("compute units", name, list(COMPUTE_UNITS), "Core ML has")
