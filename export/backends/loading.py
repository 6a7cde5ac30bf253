"""What loading a lowered network has in common, whichever runtime does it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from textedit_core.errors import UserError


@contextlib.contextmanager
def refusals_named(path: Path) -> Iterator[None]:
    """Turns whatever a runtime raises on a file into one line that names it.

    Raises:
        UserError: the runtime refuses the file.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path.name} is refused by its runtime: {type(error).__name__}: {str(error)[:200]}") from None
