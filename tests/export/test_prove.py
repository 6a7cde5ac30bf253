"""The C++ program: a bundle's .pte files give their golden answers outside of Python, here and with a phone's Arm kernels."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from export.__main__ import main
from export.bundle import open_bundle, seal
from export.proof.processors import PROCESSORS, require_tools, resolve_processor
from export.proof.prove import prove
from export.raw_tensors import read_tensor, write_tensor
from tests.export.conftest import BuildBundle
from textedit_core.errors import UsageError, UserError


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of this run's own, so that the program is built from the sources at hand and the user's cache stays as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def ready(cpu: str) -> None:
    """Skips where the machine lacks a tool."""
    try:
        require_tools(PROCESSORS[cpu])
    except UserError as error:
        pytest.skip(str(error))


def arm_wheel() -> Path:
    """ExecuTorch's wheel for Arm64, as TEXTEDIT_ARM_WHEEL names it."""
    named = os.environ.get("TEXTEDIT_ARM_WHEEL", "")
    if not named:
        pytest.skip("TEXTEDIT_ARM_WHEEL does not name ExecuTorch's wheel for Linux on Arm64; .ci/run downloads it")
    return Path(named)


def test_the_programs_give_their_golden_answers_on_this_processor(bundles: BuildBundle) -> None:
    ready("host")
    proof = prove(bundles("android"), "host")
    # The same kernels on the same processor: bit by bit, for which 200 dB stand.
    assert proof.golden_db == {"encoder": 200.0, "editors/smile": 200.0, "decoder": 200.0}


@pytest.mark.parametrize("cpu", ["cortex-a53", "cortex-a76"])
def test_the_programs_give_their_golden_answers_with_the_kernels_of_phones(cpu: str, bundles: BuildBundle) -> None:
    ready(cpu)
    proof = prove(bundles("android"), cpu, arm_wheel())
    assert set(proof.golden_db) == {"encoder", "editors/smile", "decoder"}
    # Integer sums are exact in any order; what float arithmetic there is rounds at 2**-24, 144 dB below the largest value. Wrong int8
    # kernels differ in the eighth bit, 48 dB below.
    assert min(proof.golden_db.values()) > 100.0


def test_a_wrong_answer_is_named(bundles: BuildBundle, tmp_path: Path) -> None:
    ready("host")
    path = Path(shutil.copytree(bundles("android"), tmp_path / "copy.textedit"))
    with open_bundle(path) as opened:
        manifest = opened.manifest
        (case,) = [case for case in manifest.golden if case.part == "decoder"]
        write_tensor(path / case.output, -read_tensor(path / case.output, case.shape))
    seal(path, manifest)
    with pytest.raises(UserError, match=r"decoder: the golden self-test reaches -?\d"):
        prove(path, "host")


def test_a_file_that_is_no_program_is_named(bundles: BuildBundle, tmp_path: Path) -> None:
    ready("host")
    path = Path(shutil.copytree(bundles("android"), tmp_path / "copy.textedit"))
    with open_bundle(path) as opened:
        manifest = opened.manifest
    (path / "models/encoder.pte").write_bytes(b"not a program")
    seal(path, manifest)
    with pytest.raises(UserError, match=r"encoder does not run on host: the runtime does not load .*encoder\.pte"):
        prove(path, "host")


def test_only_programs_for_this_processor_are_taken(onnx_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", str(onnx_bundle)]) == 1
    assert "prove runs ExecuTorch programs for XNNPACK; this bundle is for ONNX Runtime with CPU" in capsys.readouterr().err


def test_an_unknown_processor_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="unknown processor 'cortex-a5'; --cpu takes: cortex-a53, cortex-a76, host"):
        resolve_processor("cortex-a5")


def test_a_wheel_for_this_processor_is_a_usage_error(onnx_bundle: Path) -> None:
    with pytest.raises(UsageError, match="--wheel and --download are for an emulated processor"):
        prove(onnx_bundle, "host", download=True)


def test_missing_tools_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda tool: None)
    with pytest.raises(UserError, match=r"install with: apt-get install cmake g\+\+-aarch64-linux-gnu qemu-user-static$"):
        require_tools(PROCESSORS["cortex-a53"])
    with pytest.raises(UserError, match=r"--cpu host needs cmake, c\+\+; install with: apt-get install cmake g\+\+$"):
        require_tools(PROCESSORS["host"])


def test_the_wheel_is_asked_for_and_checked(bundles: BuildBundle, tmp_path: Path) -> None:
    ready("cortex-a53")
    with pytest.raises(UserError, match=r"give its wheel with --wheel FILE, or let --download fetch it"):
        prove(bundles("android"), "cortex-a53")
    other = tmp_path / "executorch-0.1-cp311-cp311-manylinux_2_28_aarch64.whl"
    other.write_bytes(b"")
    with pytest.raises(UserError, match=r"executorch-0\.1-.* is not executorch-"):
        prove(bundles("android"), "cortex-a53", other)


