"""Foreign files -> an ordinary checkpoint of this project: the parts are read, held against each other, and written as one."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from textedit_core.atomic import replacing_folder
from textedit_core.checkpoints.imported_config import fitted_editors, imported_config
from textedit_core.checkpoints.importers.contract import Imported, Importer, Kind, Source
from textedit_core.checkpoints.importers.detect import IMPORTERS, detect, open_source, outline
from textedit_core.checkpoints.importers.import_report import as_json, describe
from textedit_core.checkpoints.importers.open_clip_file import download_weights
from textedit_core.checkpoints.sample_faces import copy_faces
from textedit_core.checkpoints.store import (
    LATENT_AVERAGE,
    LATENTS,
    Checkpoint,
    file_entry,
    open_checkpoint,
    save_weights,
    write_index,
)
from textedit_core.config import Prompt
from textedit_core.errors import UsageError, UserError
from textedit_core.file_lock import sole_writer
from textedit_core.names import require_model_name, require_prompt_id

REPORT_NAME = "import_report.json"
# The keys of Imported.kind that have one file each; editors have one per prompt.
_PART_FILES: dict[Kind, str] = {
    "decoder": "decoder",
    "mapping": "mapping",
    "encoder": "encoder",
    "identity": "identity",
    "clip": "clip",
    "latents": LATENTS,
}


@dataclass(frozen=True)
class ImportRequest:
    """What to import into the folder `out`, which must not exist.

    `clip` and `editors` come with a name: the text-image model's, the prompt's id. With `download` the second part of `clip` is no file
    but the tag of weights that open_clip publishes, which are fetched; nothing else uses the network. `base` is a checkpoint whose other
    parts are taken over. `faces` is a folder of aligned faces (.jpg, .png) that an export calibrates with; None takes those of the base,
    or else of the reference model.
    """

    out: Path
    decoder: Path | None = None
    encoder: Path | None = None
    identity: Path | None = None
    clip: tuple[str, Path] | None = None
    editors: dict[str, Path] = field(default_factory=dict)
    latents: Path | None = None
    base: Path | None = None
    faces: Path | None = None
    name: str = "imported"
    download: bool = False

    def files(self) -> list[tuple[str, Kind, str, Path]]:
        """(part, kind, name, file) of each file, in the order in which they are read; an editor's part is "editors/ID"."""
        single: list[tuple[Kind, Path | None]] = [("decoder", self.decoder), ("encoder", self.encoder), ("identity", self.identity)]
        found: list[tuple[str, Kind, str, Path]] = [(kind, kind, "", path) for kind, path in single if path is not None]
        if self.clip is not None:
            found.append(("clip", "clip", *self.clip))
        found += [(f"editors/{prompt_id}", "editor", prompt_id, path) for prompt_id, path in self.editors.items()]
        if self.latents is not None:
            found.append(("latents", "latents", "", self.latents))
        return found


def import_checkpoint(request: ImportRequest, say: Callable[[str], None] = lambda _: None) -> Checkpoint:
    """Reads all files, checks that they fit together and writes the checkpoint; nothing is left behind when something fails.

    `say` gets a description of each imported network. The full account of keys lies in the folder as import_report.json.

    Raises:
        UsageError: nothing to import, no decoder, or no such text-image model or weights.
        UserError: `out` exists, a download fails, or a file is damaged, unsafe, of another kind, or does not fit the others.
    """
    _check(request)
    with sole_writer(request.out):
        _require_free(request.out)
        return _imported(request, say)


def _imported(request: ImportRequest, say: Callable[[str], None]) -> Checkpoint:
    base = open_checkpoint(request.base) if request.base is not None else None
    parts: dict[str, Imported] = {}
    sources: dict[str, dict[str, Any]] = {}
    for part, kind, name, path in _fetched(request).files():
        imported = import_file(path, kind, name)
        say(describe(imported))
        parts[part] = imported
        _add_companions(parts, imported)
        sources[part] = {"file": path.name, **file_entry(path), "format": imported.format, **({"name": name} if name else {})}
    return _written(request, base, parts, sources)


def _fetched(request: ImportRequest) -> ImportRequest:
    """The request with a file in the place of weights that are to be downloaded."""
    if request.clip is None:
        return request
    name, file = request.clip
    if request.download:
        tag, model = str(file), name.replace("/", "-")
        return dataclasses.replace(request, clip=(f"{model}={tag}", download_weights(model, tag)), download=False)
    if not file.is_file():
        raise UserError(
            f"there is no file {str(file)!r} with weights of {name}; give one that you have (--clip {name}=FILE), or let open_clip fetch "
            f"published ones by their tag (--clip {name}=TAG --download)"
        )
    return request


def _add_companions(parts: dict[str, Imported], imported: Imported) -> None:
    """What came in the same file, unless a file of its own brought it, or its owner's place is taken."""
    for companion in imported.companions:
        if companion.kind not in parts:
            parts[companion.kind] = companion
            _add_companions(parts, companion)


