"""What can be exported: the targets with their backends, the precisions that each accepts, and the parity floor of each precision."""

from __future__ import annotations

from dataclasses import dataclass

from textedit_core.errors import UsageError, UserError, unknown_name

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
        name: the device family.
        key: what `--backend` calls the backend.
        suffix: extension of a lowered network, a file or (Core ML) a directory.
        precisions: accepted precisions, the default first.
        runtime: name of the runtime that a device loads the networks with.
        backend: what executes the graph inside that runtime.
        min_os: the oldest operating system that runs the bundle.
        package: the Python package whose version the manifest records.
        proof: how a lowered network is run on the exporting machine; None where nothing there can run it.
        leaves_open: what that does not prove.
    """

    name: str
    key: str
    suffix: str
    precisions: tuple[str, ...]
    runtime: str
    backend: str
    min_os: str
    package: str
    proof: str | None
    leaves_open: str

    @property
    def label(self) -> str:
        """The target's name, followed by the backend's where that is not the default: `android`, `android-vulkan`."""
        return self.name if TARGETS.get(self.name) is self else f"{self.name}-{self.key}"

    @property
    def default_precision(self) -> str:
        """The precision used when the user names none."""
        return self.precisions[0]


_PHONE = "speed, memory and energy, which need the phone"
_ENGINE = "what the Neural Engine rounds inside an operation, and which unit runs it"

# Each target with the backend that it has when none is named.
TARGETS: dict[str, Target] = {
    "ios": Target(
        name="ios",
        key="coreml",
        suffix=".mlpackage",
        precisions=("fp16", "fp32", "int8w", "palette8", "palette6", "palette4", "w8a8"),
        runtime="Core ML",
        backend="ML Program",
        min_os="iOS 17.0",
        package="coremltools",
        proof="the saved Core ML package, evaluated operation by operation with every fp16 result rounded",
        leaves_open=f"{_ENGINE}; {_PHONE}",
    ),
    "android": Target(
        name="android",
        key="xnnpack",
        suffix=".pte",
        precisions=("int8", "fp32", "auto"),
        runtime="ExecuTorch",
        backend="XNNPACK",
        min_os="Android 8.0 (API 26)",
        package="executorch",
        proof="the saved program, run by ExecuTorch with XNNPACK on the exporting machine's processor",
        leaves_open=f"the kernels for Arm, which `python -m export prove BUNDLE --cpu cortex-a76` runs under emulation; {_PHONE}",
    ),
    "onnx": Target(
        name="onnx",
        key="cpu",
        suffix=".onnx",
        precisions=("fp16", "fp32", "int8w", "int8"),
        runtime="ONNX Runtime",
        backend="CPU",
        min_os="any with ONNX Runtime",
        package="onnxruntime",
        proof="the saved model, run by ONNX Runtime on the exporting machine's processor",
        leaves_open=f"other execution providers, which may fuse and round differently; {_PHONE}",
    ),
}

_OTHER_BACKENDS = (
    Target(
        name="ios",
        key="executorch",
        suffix=".pte",
        precisions=("fp16", "fp32"),
        runtime="ExecuTorch",
        backend="Core ML",
        min_os="iOS 17.0",
        package="executorch",
        proof="the Core ML package inside the saved program, evaluated operation by operation with every fp16 result rounded",
        leaves_open=f"ExecuTorch's call of Core ML; {_ENGINE}; {_PHONE}",
    ),
    Target(
        name="android",
        key="vulkan",
        suffix=".pte",
        precisions=("fp16", "fp32"),
        runtime="ExecuTorch",
        backend="Vulkan",
        min_os="Android 8.0 (API 26) with Vulkan 1.1",
        package="executorch",
        proof=None,
        leaves_open=f"every number: nothing has run this file, the golden answers are the fp32 networks'; {_PHONE}",
    ),
)
# Backends that cannot be offered without a vendor's SDK, and which.
_NEEDS_SDK = {("android", "qnn"): "Qualcomm's AI Engine Direct SDK (QNN_SDK_ROOT)"}


def backends(name: str) -> dict[str, Target]:
    """The backends of a target by the name that `--backend` takes, the default first."""
    return {target.key: target for target in (TARGETS[name], *_OTHER_BACKENDS) if target.name == name}


def resolve_targets(name: str, backend: str | None = None) -> list[Target]:
    """Returns the named target with a backend, or every target with its default backend for `all`.

    Raises:
        UsageError: no target has this name, or the target has no such backend.
        UserError: the backend needs an SDK that no Python package brings.
    """
    if name not in TARGETS and name != ALL_TARGETS:
        raise unknown_name("target", name, [*TARGETS, ALL_TARGETS], "the targets are")
    if backend is None:
        return list(TARGETS.values()) if name == ALL_TARGETS else [TARGETS[name]]
    if name == ALL_TARGETS:
        raise UsageError(f"--backend {backend} belongs to one target; name it with --target")
    if (name, backend) in _NEEDS_SDK:
        raise UserError(f"backend {backend} is not built in: it needs {_NEEDS_SDK[name, backend]}; docs/backends.md says what to add where")
    if backend not in backends(name):
        raise unknown_name("backend", backend, list(backends(name)), f"target {name} has")
    return [backends(name)[backend]]


def target_of(name: str, backend: str) -> Target:
    """The target that a manifest's `target` and `runtime.backend` stand for.

    Raises:
        UserError: this version knows no such backend.
    """
    for target in backends(name).values():
        if target.backend == backend:
            return target
    raise UserError(f"bundle is for {name} with backend {backend!r}, which this version does not know; update this tool")


def resolve_precision(target: Target, precision: str | None) -> str:
    """Returns `precision`, or the target's default for None.

    Raises:
        UsageError: the target does not accept this precision.
    """
    if precision is None:
        return target.default_precision
    if precision not in target.precisions:
        raise UsageError(f"unknown precision {precision!r}; target {target.label} accepts: {', '.join(target.precisions)}")
    return precision
