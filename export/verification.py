"""Verifies a finished bundle: integrity and signature first, then every network on its golden vectors through its runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from export import golden, runtimes
from export.bundle import Bundle, open_bundle
from export.manifest import Manifest
from export.runtimes import Runner


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
) -> Verification:
    """Checks a bundle from outside in; the first failure is raised.

    Args:
        path: bundle directory or stored zip.
        public_key: PEM key that must have signed it; None accepts any signer or none.
        progress: called with target, stage and part.
        unproven: leave the self-test out where nothing on this machine runs the networks.

    Raises:
        UserError: naming the file or network that fails.
    """
    from export.signing import load_public_key

    key = None if public_key is None else load_public_key(public_key)
    with open_bundle(path, key) as opened:
        if opened.manifest.made_for.proof is None and unproven:
            return Verification(opened.manifest, {})
        reached = {}
        for case in opened.manifest.golden:
            if progress is not None:
                progress(opened.manifest.target, "self-test", case.part)
            reached[case.part] = golden.check_case(opened.root, opened.manifest, case, load_part(opened, case.part))
        return Verification(opened.manifest, reached)


def load_part(opened: Bundle, part: str) -> Runner:
    """Loads one network of an opened bundle through its runtime."""
    entry = opened.manifest.part(part)
    return runtimes.load(opened.manifest.made_for.label, opened.file(entry.file), opened.manifest.spec(part))
