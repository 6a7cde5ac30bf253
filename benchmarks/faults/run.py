"""Tries the cases of every fault, goes on where a run was broken off, and sums up how they ended."""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

from benchmarks.faults import bundles, checkpoints, edit_loop, editors, interruptions, photos
from benchmarks.faults.case import Case, Fault, numbers_of
from benchmarks.faults.journal import FAILED, Entry, Journal
from benchmarks.request import FaultsRequest
from benchmarks.results import Document, Recorder
from textedit_core.errors import UsageError

FAULTS = (bundles.FAULT, checkpoints.FAULT, interruptions.KILLS, interruptions.FULL_DISKS, photos.FAULT, editors.FAULT)
_EDITS = "memory after the edits less that after their first fifth"


def measure(request: FaultsRequest) -> Document:
    """Does the damage and notes how the product took it; what fails is also told on stderr at once.

    Returns:
        A result document: for each fault its cases and how they ended, the memory of imports, and the growth of memory over many edits;
        goals are no failure at all, and the bounds of memory.

    Raises:
        UsageError: a count is negative, or all are 0.
        UserError: the work folder cannot be written or its journal is damaged, or what is to be damaged cannot be made.
    """
    counts = {fault.name: int(getattr(request, fault.name)) for fault in FAULTS}
    _require_counts({**counts, "edits": request.edits})
    settings = {**counts, "edits": request.edits, "seed": request.seed}
    recorder = Recorder("faults", {"model": "tiny", "random_weights": True}, settings, ("torch", "onnxruntime", "pillow"))
    journal, ground = Journal(request.work, request.seed), request.work / "ground"
    for fault in FAULTS:
        if counts[fault.name]:
            try_cases(fault, counts[fault.name], request.seed, journal, ground)
            _record(recorder, fault, journal.of(fault.name, counts[fault.name]))
    if request.edits:
        _record_edits(recorder, edit_loop.memory_of_edits(ground, request.edits))
    if request.write_bundles is not None:
        bundles.write_mutants(ground, request.seed, counts[bundles.NAME], request.write_bundles)
    return recorder.finish()


def _require_counts(counts: dict[str, int]) -> None:
    for name, value in counts.items():
        if value < 0:
            raise UsageError(f"--{name.replace('_', '-')} {value} is negative; give a count, or 0 to leave it out")
    if not any(counts.values()):
        raise UsageError("all counts are 0: there is nothing to try")


def try_cases(fault: Fault, count: int, seed: int, journal: Journal, ground: Path) -> None:
    """Tries those of the first `count` cases that the journal lacks, and enters them in it."""
    open_numbers = [number for number in range(count) if not journal.has(fault.name, number)]
    if not open_numbers:
        return
    case = fault.prepare(ground)
    for number in open_numbers:
        entry = _tried(fault, case, seed, number)
        journal.add(entry)
        if entry.word == FAILED:
            print(f"{fault.name} {number}: {entry.reason}", file=sys.stderr, flush=True)


def _tried(fault: Fault, case: Case, seed: int, number: int) -> Entry:
    with tempfile.TemporaryDirectory(prefix="textedit-faults-") as folder:
        try:
            outcome = case(numbers_of(seed, fault.name, number), Path(folder))
        except Exception as error:
            # Whatever comes out here is what the product must not do: a crash, or a rule that was broken.
            last = traceback.extract_tb(error.__traceback__)[-1]
            return Entry(fault.name, number, FAILED, f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})")
    return Entry(fault.name, number, outcome.word, "", outcome.sizes)


def _record(recorder: Recorder, fault: Fault, entries: list[Entry]) -> None:
    words = Counter(entry.word for entry in entries)
    failures = f"{fault.name}: failures"
    recorder.measure(f"{fault.name}: cases", fault.text, "count", [len(entries)])
    for word in sorted(set(words) - {FAILED}):
        recorder.measure(f"{fault.name}: {word}", fault.text, "count", [words[word]])
    recorder.measure(failures, fault.text, "count", [words[FAILED]])
    recorder.conclude(failures, fault.text, "count", [words[FAILED]], (failures,), at_most=0)
    for name, most in fault.most.items():
        sizes = [entry.sizes[name] for entry in entries if name in entry.sizes]
        if sizes:
            identifier = f"{fault.name}: most {name}"
            recorder.measure(identifier, "memory", "bytes", [max(sizes)], cases=len(sizes))
            recorder.conclude(identifier, f"{name}, the most of all cases", "bytes", [max(sizes)], (identifier,), at_most=most)


def _record_edits(recorder: Recorder, memory: dict[str, int]) -> None:
    for when, size in memory.items():
        recorder.measure(f"edits: {when}", "memory of a process that edits", "bytes", [size])
    growth = max(0, memory["after"] - memory["before"])
    sources = ("edits: before", "edits: after")
    recorder.conclude("edits: growth", _EDITS, "bytes", [growth], sources, at_most=edit_loop.MOST_GROWTH_BYTES)
