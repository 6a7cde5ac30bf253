"""A command in a process of its own, which can be killed, or find its disk full, at a certain one of its file operations.

The processes are forked from one that has imported what the commands need, so that moments fall into their work and not into imports.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import resource
import signal
import sys
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Literal

from benchmarks.faults.case import Broken

Program = Literal["export", "textedit_core"]
_PRELOADED = ["torch", "timm", "onnx", "onnxscript", "onnxruntime", "PIL.Image", "jsonschema", "export.__main__", "textedit_core.__main__"]
# What Python reports before it changes the file system (docs.python.org, "Audit events table").
_CHANGES = frozenset({"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "shutil.copyfile"})
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_SECONDS = 600.0


@dataclass(frozen=True)
class Stop:
    """What happens at the file operation number `at`, from 1: a kill, so many seconds later, or a disk that takes no byte any more."""

    kind: Literal["kill", "full disk"]
    at: int
    seconds: float = 0.0


@dataclass(frozen=True)
class Ended:
    """A command that came to its end: exit status, what it wrote to stderr, and how many file operations it made."""

    status: int
    errors: str
    operations: int


def run_watched(program: Program, arguments: list[str], stop: Stop | None = None) -> Ended | None:
    """Runs one command; None when it was killed as asked.

    Raises:
        Broken: it ended by an exception or another signal, or did not end.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(theirs, program, arguments, stop))
    process.start()
    theirs.close()
    process.join(_SECONDS)
    if process.exitcode is None:
        process.kill()
        raise Broken(f"{program} {arguments[0]} did not end within {_SECONDS:.0f} s")
    if stop is not None and stop.kind == "kill" and process.exitcode in (-signal.SIGKILL, -signal.SIGALRM):
        return None
    if process.exitcode != 0:
        raise Broken(f"{program} {arguments[0]} ended with {process.exitcode}")
    answer = ours.recv()
    if isinstance(answer, str):
        raise Broken(f"{program} {arguments[0]} crashed: {answer}")
    return answer


def _child(connection: Connection, program: Program, arguments: list[str], stop: Stop | None) -> None:
    errors, operations = io.StringIO(), _Operations(stop)
    sys.addaudithook(operations)
    answer: Ended | str
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            status = _main_of(program)(arguments)
        answer = Ended(status, errors.getvalue(), operations.seen)
    except BaseException:
        answer = " | ".join(traceback.format_exc().strip().splitlines()[-3:])
    operations.stop = None
    connection.send(answer)


def _main_of(program: Program) -> Any:
    if program == "export":
        from export.__main__ import main

        return main
    from textedit_core.__main__ import main as core_main

    return core_main


class _Operations:
    """Counts the operations that change files, and does at the right one what was asked."""

    def __init__(self, stop: Stop | None) -> None:
        self.stop, self.seen = stop, 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _CHANGES and not (event == "open" and _writes(arguments)):
            return
        self.seen += 1
        if self.stop is not None and self.seen == self.stop.at:
            _act(self.stop)


def _writes(arguments: tuple[Any, ...]) -> bool:
    path, _, flags = arguments
    return isinstance(path, str | bytes) and not os.fsdecode(path).startswith("/dev/") and bool(flags & _WRITING)


def _act(stop: Stop) -> None:
    if stop.kind == "full disk":
        # From here on the system refuses every byte to every file, as a full disk does; pipes still work.
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    elif stop.seconds == 0.0:
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        # Ends the process as a kill does: nothing is unwound. The clock is the system's, so that it also falls into a write.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, stop.seconds)
