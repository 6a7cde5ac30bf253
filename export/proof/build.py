"""Builds the C++ program that runs .pte files, once per processor and ExecuTorch version, against the libraries of ExecuTorch's wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from export.proof.processors import Processor, require_tools
from textedit_core.atomic import replacing_folder
from textedit_core.errors import UserError
from textedit_core.hashing import sha256_of, sha256_of_file

_SOURCE = Path(__file__).with_name("runner")
_PROGRAM = "run_program"
_WHEEL_FOLDERS = ("executorch/include/", "executorch/lib/", "executorch/share/")
_PLATFORM = "manylinux_2_28_aarch64"


def cache_folder() -> Path:
    """Where built programs and unpacked wheels are kept: `textedit/proof` below XDG_CACHE_HOME, or below ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "textedit" / "proof"


def build_runner(processor: Processor, wanted: str, wheel: Path | None, download: bool) -> Path:
    """Builds the program for a processor, or finds it in the cache.

    Args:
        processor: what is to run it.
        wanted: the version of ExecuTorch that the .pte files were made with.
        wheel: ExecuTorch's wheel for Linux on Arm64; only an emulated processor takes one.
        download: fetch that wheel from the package index if it is not in the cache.

    Returns:
        The executable.

    Raises:
        UserError: a tool, or the wheel, is missing, is of another version, or does not compile.
    """
    require_tools(processor)
    package = _arm_package(wanted, wheel, download) if processor.emulated else _installed_package(wanted)
    sources = sorted(_SOURCE.iterdir())
    inputs = [str(package).encode(), wanted.encode(), *map(str.encode, processor.configure), *(path.read_bytes() for path in sources)]
    folder = cache_folder() / sha256_of(b"\0".join(inputs))[:16]
    if not (folder / _PROGRAM).is_file():
        _compile(processor, package, folder)
    return folder / _PROGRAM


def _compile(processor: Processor, package: Path, folder: Path) -> None:
    settings = (f"-Dexecutorch_DIR={package / 'share/cmake'}", "-DCMAKE_BUILD_TYPE=Release", *processor.configure)
    with replacing_folder(folder) as draft, tempfile.TemporaryDirectory(dir=draft) as build:
        _call("configuring the C++ program", ["cmake", "-S", str(_SOURCE), "-B", build, *settings])
        _call("compiling the C++ program", ["cmake", "--build", build])
        os.replace(Path(build, _PROGRAM), draft / _PROGRAM)


def _call(what: str, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        lines = [line for line in f"{done.stderr}\n{done.stdout}".splitlines() if "rror" in line] or done.stderr.splitlines()[-1:]
        raise UserError(f"{what} failed: {' '.join(lines[:2])[:300]}")


def _installed_package(wanted: str) -> Path:
    if version("executorch") != wanted:
        raise UserError(f"the bundle was made with ExecuTorch {wanted}, and {version('executorch')} is installed; export it again")
    spec = find_spec("executorch")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("the Python package executorch is not installed; install it with: pip install executorch")
    return Path(next(iter(spec.submodule_search_locations))).resolve()


def _arm_package(wanted: str, wheel: Path | None, download: bool) -> Path:
    """The unpacked wheel for Arm64, by the content of the wheel where one is given."""
    folder = cache_folder() / f"executorch-{wanted}-aarch64"
    if wheel is not None:
        return _unpacked(wheel, wanted, cache_folder() / f"executorch-{wanted}-{sha256_of_file(wheel)[:16]}")
    if folder.is_dir():
        return folder / "executorch"
    if not download:
        raise UserError(
            f"no ExecuTorch {wanted} for Linux on Arm64; give its wheel with --wheel FILE, or let --download fetch it (18 MB)"
        )
    with tempfile.TemporaryDirectory(prefix="textedit-wheel-") as scratch:
        return _unpacked(_downloaded(wanted, Path(scratch)), wanted, folder)


def _downloaded(wanted: str, folder: Path) -> Path:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    filters = ["--no-deps", "--only-binary=:all:", "--platform", _PLATFORM, "--python-version", python]
    command = [sys.executable, "-m", "pip", "download", "--quiet", *filters, "--dest", str(folder), f"executorch=={wanted}"]
    _call("downloading ExecuTorch for Arm64", command)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _unpacked(wheel: Path, wanted: str, folder: Path) -> Path:
    if not (wheel.name.startswith(f"executorch-{wanted}-") and wheel.name.endswith("aarch64.whl")):
        raise UserError(f"{wheel.name} is not executorch-{wanted}-...-{_PLATFORM}.whl, which the bundle was made with")
    if folder.is_dir():
        return folder / "executorch"
    try:
        with replacing_folder(folder) as draft, zipfile.ZipFile(wheel) as archive:
            archive.extractall(draft, [name for name in archive.namelist() if name.startswith(_WHEEL_FOLDERS)])
    except zipfile.BadZipFile as error:
        raise UserError(f"{wheel.name} is not a wheel: {error}") from None
    return folder / "executorch"
