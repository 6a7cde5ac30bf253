"""Numbers among the options that trainers store beside their weights, which a file may hold in any type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from textedit_core.checkpoints.importers.contract import Source
from textedit_core.errors import UserError

# Sizes that StyleGAN2 has been made for.
_SMALLEST, _LARGEST = 8, 8192


def generator_levels(options: Mapping[str, Any], names: tuple[str, ...], source: Source) -> int | None:
    """The levels L of the generator whose size in pixels an option gives; the first of `names` that is set counts, None if none is.

    Raises:
        UserError: it is no size of a generator.
    """
    size = next((options[name] for name in names if options.get(name)), None)
    if size is None:
        return None
    if not isinstance(size, (int, float)) or not _SMALLEST <= size <= _LARGEST:
        raise UserError(f"{str(source.path)!r}: opts says that the generator makes images of {str(size)[:40]} px; is the file damaged?")
    return 2 * int(math.log2(size)) - 2
