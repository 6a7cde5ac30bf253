"""What can be exported: the targets, the precisions that each accepts, and the parity floor that each precision must reach."""

from __future__ import annotations

from dataclasses import dataclass

from textedit_core.errors import UsageError, unknown_name

ALL_TARGETS = "all"

# Peak signal-to-noise ratio in dB that an artifact must reach against the fp32 networks; docs/bundle.md says what each precision is.
PARITY_FLOOR_DB: dict[str, float] = {
    "fp32": 60.0,
    "fp16": 45.0,
    "auto": 40.0,
    "int8w": 30.0,
    "int8": 30.0,
    "w8a8": 30.0,
    "palette8": 45.0,
    "palette6": 35.0,
    "palette4": 25.0,
}


@dataclass(frozen=True)
class Target:
    """One runtime family.

    Attributes:
        suffix: extension of a lowered network, a file or (Core ML) a directory.
        precisions: accepted precisions, the default first.
        runtime: name of the runtime that a device loads the networks with.
        backend: what executes the graph inside that runtime.
        min_os: the oldest operating system that runs the bundle.
        package: the Python package whose version the manifest records.
    """

    name: str
    suffix: str
    precisions: tuple[str, ...]
    runtime: str
    backend: str
    min_os: str
    package: str

    @property
    def default_precision(self) -> str:
        """The precision used when the user names none."""
        return self.precisions[0]


TARGETS: dict[str, Target] = {
    "ios": Target(
        "ios",
        ".mlpackage",
        ("fp16", "fp32", "int8w", "palette8", "palette6", "palette4", "w8a8"),
        "Core ML",
        "ML Program",
        "iOS 17.0",
        "coremltools",
    ),
    "android": Target("android", ".pte", ("int8", "fp32", "auto"), "ExecuTorch", "XNNPACK", "Android 8.0 (API 26)", "executorch"),
    "onnx": Target("onnx", ".onnx", ("fp16", "fp32", "int8w", "int8"), "ONNX Runtime", "CPU", "any with ONNX Runtime", "onnxruntime"),
}


def resolve_targets(name: str) -> list[Target]:
    """Returns the named target, or every target for `all`.

    Raises:
        UsageError: no target has this name.
    """
    if name == ALL_TARGETS:
        return list(TARGETS.values())
    if name not in TARGETS:
        raise unknown_name("target", name, [*TARGETS, ALL_TARGETS], "the targets are")
    return [TARGETS[name]]


def resolve_precision(target: Target, precision: str | None) -> str:
    """Returns `precision`, or the target's default for None.

    Raises:
        UsageError: the target does not accept this precision.
    """
    if precision is None:
        return target.default_precision
    if precision not in target.precisions:
        raise UsageError(f"unknown precision {precision!r}; target {target.name} accepts: {', '.join(target.precisions)}")
    return precision
