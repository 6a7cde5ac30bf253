"""Which people train, which ones guide choices while training, and which ones only measure."""

from __future__ import annotations

SPLITS: tuple[str, ...] = ("train", "validation", "test")
_CYCLE = 20


def split_of(identity: int) -> str:
    """Returns the split of a person, whatever the size of the dataset: of 20 people 18 train, one validates, one tests.

    Raises:
        ValueError: the number is negative.
    """
    if identity < 0:
        raise ValueError(f"identity {identity} is negative")
    return {_CYCLE - 1: "test", _CYCLE - 2: "validation"}.get(identity % _CYCLE, "train")
