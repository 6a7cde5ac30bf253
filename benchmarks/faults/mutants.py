"""Bundle folders that no reader may take: a whole one, with one thing wrong that follows from random numbers."""

from __future__ import annotations

import copy
import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export.bundle_files import MAX_FILES, MAX_TOTAL_BYTES, walk_files
from export.manifest import MANIFEST_FILE, MAX_MANIFEST_BYTES, SCHEMA_VERSION

Files = dict[str, bytes]
_HOSTILE_PATHS = ("../{0}", "a/../../{0}", "/{0}", "./{0}", "a//{0}", "{0}/", "..", "C:\\{0}", "a\\{0}", "{0}\0", "CON:{0}", "{0}/.", "")
_OTHER_VERSIONS = (0, -1, SCHEMA_VERSION + 1, 2**31, 2**70, True, None, "1", 1.5, [1])
# Values that no place in the manifest takes. Its provenance is free, and so it is left out.
_ALIEN: tuple[Any, ...] = ([[]], {"alien": [[]]})
_FREE = ("provenance", "manifest_sha256", "schema_version")
_DEEP = 100_000


@dataclass(frozen=True)
class Mutant:
    """A bundle with one thing wrong: what, its files, and its links by where they point."""

    name: str
    files: Files
    links: dict[str, str] = field(default_factory=dict)

    def write(self, root: Path) -> Path:
        """Makes the folder and returns it."""
        for path, raw in self.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(raw)
        for path, target in self.links.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(target)
        return root


def files_of(root: Path) -> Files:
    """The files of a bundle folder by path."""
    return {path: (root / path).read_bytes() for path in walk_files(root)}


def mutated(files: Files, rng: random.Random) -> Mutant:
    """A bundle with one thing wrong, each kind as likely."""
    kind = rng.choice(sorted(MUTATIONS))
    made = MUTATIONS[kind](files, rng)
    return made if isinstance(made, Mutant) else Mutant(kind, made)


def _some(files: Files, rng: random.Random) -> str:
    return rng.choice(sorted(path for path, raw in files.items() if raw))


def _flips(files: Files, rng: random.Random) -> Files:
    path = _some(files, rng)
    raw = bytearray(files[path])
    # Of different bytes, so that none takes back another.
    for position in rng.sample(range(len(raw)), min(len(raw), rng.choice((1, 1, 2, 16)))):
        raw[position] ^= 1 << rng.randrange(8)
    return {**files, path: bytes(raw)}


def _cut(files: Files, rng: random.Random) -> Files:
    path = _some(files, rng)
    return {**files, path: files[path][: rng.randrange(len(files[path]))]}


def _grown(files: Files, rng: random.Random) -> Files:
    path = _some(files, rng)
    return {**files, path: files[path] + rng.randbytes(rng.randint(1, 64))}


def _missing(files: Files, rng: random.Random) -> Files:
    gone = _some(files, rng)
    return {path: raw for path, raw in files.items() if path != gone}


def _stray(files: Files, rng: random.Random) -> Files:
    name = rng.choice((".DS_Store", "models/extra.bin", "bundle.json.bak", "golden/._x", "é.txt"))
    return {**files, name: rng.randbytes(rng.randrange(64))}


def _swapped(files: Files, rng: random.Random) -> Files:
    first = _some(files, rng)
    second = rng.choice(sorted(path for path, raw in files.items() if raw != files[first]))
    return {**files, first: files[second], second: files[first]}


def _linked(files: Files, rng: random.Random) -> Mutant:
    path = _some(files, rng)
    rest = {other: raw for other, raw in files.items() if other != path}
    up = "../" * path.count("/")
    # Among the targets is a file with the very bytes: a link is refused for being one.
    target = rng.choice((f"{up}twin", f"{up}{_some(rest, rng)}", "/dev/zero", "/etc/hostname", "nowhere", "."))
    return Mutant("a link", {**rest, "twin": files[path]} if target.endswith("twin") else rest, {path: target})


def _linked_folder(files: Files, rng: random.Random) -> Mutant:
    folder = rng.choice(sorted({path.split("/")[0] for path in files if "/" in path}))
    moved = {path.replace(folder, "elsewhere", 1) if path.startswith(f"{folder}/") else path: raw for path, raw in files.items()}
    return Mutant("a linked folder", moved, {folder: "elsewhere"})


def _sealed(files: Files, change: Callable[[dict[str, Any]], None]) -> Files:
    """With a manifest that is changed by someone who knows how to make its digest fit again."""
    values = json.loads(files[MANIFEST_FILE])
    change(values)
    values["manifest_sha256"] = ""
    values["manifest_sha256"] = hashlib.sha256(_canonical(values)).hexdigest()
    return {**files, MANIFEST_FILE: _canonical(values)}


