"""What a fault is: a kind of damage with numbered cases, each of which ends well or is `Broken`."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from textedit_core.errors import TexteditError

# A refusal is read on a terminal or a phone; names and paths make up most of it.
_LONGEST_LINE = 1000


class Broken(Exception):
    """The product did what it must never do; the message says what."""


@dataclass(frozen=True)
class Outcome:
    """How a case ended well: a word by which such ends are counted, and numbers in bytes, by what they measure."""

    word: str
    sizes: dict[str, float] = field(default_factory=dict)


# Gets the case's own random numbers and an empty folder.
Case = Callable[[random.Random, Path], Outcome]


@dataclass(frozen=True)
class Fault:
    """A kind of damage.

    Attributes:
        name: the option that says how many cases there are, and the fault's name in the result.
        text: what is held to in every case.
        prepare: makes what the cases have in common, in a folder that stays, and returns what tries one case.
        most: upper bounds in bytes of the numbers of every case, by what they measure.
    """

    name: str
    text: str
    prepare: Callable[[Path], Case]
    most: dict[str, float] = field(default_factory=dict)


def numbers_of(seed: int, fault: str, number: int) -> random.Random:
    """The random numbers of one case: the same for the same seed, fault and number, on every machine."""
    return random.Random(f"{seed} {fault} {number}")


def require_one_line(error: TexteditError | str) -> None:
    """Checks that an error is one short line.

    Raises:
        Broken: it is not.
    """
    text = str(error).strip()
    if not text or len(text.splitlines()) != 1 or len(text) > _LONGEST_LINE:
        raise Broken(f"the error is no single line: {text[:300]!r}")
