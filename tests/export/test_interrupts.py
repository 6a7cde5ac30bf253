"""A request to stop ends an export, whatever the libraries on the way make of it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from export.interrupts import INTERRUPTED
from textedit_core.checkpoints.store import Checkpoint

# No request to stop has an effect of its own, as in a library that swallows KeyboardInterrupt. Argument: seconds of grace.
SWALLOWING = """
import signal, sys, time
from export.interrupts import ending_soon
for request_to_stop in (signal.SIGINT, signal.SIGTERM):
    signal.signal(request_to_stop, lambda number, frame: None)
with ending_soon(float(sys.argv[1])):
    print("ready", flush=True)
    while True:
        time.sleep(60)
"""
UNWINDING = """
import time
from export.interrupts import ending_soon
try:
    with ending_soon(60):
        print("ready", flush=True)
        time.sleep(600)
except KeyboardInterrupt:
    raise SystemExit(7)
"""


def _take_requests() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def running(arguments: list[str], repository: Path) -> Iterator[subprocess.Popen[str]]:
    """A Python process that takes requests to stop, and is no more afterwards."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=repository,
        # Whatever runs in a shell's background is told to ignore SIGINT, and so are these tests there.
        preexec_fn=_take_requests,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def started(arguments: list[str], repository: Path) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has come to its `ready`."""
    with running(["-c", *arguments], repository) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        yield process


@pytest.mark.parametrize("request_to_stop", [signal.SIGINT, signal.SIGTERM])
def test_one_request_that_is_swallowed_ends_the_process_all_the_same(request_to_stop: signal.Signals, repository: Path) -> None:
    with started([SWALLOWING, "0.2"], repository) as process:
        process.send_signal(request_to_stop)
        assert process.wait(20) == INTERRUPTED
        assert process.stderr is not None and process.stderr.read().startswith("error: interrupted; ")


def test_a_second_request_does_not_wait_for_the_grace(repository: Path) -> None:
    with started([SWALLOWING, "1000"], repository) as process:
        # Two signals of one kind that come at once count as one.
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
        assert process.returncode == INTERRUPTED


def test_whoever_tidies_up_in_time_decides_how_it_ends(repository: Path) -> None:
    with started([UNWINDING], repository) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 7


def test_an_export_is_ended_in_its_first_seconds(checkpoint: Checkpoint, repository: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["-m", "export", "--target", "onnx", "--checkpoint", str(checkpoint.directory), "--out", str(out)]
    with running(arguments, repository) as process:
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (INTERRUPTED, -signal.SIGINT)
    assert not out.exists() or not list(out.glob("*.textedit"))