def _canonical(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()


def _hostile_path(files: Files, rng: random.Random) -> Files:
    def change(values: dict[str, Any]) -> None:
        entry = rng.choice(values["files"])
        entry["path"] = rng.choice(_HOSTILE_PATHS).format(entry["path"])

    return _sealed(files, change)


def _bomb(files: Files, rng: random.Random) -> Files:
    def change(values: dict[str, Any]) -> None:
        entry = rng.choice(values["files"])
        if rng.random() < 0.5:
            entry["bytes"] = rng.choice((MAX_TOTAL_BYTES + 1, 2**40, 2**63, 10**300))
        else:
            values["files"] = [{**entry, "path": f"models/{number}"} for number in range(MAX_FILES + 1)]

    return _sealed(files, change)


def _other_version(files: Files, rng: random.Random) -> Files:
    return _sealed(files, lambda values: values.update(schema_version=rng.choice(_OTHER_VERSIONS)))


def _listed_twice(files: Files, rng: random.Random) -> Files:
    def change(values: dict[str, Any]) -> None:
        entry = copy.deepcopy(rng.choice(values["files"]))
        entry["path"] = rng.choice((entry["path"], entry["path"].swapcase()))
        values["files"].append(entry)

    return _sealed(files, change)


def _places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all values inside a manifest."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [] if not way else [way]
    for key, each in inner:
        if key not in _FREE:
            found += _places(each, (*way, key))
    return found


def _alien(files: Files, rng: random.Random) -> Files:
    def change(values: dict[str, Any]) -> None:
        *way, last = rng.choice(_places(values))
        holder = values
        for step in way:
            holder = holder[step]
        holder[last] = rng.choice(_ALIEN)

    return _sealed(files, change)


def _stranger_key(files: Files, rng: random.Random) -> Files:
    def change(values: dict[str, Any]) -> None:
        holder = rng.choice([values, rng.choice(values["files"]), rng.choice(values["parts"]), values["pixels"], values["alignment"]])
        holder[f"x{rng.randrange(1000)}"] = rng.choice((0, "x", None, []))

    return _sealed(files, change)


def _key_gone(files: Files, rng: random.Random) -> Files:
    def change(values: dict[str, Any]) -> None:
        holder = rng.choice([values, rng.choice(values["files"]), values["runtime"], values["pixels"]])
        del holder[rng.choice(sorted(set(holder) - {"manifest_sha256"}))]

    return _sealed(files, change)


def _key_twice(files: Files, rng: random.Random) -> Files:
    text = files[MANIFEST_FILE].decode()
    keys = [line for line in text.splitlines() if line.startswith('  "')]
    line = rng.choice(keys).split(":")[0]
    # Before all others, or as the last: parsers differ in which of two they take.
    repeated = f"{line}: 1,\n"
    at = text.index("{\n") + 2
    return {**files, MANIFEST_FILE: (text[:at] + repeated + text[at:]).encode()}


def _no_json(files: Files, rng: random.Random) -> Files:
    raw = files[MANIFEST_FILE]
    kinds: dict[str, Callable[[], bytes]] = {
        "nothing": lambda: b"",
        "a list": lambda: b"[]\n",
        "nested": lambda: b"[" * _DEEP + b"]" * _DEEP,
        "nested deeper than it can be written": lambda: b'{"schema_version": 1, "a": ' + b"[" * 900 + b"]" * 900 + b"}",
        "beyond all numbers": lambda: raw.replace(b'"bytes": ', b'"bytes": 1e999, "b": ', 1),
        "nested objects": lambda: b'{"a":' * _DEEP + b"1" + b"}" * _DEEP,
        "not a number": lambda: raw.replace(b'"bytes": ', b'"bytes": NaN, "b": ', 1),
        "long number": lambda: raw.replace(b'"bytes": ', b'"bytes": ' + b"9" * 5000, 1),
        "byte order mark": lambda: b"\xef\xbb\xbf" + raw,
        "UTF-16": lambda: raw.decode().encode("utf-16"),
        "no UTF-8": lambda: raw.replace(b'"name": "', b'"name": "\xff\xfe', 1),
        "half a surrogate": lambda: raw.replace(b'"name": "', b'"name": "\\ud800', 1),
        "white space": lambda: raw + b" \n",
        "too long": lambda: raw + b" " * MAX_MANIFEST_BYTES,
        "random bytes": lambda: rng.randbytes(rng.randrange(4096)),
    }
    return {**files, MANIFEST_FILE: kinds[rng.choice(sorted(kinds))]()}


MUTATIONS: dict[str, Callable[[Files, random.Random], Files | Mutant]] = {
    "flipped bits": _flips,
    "a cut": _cut,
    "bytes at an end": _grown,
    "a missing file": _missing,
    "a stray file": _stray,
    "two files swapped": _swapped,
    "a link": _linked,
    "a linked folder": _linked_folder,
    "an unsafe path": _hostile_path,
    "a size bomb": _bomb,
    "another schema version": _other_version,
    "a file listed twice": _listed_twice,
    "an alien value": _alien,
    "an unknown key": _stranger_key,
    "a missing key": _key_gone,
    "a key twice": _key_twice,
    "a manifest that is no JSON": _no_json,
}
