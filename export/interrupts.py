"""Ctrl-C that ends the process: libraries swallow KeyboardInterrupt while they are imported, and long computations do not look."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator

INTERRUPTED = 130
_REQUESTS = {signal.SIGINT, signal.SIGTERM}


@contextlib.contextmanager
def ending_soon(grace_seconds: float = 1.5) -> Iterator[None]:
    """Within the block, Ctrl-C or a stop request ends the process, by exit status 130, unless the block ends in time.

    As always, the request raises KeyboardInterrupt, and tidying up is up to whoever is on the way. A second request, or the end of the
    grace, makes an end of that: what is unfinished then is abandoned, and the next run sweeps it (`textedit_core.atomic`). Only for the
    main thread.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # Python writes a signal's number here at once, also while a library computes and no handler can run.
    previous = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader, grace_seconds), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        os.close(writer)


def _watch(reader: int, grace_seconds: float) -> None:
    with open(reader, "rb", buffering=0) as requests:
        # Nothing is read any more once the block has ended.
        while number := requests.read(1):
            if number[0] in _REQUESTS:
                break
        else:
            return
        asked_again, _, _ = select.select([requests], [], [], grace_seconds)
        if asked_again and not requests.read(1):
            return
    sys.stderr.write("error: interrupted; what was unfinished is removed by the next run\n")
    sys.stderr.flush()
    os._exit(INTERRUPTED)
