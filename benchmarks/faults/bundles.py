"""Mutated bundles: each is refused in one line before a runtime reads it, or it is a zip whose every file is what it was."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from typing import Any

from benchmarks.faults import archives, mutants
from benchmarks.faults.case import Broken, Case, Fault, Outcome, numbers_of, require_one_line
from benchmarks.faults.ground import bundle_in
from benchmarks.faults.mutants import Files
from export.bundle import open_bundle
from textedit_core.errors import TexteditError, UserError
from textedit_core.hashing import sha256_of

NAME = "bundles"
# Of ten cases, as many come as zips.
_ZIPS = 3


def prepare(ground: Path) -> Case:
    """A small exported bundle to damage."""
    return cases_of(mutants.files_of(bundle_in(ground)))


def cases_of(files: Files) -> Case:
    """What damages a bundle of these files and has it read."""

    def case(rng: random.Random, folder: Path) -> Outcome:
        made = _made(files, rng)
        outcome = _read(made, made.write(folder / "mutant.textedit"), files)
        if {path.name for path in folder.iterdir()} != {"mutant.textedit"}:
            raise Broken(f"{made.name}: reading left something beside the bundle")
        return outcome

    return case


def _made(files: Files, rng: random.Random) -> mutants.Mutant | archives.Archive:
    return archives.damaged(files, rng) if rng.randrange(10) < _ZIPS else mutants.mutated(files, rng)


def _read(made: mutants.Mutant | archives.Archive, path: Path, files: Files) -> Outcome:
    try:
        with open_bundle(path) as opened:
            unharmed = isinstance(made, archives.Archive) and made.may_be_harmless and mutants.files_of(opened.root) == files
    except TexteditError as error:
        require_one_line(error)
        return Outcome("refused")
    if not unharmed:
        raise Broken(f"{made.name}: taken")
    return Outcome("harmless, every file as it was")


def write_mutants(ground: Path, seed: int, count: int, out: Path) -> int:
    """Writes those of the first `count` mutants that are folders, for readers in other languages.

    They come in the form of tests/contracts/bundles.json, one file per thousand: all are to be refused, with whatever words.

    Returns:
        How many.

    Raises:
        UserError: the folder cannot be written.
    """
    files = mutants.files_of(bundle_in(ground))
    made = [_made(files, numbers_of(seed, NAME, number)) for number in range(count)]
    folders = [each for each in made if isinstance(each, mutants.Mutant)]
    try:
        out.mkdir(parents=True, exist_ok=True)
        for start in range(0, len(folders), 1000):
            vectors = _vectors(folders[start : start + 1000])
            (out / f"bundles-{start:06d}.json").write_text(json.dumps(vectors), "utf8")
    except OSError as error:
        raise UserError(f"cannot write {str(out)!r}: {error.strerror or error}") from None
    return len(folders)


def _vectors(folders: list[mutants.Mutant]) -> dict[str, Any]:
    contents: dict[str, str] = {}
    cases = []
    for number, made in enumerate(folders):
        hashes = {path: sha256_of(raw)[:12] for path, raw in made.files.items()}
        contents |= {hashes[path]: _as_text(raw) for path, raw in made.files.items()}
        cases.append({"name": f"{number}: {made.name}", "files": hashes, "links": made.links, "public_key": None, "refused": ""})
    return {"contents": contents, "cases": cases}


def _as_text(raw: bytes) -> str:
    return "base64:" + base64.b64encode(raw).decode()


FAULT = Fault(NAME, "a mutated bundle is refused in one line before a runtime reads it", prepare)
