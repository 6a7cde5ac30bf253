"""Verifies a finished bundle: integrity and signature first, then every network on its golden vectors through its runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from export import golden
from export.backends import BACKENDS, Backends, backend_of
from export.backends.backend import Runner
from export.bundle import Bundle, open_bundle
from export.manifest import Manifest
from textedit_core.errors import UserError


@dataclass(frozen=True)
class Verification:
    """What was verified: the manifest, and the golden PSNR in dB by part; none where nothing on this machine runs the networks."""

    manifest: Manifest
    golden_db: dict[str, float]


def verify(
    path: Path,
    public_key: Path | None = None,
    progress: Callable[[str, str, str], None] | None = None,
    unproven: bool = False,
    backends: Backends = BACKENDS,
) -> Verification:
    """Checks a bundle from outside in; the first failure is raised.

    Args:
        path: bundle directory or stored zip.
        public_key: PEM key that must have signed it; None accepts any signer or none.
        progress: called with target, stage and part.
        unproven: leave the self-test out where nothing on this machine runs the networks.
        backends: those that the bundle may be for.

    Raises:
        UserError: naming the file or network that fails.
    """
    from export.signing import load_public_key

    key = None if public_key is None else load_public_key(public_key)
    with open_bundle(path, key) as opened:
        if backend_of(opened.manifest, backends).load is None and unproven:
            return Verification(opened.manifest, {})
        reached = {}
        for case in opened.manifest.golden:
            if progress is not None:
                progress(opened.manifest.target, "self-test", case.part)
            reached[case.part] = golden.check_case(opened.root, opened.manifest, case, load_part(opened, case.part, backends))
        return Verification(opened.manifest, reached)


def load_part(opened: Bundle, part: str, backends: Backends = BACKENDS) -> Runner:
    """Loads one network of an opened bundle through its runtime.

    Raises:
        UserError: the runtime refuses the file, or none on this machine runs the bundle's files.
    """
    entry, backend = opened.manifest.part(part), backend_of(opened.manifest, backends)
    if backend.load is None:
        name = opened.file(entry.file).name
        raise UserError(f"{part} cannot be run here: {name} was lowered for a backend that only a device has (verify: --unproven)")
    return backend.load(opened.file(entry.file), opened.manifest.spec(part), None)
