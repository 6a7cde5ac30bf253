"""How much memory a piece of work needs, measured by Linux in a process of its own."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks.edit_path import EditFiles, EditPath
from benchmarks.sessions import open_network
from textedit_core.errors import UserError

if TYPE_CHECKING:
    from export.graphs import GraphSpec

Result = TypeVar("Result")

_STATUS = Path("/proc/self/status")
# Writing 5 sets the peak back to what is resident now; see proc_pid_clear_refs(5).
_CLEAR_REFS = Path("/proc/self/clear_refs")


def in_fresh_process(work: Callable[..., Result], *arguments: Any) -> Result:
    """Runs a module's function in a new interpreter and returns what it returns, or raises what it raises.

    Raises:
        UserError: the process died.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(work, *arguments).result()
        except BrokenProcessPool:
            raise UserError("a measuring process died (out of memory?); measure something smaller") from None


def resident_bytes() -> int:
    """What this process has resident now (VmRSS)."""
    return _status_bytes("VmRSS")


def peak_bytes() -> int:
    """The most that this process had resident since it began or since `reset_peak` (VmHWM)."""
    return _status_bytes("VmHWM")


def reset_peak() -> None:
    """Gives freed memory back to the system and lets the peak begin anew at what is resident."""
    gc.collect()
    # Freed memory that the allocator kept would be used again unseen.
    ctypes.CDLL(None).malloc_trim(0)
    _CLEAR_REFS.write_text("5", "ascii")


def require_counters() -> None:
    """Checks that this system counts what is read here.

    Raises:
        UserError: it does not; the message says what is needed.
    """
    if not (_STATUS.is_file() and _CLEAR_REFS.is_file() and hasattr(ctypes.CDLL(None), "malloc_trim")):
        raise UserError("memory is measured on Linux with glibc alone: /proc/self/status, /proc/self/clear_refs and malloc_trim")


def _status_bytes(name: str) -> int:
    line = next(line for line in _STATUS.read_text("ascii").splitlines() if line.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])


def edit_memory(files: EditFiles, trivial: tuple[Path, GraphSpec], threads: int) -> dict[str, int]:
    """Memory of loading three networks and of one edit over that of the runtime; to be called `in_fresh_process`.

    The baseline is what is resident once the interpreter, PyTorch and the runtime are there and a trivial program (one 1x1 convolution of
    one channel) was loaded and run through the same runtime, after freed memory went back to the system. Then the three networks are
    loaded, all at once, and one photo is edited. Counted is resident memory, shared pages of libraries included, since first use brings
    more of them in.

    Returns:
        Bytes: `baseline`; `loaded`, resident once the networks are there, less the baseline; `peak`, the most from before loading until
        after the edit, less the baseline.
    """
    import torch

    path, spec = trivial
    open_network(files.target, path, spec, threads)(torch.zeros(spec.input.shape))
    image = torch.zeros(files.specs[0].input.shape)
    reset_peak()
    baseline = resident_bytes()
    edit = EditPath(files, threads)
    loaded = resident_bytes()
    edit.full(image)
    return {"baseline": baseline, "loaded": max(loaded - baseline, 0), "peak": peak_bytes() - baseline}
