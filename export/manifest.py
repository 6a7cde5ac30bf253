"""bundle.json: its typed form, its one canonical byte form, and the checks that come before any field is trusted."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from export.canonical_json import canonical_json, load_json
from export.graphs import GraphSpec, TensorSpec
from textedit_core.errors import UserError, unknown_name

# Version 2 knows the compositor; a bundle without one is of version 1, which has the edited face pasted.
SCHEMA_VERSION, PASTING_VERSION = 2, 1
MANIFEST_FILE = "bundle.json"
SIGNATURE_FILE = "bundle.json.sig"
SCHEMA_PATH = Path(__file__).with_name("bundle.schema.json")
# A manifest lists a few dozen files; anything above this is an attack, not a bundle.
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
# Fields of a part that are left out where they say nothing, so that readers from before they were there take the manifest.
_OPTIONAL = ("compute_units", "batch_sizes")


@dataclass(frozen=True)
class FileEntry:
    """One file of the bundle: POSIX path below its root, size in bytes, SHA-256 in lower-case hex."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class ParityEntry:
    """An artifact against the fp32 network: PSNR in dB (range of the reference over RMSE), its floor, worst absolute error."""

    psnr_db: float
    floor_db: float
    max_abs_error: float
    samples: int


@dataclass(frozen=True)
class PartEntry:
    """One lowered network: where it lies, what it takes and gives, its precision and what was measured of it.

    `parity` is None where nothing on the exporting machine could run the network. `operations` counts operations by name. `undelegated`
    counts those left to an interpreter, None where the device's runtime decides. `kept_float` names the modules that the sensitivity
    search left in float. `compute_units` are those that an app should let Core ML use, None for other runtimes. `batch_sizes` are how
    many inputs the network takes at once, None where that is one.
    """

    part: str
    file: str
    precision: str
    bytes: int
    input: TensorSpec
    output: TensorSpec
    parity: ParityEntry | None
    operations: dict[str, int]
    undelegated: dict[str, int] | None = None
    kept_float: tuple[str, ...] = ()
    compute_units: str | None = None
    batch_sizes: tuple[int, ...] | None = None


@dataclass(frozen=True)
class PromptEntry:
    """One prompt: its texts, its display name per locale, its strength range (unitless) and its editor's part name.

    `vector` is the path of the text that the part `text_editor` takes below w_plus; None for a prompt with an editor of its own.
    """

    id: str
    text: str
    neutral_text: str
    names: dict[str, str]
    strength_default: float
    strength_min: float
    strength_max: float
    part: str
    file: str
    vector: str | None = None


@dataclass(frozen=True)
class GoldenCase:
    """Self-test of one part: feed `input` (PNG or raw little-endian float32), expect `output` within `psnr_floor_db`."""

    part: str
    input: str
    output: str
    shape: tuple[int, ...]
    psnr_floor_db: float


@dataclass(frozen=True)
class RuntimeEntry:
    """What a device needs: runtime name, the version that the files were made for, the backend and the oldest system."""

    name: str
    version: str
    backend: str
    min_os: str


@dataclass(frozen=True)
class SignatureEntry:
    """The signer's public key (base64 of DER SubjectPublicKeyInfo); the signature itself lies in bundle.json.sig."""

    public_key: str
    algorithm: str = "ECDSA-P256-SHA256"


@dataclass(frozen=True)
class Manifest:
    """The whole of bundle.json; see bundle.schema.json for the meaning of each field in its serialised form."""

    name: str
    target: str
    runtime: RuntimeEntry
    pixels: dict[str, Any]
    alignment: dict[str, Any]
    parts: tuple[PartEntry, ...]
    prompts: tuple[PromptEntry, ...]
    golden: tuple[GoldenCase, ...]
    provenance: dict[str, Any]
    files: tuple[FileEntry, ...] = ()
    signature: SignatureEntry | None = None
    schema_version: int = PASTING_VERSION

    def part(self, name: str) -> PartEntry:
        """Returns the entry of one part.

        Raises:
            UserError: the bundle has no such part.
        """
        for entry in self.parts:
            if entry.part == name:
                return entry
        raise UserError(f"bundle has no part {name!r}; it has: {', '.join(sorted(p.part for p in self.parts))}")

    def prompt(self, name: str) -> PromptEntry:
        """Returns the entry of one prompt.

        Raises:
            UsageError: the bundle has no such prompt.
        """
        for entry in self.prompts:
            if entry.id == name:
                return entry
        raise unknown_name("prompt", name, [entry.id for entry in self.prompts], "this bundle has")

    def spec(self, name: str) -> GraphSpec:
        """The graph input and output of one part."""
        entry = self.part(name)
        return GraphSpec(entry.part, entry.input, entry.output)


