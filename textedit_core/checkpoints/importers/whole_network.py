"""Fills a whole network of this project from a foreign state dict that names the same layers differently."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from textedit_core.checkpoints.importers.contract import KeyTable

COUNTER = "num_batches_tracked"


def take_network(table: KeyTable, build: Callable[[], nn.Module], foreign_name: Callable[[str], str]) -> dict[str, Tensor]:
    """The state dict of the network that `build` makes, taken from `table`.

    Args:
        table: the foreign tensors.
        build: makes the network; it is made without memory for its weights, for its keys and shapes alone.
        foreign_name: from this project's key to the file's.

    Raises:
        UserError: a key is missing or has another shape.
    """
    with torch.device("meta"):
        wanted = build().state_dict()
    tensors = {}
    for key, blank in wanted.items():
        name = foreign_name(key)
        if key.endswith(COUNTER) and name not in table:
            # PyTorch before 0.4.1 did not count batches.
            table.lack(name, "a counter that only training reads; 0 stands in")
            tensors[key] = torch.zeros((), dtype=blank.dtype)
        else:
            tensors[key] = table.take(name, tuple(blank.shape)).to(blank.dtype)
    return tensors
