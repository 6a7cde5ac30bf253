"""The backends: one file declares one, this tuple lists them, and nothing else in the exporter asks which one it has in hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from export.backends import coreml, coreml_in_executorch, onnx, vulkan, xnnpack
from export.backends.backend import Backend
from textedit_core.errors import UsageError, UserError, unknown_name

if TYPE_CHECKING:
    from export.manifest import Manifest

Backends = tuple[Backend, ...]

# By target in the order in which they are offered; of each target the default comes first.
BACKENDS: Backends = (coreml.BACKEND, coreml_in_executorch.BACKEND, xnnpack.BACKEND, vulkan.BACKEND, onnx.BACKEND)
ALL_TARGETS = "all"
# Backends that cannot be offered without a vendor's SDK, and which.
_NEEDS_SDK = {("android", "qnn"): "Qualcomm's AI Engine Direct SDK (QNN_SDK_ROOT)"}


def target_names(known: Backends = BACKENDS) -> list[str]:
    """The device families, in the order in which they are offered."""
    return list(dict.fromkeys(backend.target for backend in known))


def backends_of(target: str, known: Backends = BACKENDS) -> dict[str, Backend]:
    """The backends of a target by the name that `--backend` takes, the default first."""
    return {backend.id: backend for backend in known if backend.target == target}


def resolve_backends(target: str, backend: str | None = None, known: Backends = BACKENDS) -> list[Backend]:
    """Returns the named backend of a target, or the default one; for `all` the default of every target.

    Raises:
        UsageError: no target has this name, or the target has no such backend.
        UserError: the backend needs an SDK that no Python package brings.
    """
    if target not in target_names(known) and target != ALL_TARGETS:
        raise unknown_name("target", target, [*target_names(known), ALL_TARGETS], "the targets are")
    if backend is None:
        return [each for each in known if each.default and target in (each.target, ALL_TARGETS)]
    if target == ALL_TARGETS:
        raise UsageError(f"--backend {backend} belongs to one target; name it with --target")
    if (target, backend) in _NEEDS_SDK:
        needed = _NEEDS_SDK[target, backend]
        raise UserError(f"backend {backend} is not built in: it needs {needed}; docs/backends.md says what to add where")
    found = backends_of(target, known)
    if backend not in found:
        raise unknown_name("backend", backend, list(found), f"target {target} has")
    return [found[backend]]


def backend_of(manifest: Manifest, known: Backends = BACKENDS) -> Backend:
    """The backend that a bundle's networks were lowered for.

    Raises:
        UserError: this version knows no such backend.
    """
    runtime = manifest.runtime
    for backend in known:
        if (backend.target, backend.runtime, backend.name) == (manifest.target, runtime.name, runtime.backend):
            return backend
    made_for = f"{manifest.target} with {runtime.name} and backend {runtime.backend!r}"
    raise UserError(f"bundle is for {made_for}, which this version does not know; update this tool")
