"""Work that is killed, or whose disk becomes full, at a random one of its file operations: the last good state stays usable."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Sequence
from pathlib import Path

from benchmarks.faults.case import Broken, Case, Fault, Outcome, require_one_line
from benchmarks.faults.watched import Stop, run_watched
from benchmarks.faults.works import WORKS, Work, prepare_works
from textedit_core.atomic import write_text

_COUNTS = "operations.json"
# Between an operation and a kill: at once, within a write, and in the midst of what comes next.
_DELAYS = (0.0, 0.0002, 0.002, 0.02)
_RESIDUE = (".textedit-writing-*", ".*.lock", "textedit-bundle-*")


def _prepare(kind: str, ground: Path) -> Case:
    prepare_works(ground)
    return cases_of(kind, ground, WORKS)


def cases_of(kind: str, ground: Path, works: Sequence[Work]) -> Case:
    """What breaks off one of the works, each as likely, by a kill or a full disk."""
    counts = _operation_counts(ground, works)

    def case(rng: random.Random, folder: Path) -> Outcome:
        work = rng.choice(works)
        arguments = work.lay_out(ground, folder)
        at = rng.randint(1, counts[work.name])
        if kind == "kill":
            return _killed(work, arguments, Stop("kill", at, rng.choice(_DELAYS)), folder)
        return _without_space(work, arguments, Stop("full disk", at), folder)

    return case


def _killed(work: Work, arguments: list[str], stop: Stop, folder: Path) -> Outcome:
    ended = run_watched(work.program, arguments, stop)
    work.require_usable(folder)
    work.completed(arguments)
    work.require_usable(folder)
    _require_tidy(folder, f"after the next {work.name}")
    return Outcome(f"{work.name} killed" if ended is None else f"{work.name} ended before its kill")


def _without_space(work: Work, arguments: list[str], stop: Stop, folder: Path) -> Outcome:
    ended = run_watched(work.program, arguments, stop)
    assert ended is not None, "nothing killed it"
    if ended.status != 0:
        lines = [line for line in ended.errors.splitlines() if line.startswith("error: ")]
        require_one_line("\n".join(lines))
    work.require_usable(folder)
    _require_tidy(folder, f"{work.name} left")
    work.completed(arguments)
    work.require_usable(folder)
    return Outcome(f"{work.name} refused" if ended.status != 0 else f"{work.name} had written all")


def _require_tidy(folder: Path, when: str) -> None:
    left = [path.relative_to(folder).as_posix() for pattern in _RESIDUE for path in folder.rglob(pattern)]
    if left:
        raise Broken(f"{when}: {', '.join(sorted(left)[:3])}")


def _operation_counts(ground: Path, works: Sequence[Work]) -> dict[str, int]:
    """How many file operations each work makes when nothing disturbs it; counted once."""
    path = ground / _COUNTS
    counts: dict[str, int] = json.loads(path.read_text("utf8")) if path.exists() else {}
    for work in works:
        if work.name not in counts:
            folder = ground / "counted" / work.name
            counts[work.name] = work.completed(work.lay_out(ground, folder)).operations
            write_text(path, json.dumps(counts))
    return counts


KILLS = Fault(
    "kills", "killed work leaves its last good state usable, and nothing else after the next run", functools.partial(_prepare, "kill")
)
FULL_DISKS = Fault(
    "full_disks", "a full disk is one line, the last good state stays usable, nothing is left", functools.partial(_prepare, "full disk")
)