def serialise(manifest: Manifest) -> bytes:
    """Canonical bytes: sorted keys, two-space indent, UTF-8, one final newline, and a digest over all of it.

    `manifest_sha256` is the SHA-256 of these very bytes with the 64 hex digits of that field taken out, so that a reader in any
    language checks it without re-serialising.
    """
    values = _plain(manifest)
    values["manifest_sha256"] = ""
    values["manifest_sha256"] = hashlib.sha256(canonical_json(values)).hexdigest()
    return canonical_json(values)


def parse(raw: bytes, source: str) -> Manifest:
    """Checks and reads bundle.json.

    Args:
        raw: the file's bytes.
        source: the name used in errors.

    Raises:
        UserError: too long, not JSON, of a newer schema, not matching its own digest or the schema, or listing unsafe paths.
    """
    if len(raw) > MAX_MANIFEST_BYTES:
        raise UserError(f"{source} has {len(raw)} bytes; a manifest has at most {MAX_MANIFEST_BYTES}")
    values = load_json(raw, source)
    _check_version(values, source)
    digest = str(values.get("manifest_sha256", ""))
    if canonical_json(values) != raw or hashlib.sha256(canonical_json({**values, "manifest_sha256": ""})).hexdigest() != digest:
        raise UserError(f"{source} does not match its own manifest_sha256; the file is damaged or was edited")
    _check_schema(values, source)
    _check_paths(values, source)
    return _manifest_from(values)


def _plain(manifest: Manifest) -> dict[str, Any]:
    values = json.loads(json.dumps(dataclasses.asdict(manifest)))
    for part in values["parts"]:
        for name in _OPTIONAL:
            if part[name] is None:
                del part[name]
    return values


def _check_version(values: dict[str, Any], source: str) -> None:
    version = values.get("schema_version")
    if isinstance(version, bool) or not isinstance(version, int):
        raise UserError(f"{source} has no integer schema_version")
    if version not in (PASTING_VERSION, SCHEMA_VERSION):
        advice = "update this tool" if version > SCHEMA_VERSION else "export the bundle again"
        raise UserError(f"{source} has schema_version {version}; this tool reads {PASTING_VERSION} and {SCHEMA_VERSION}: {advice}")


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    return json.loads(SCHEMA_PATH.read_text("utf-8"))


def _check_schema(values: dict[str, Any], source: str) -> None:
    import jsonschema

    errors = sorted(jsonschema.Draft202012Validator(_schema()).iter_errors(values), key=lambda e: list(map(str, e.path)))
    if errors:
        where = "/".join(str(step) for step in errors[0].path) or "top level"
        raise UserError(f"{source} breaks the bundle schema at {where}: {errors[0].message[:200]}")


def _check_paths(values: dict[str, Any], source: str) -> None:
    paths = [entry["path"] for entry in values["files"]]
    for path in paths:
        if not is_safe_path(path):
            raise UserError(f"{source} lists the unsafe path {path!r}; paths are relative and stay inside the bundle")
    if len({path.casefold() for path in paths}) != len(paths):
        raise UserError(f"{source} lists a file twice (phones and Macs ignore upper and lower case)")


def is_safe_path(path: str) -> bool:
    """True for a relative POSIX path in normal form that stays below its root and means the same on every system."""
    parts = path.split("/")
    plain = not any(char in path for char in '\\:*?"<>|') and all(ord(char) >= 32 for char in path)
    return bool(path) and plain and all(part not in ("", ".", "..") for part in parts) and str(PurePosixPath(path)) == path


def _manifest_from(values: dict[str, Any]) -> Manifest:
    signature = values["signature"]
    return Manifest(
        name=values["name"],
        target=values["target"],
        runtime=RuntimeEntry(**values["runtime"]),
        pixels=values["pixels"],
        alignment=values["alignment"],
        parts=tuple(_part_from(entry) for entry in values["parts"]),
        prompts=tuple(PromptEntry(**entry) for entry in values["prompts"]),
        golden=tuple(GoldenCase(**{**case, "shape": tuple(case["shape"])}) for case in values["golden"]),
        provenance=values["provenance"],
        files=tuple(FileEntry(**entry) for entry in values["files"]),
        signature=None if signature is None else SignatureEntry(**signature),
        schema_version=values["schema_version"],
    )


def _part_from(values: dict[str, Any]) -> PartEntry:
    typed = {
        "input": _tensor_from(values["input"]),
        "output": _tensor_from(values["output"]),
        "parity": None if values["parity"] is None else ParityEntry(**values["parity"]),
        "kept_float": tuple(values["kept_float"]),
        "batch_sizes": tuple(values["batch_sizes"]) if "batch_sizes" in values else None,
    }
    return PartEntry(**{**values, **typed})


def _tensor_from(values: dict[str, Any]) -> TensorSpec:
    return TensorSpec(**{**values, "shape": tuple(values["shape"])})
