"""A process that holds networks and times one of them at a time: ExecuTorch has one pool of threads per process, and so one count."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from benchmarks.sessions import open_network
from benchmarks.timing import Timed, stopwatch
from textedit_core.errors import TexteditError, UserError

if TYPE_CHECKING:
    from export.graphs import GraphSpec


class Worker:
    """Use as a context manager.

    Args:
        threads: of the runtime, for as long as the process lives.
    """

    def __init__(self, threads: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._connection, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs, threads), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()
        self._process.join()

    def load(self, name: str, path: Path, spec: GraphSpec) -> Timed:
        """Loads a .pte program; the result runs it once on random numbers and returns the milliseconds.

        Raises:
            UserError: the runtime refuses the file, or the process died.
        """
        self._ask("load", name, path, spec)
        return lambda: self._ask("run", name)

    def drop(self, name: str) -> None:
        """Frees a network."""
        self._ask("drop", name)

    def _ask(self, *message: Any) -> Any:
        try:
            self._connection.send(message)
            answer = self._connection.recv()
        except (EOFError, OSError):
            raise UserError("a measuring process died (out of memory?); measure something smaller") from None
        if isinstance(answer, TexteditError):
            raise answer
        return answer


def _serve(connection: Connection, threads: int) -> None:
    import torch

    held: dict[str, Timed] = {}
    while True:
        try:
            action, name, *rest = connection.recv()
        except EOFError:
            return
        answer: object = None
        try:
            if action == "load":
                path, spec = rest
                held[name] = stopwatch(open_network("android", path, spec, threads), torch.randn(spec.input.shape))
            elif action == "run":
                answer = held[name]()
            else:
                del held[name]
        except TexteditError as error:
            answer = error
        connection.send(answer)
