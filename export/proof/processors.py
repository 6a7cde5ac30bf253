"""The processors that programs can be proven for, and what this machine needs for each."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass

from textedit_core.errors import UserError, unknown_name

HOST = "host"
_ARM_COMPILER = "aarch64-linux-gnu-g++"
_EMULATOR = "qemu-aarch64-static"
# Where Debian and Ubuntu put the libraries that a program for Arm is linked against.
_ARM_LIBRARIES = "/usr/aarch64-linux-gnu"
_PACKAGES = {"cmake": "cmake", "c++": "g++", _ARM_COMPILER: "g++-aarch64-linux-gnu", _EMULATOR: "qemu-user-static"}


@dataclass(frozen=True)
class Processor:
    """What runs the programs.

    Attributes:
        name: `host`, or the Arm core that the emulator plays.
        tools: commands that have to be installed, beyond Python.
        configure: CMake's arguments for this processor.
        launcher: command line in front of the program.
        environment: what the launcher needs to know.
    """

    name: str
    tools: tuple[str, ...]
    configure: tuple[str, ...] = ()
    launcher: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def emulated(self) -> bool:
        """Whether an emulator stands in for the processor, so that ExecuTorch for Arm is needed."""
        return bool(self.launcher)


def _emulated(core: str) -> Processor:
    return Processor(
        name=core,
        tools=("cmake", _ARM_COMPILER, _EMULATOR),
        configure=("-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64", f"-DCMAKE_CXX_COMPILER={_ARM_COMPILER}"),
        # Without a named core, some versions of the emulator compute wrong int8 sums.
        launcher=(_EMULATOR, "-cpu", core),
        environment=(("QEMU_LD_PREFIX", _ARM_LIBRARIES),),
    )


# Of the two instruction sets that phones have, the A53 stands for Armv8.0, the A76 for Armv8.2 with dot products and fp16 arithmetic.
PROCESSORS: dict[str, Processor] = {
    HOST: Processor(HOST, ("cmake", "c++")),
    "cortex-a53": _emulated("cortex-a53"),
    "cortex-a76": _emulated("cortex-a76"),
}


def resolve_processor(name: str) -> Processor:
    """Returns the named processor.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in PROCESSORS:
        raise unknown_name("processor", name, list(PROCESSORS), "--cpu takes")
    return PROCESSORS[name]


def require_tools(processor: Processor) -> None:
    """Checks that everything a processor needs is installed.

    Raises:
        UserError: naming what is missing and how to install it.
    """
    if processor.emulated and not sys.platform.startswith("linux"):
        raise UserError(f"--cpu {processor.name} needs the user mode emulation of QEMU, which runs on Linux only; use --cpu {HOST}")
    missing = [tool for tool in processor.tools if shutil.which(tool) is None]
    if missing:
        packages = " ".join(_PACKAGES[tool] for tool in missing)
        raise UserError(f"--cpu {processor.name} needs {', '.join(missing)}; install with: apt-get install {packages}")


def environment_of(processor: Processor) -> dict[str, str]:
    """This process's environment, and what the processor's launcher adds to it."""
    return {**os.environ, **dict(processor.environment)}