def import_file(path: Path, kind: Kind | None = None, name: str = "") -> Imported:
    """Reads one foreign file.

    Raises:
        UserError: it is damaged, unsafe, of no known format or not of this kind.
    """
    source = open_source(path)
    return detect(source, kind).read(source, name)


def inspect_file(path: Path) -> str:
    """Several lines about what a file is, and what an import would make of it.

    Raises:
        UserError: it cannot be read, is unsafe, or is of a known format but damaged.
    """
    source = open_source(path)
    fitting = [importer for importer in IMPORTERS.values() if importer.recognises(source)]
    if not fitting:
        return f"{path.name}: {outline(source)}; of no known format"
    return "\n".join([f"{path.name}: {outline(source)}", *(_looked_at(importer, source, len(fitting)) for importer in fitting)])


def _looked_at(importer: Importer, source: Source, fitting: int) -> str:
    try:
        return describe(importer.read(source, ""))
    except UserError as error:
        # A text-image model needs a name beside its file, and an array may be latents where it is no direction.
        if fitting == 1 and importer.kind != "clip":
            raise
        return f"as {importer.kind} ({importer.format}): {error}"


def _check(request: ImportRequest) -> None:
    if not request.files():
        raise UsageError("nothing to import: give --decoder, --encoder, --identity, --clip, --editor or --latents")
    if request.download and request.clip is None:
        raise UsageError("--download fetches a text-image model; name it: --clip ViT-B-32=laion2b_s34b_b79k --download")
    _require_free(request.out)
    require_model_name(request.name)
    for prompt_id in request.editors:
        require_prompt_id(prompt_id)


def _require_free(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{str(out)!r} exists already; choose another --out")


def _written(request: ImportRequest, base: Checkpoint | None, parts: dict[str, Imported], sources: dict[str, Any]) -> Checkpoint:
    config = imported_config(request.name, base, parts)
    parts = fitted_editors(parts, config)
    with replacing_folder(request.out) as scratch:
        if base is not None:
            _copy_parts(base, scratch, replaced=set(parts))
        for part, imported in parts.items():
            save_weights(imported.tensors, scratch / f"{_PART_FILES.get(imported.kind, part)}.safetensors", torch.float32)
        w_avg = _average_latent(parts)
        if w_avg is not None:
            save_weights({"w_avg": w_avg}, scratch / f"{LATENT_AVERAGE}.safetensors", torch.float32)
        copy_faces(request.faces, base, scratch)
        report = {part: as_json(imported) for part, imported in parts.items()}
        (scratch / REPORT_NAME).write_text(json.dumps(report, indent=1) + "\n", "utf8")
        provenance = {**(base.provenance if base is not None else {}), "imported": sources}
        _try_out(write_index(scratch, config, _prompts(base, parts), provenance), parts)
    return open_checkpoint(request.out)


def _copy_parts(base: Checkpoint, scratch: Path, replaced: set[str]) -> None:
    # A mapping network and an average latent belong to the decoder that they came with.
    stale = {"mapping", LATENT_AVERAGE} if "decoder" in replaced else set()
    for name in base.files:
        if name.removesuffix(".safetensors") in replaced | stale or name.startswith("faces/"):
            continue
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(base.verified(name), scratch / name)


def _average_latent(parts: dict[str, Imported]) -> Tensor | None:
    """The decoder's own average latent, or the one that its encoder came with."""
    found = [part.w_avg for kind in ("decoder", "encoder") if (part := parts.get(kind)) is not None and part.w_avg is not None]
    return found[0] if found else None


def _prompts(base: Checkpoint | None, parts: dict[str, Imported]) -> list[Prompt]:
    prompts = dict(base.prompts) if base is not None else {}
    for part, imported in parts.items():
        if imported.kind == "editor":
            prompt_id = part.removeprefix("editors/")
            known = prompts.get(prompt_id, Prompt(prompt_id, imported.text or prompt_id.replace("_", " ")))
            groups = tuple(name for name in ("coarse", "medium", "fine") if getattr(imported.config, name))
            fresh: dict[str, Any] = {"groups": groups, "calibration": 1.0, "reached": None, "conditioned": False}
            prompts[prompt_id] = dataclasses.replace(known, editor=imported.config, **fresh)
    return list(prompts.values())


def _try_out(checkpoint: Checkpoint, parts: dict[str, Imported]) -> None:
    """Builds every network from what was written, strictly."""
    loaders: dict[str, Callable[[], object]] = {
        "decoder": checkpoint.load_decoder,
        "mapping": checkpoint.load_mapping,
        "encoder": checkpoint.load_encoder,
        "identity": checkpoint.load_identity,
        "clip": checkpoint.load_clip,
        "latents": checkpoint.load_latents,
    }
    for part, imported in parts.items():
        if imported.kind == "editor":
            checkpoint.load_editor(part.removeprefix("editors/"))
        else:
            loaders[imported.kind]()
