"""Proves a bundle's .pte files on a processor: each golden case through the C++ program, held against the golden answer."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from export import golden
from export.backends import xnnpack
from export.bundle import open_bundle
from export.graphs import GraphSpec
from export.manifest import Manifest
from export.proof.build import build_runner
from export.proof.processors import Processor, environment_of, resolve_processor
from export.raw_tensors import read_tensor, write_tensor
from textedit_core.errors import UsageError, UserError

if TYPE_CHECKING:
    from torch import Tensor

    from export.backends.backend import Runner


@dataclass(frozen=True)
class Proof:
    """What was proven: the processor, the version of ExecuTorch, and by part the PSNR in dB against the golden answer.

    200 dB stand for an answer that is the same bit by bit.
    """

    cpu: str
    executorch: str
    golden_db: dict[str, float]


def prove(
    path: Path,
    cpu: str,
    wheel: Path | None = None,
    download: bool = False,
    progress: Callable[[str, str, str], None] | None = None,
) -> Proof:
    """Runs every golden case of a bundle on a processor; the first that misses its floor is raised.

    Args:
        path: bundle directory or stored zip.
        cpu: `host`, or an Arm core that QEMU emulates.
        wheel: ExecuTorch's wheel for Linux on Arm64, for an emulated core.
        download: fetch that wheel if it is needed and not in the cache; nothing else uses the network.
        progress: called with processor, stage and part.

    Raises:
        UsageError: unknown processor, or a wheel for one that is not emulated.
        UserError: the bundle is damaged or holds no XNNPACK programs, something is missing to build or run, or a network's answer is not
            finite or below its floor.
    """
    processor = resolve_processor(cpu)
    if not processor.emulated and (wheel is not None or download):
        raise UsageError(f"--wheel and --download are for an emulated processor; --cpu {cpu} runs the ExecuTorch that is installed")
    with open_bundle(path) as opened:
        manifest = opened.manifest
        _require_programs(manifest)
        _tell(progress, cpu, "build", "C++ program")
        program = build_runner(processor, manifest.runtime.version, wheel, download)
        reached = {}
        for case in manifest.golden:
            _tell(progress, cpu, "run", case.part)
            run = _runner(program, processor, opened.file(manifest.part(case.part).file), manifest.spec(case.part))
            reached[case.part] = golden.check_case(opened.root, manifest, case, run)
        return Proof(cpu, manifest.runtime.version, reached)


def _require_programs(manifest: Manifest) -> None:
    runtime, wanted = manifest.runtime, xnnpack.BACKEND
    if (runtime.name, runtime.backend) != (wanted.runtime, wanted.name):
        raise UserError(
            f"prove runs {wanted.runtime} programs for {wanted.name}; this bundle is for {runtime.name} with {runtime.backend}"
        )


def _runner(program: Path, processor: Processor, file: Path, spec: GraphSpec) -> Runner:
    def run(value: Tensor) -> Tensor:
        with tempfile.TemporaryDirectory(prefix="textedit-prove-") as scratch:
            source, result = Path(scratch, "input.f32"), Path(scratch, "output.f32")
            write_tensor(source, value)
            command = [*processor.launcher, str(program), str(file), str(source), str(result)]
            done = subprocess.run(command, capture_output=True, text=True, env=environment_of(processor))
            if done.returncode != 0:
                last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
                raise UserError(f"{spec.part} does not run on {processor.name}: {last[0][:300]}")
            return read_tensor(result, spec.output.shape)

    return run


def _tell(progress: Callable[[str, str, str], None] | None, *what: str) -> None:
    if progress is not None:
        progress(*what)
