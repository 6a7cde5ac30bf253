"""Which format a file is, told by its content; its name is never looked at."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from textedit_core.checkpoints.importers import (
    components,
    e4e,
    generator_inside,
    global_direction,
    hairclip,
    ir_se50,
    iresnet,
    latents_file,
    mobile_stylegan,
    open_clip_file,
    styleclip_mapper,
    stylegan2_basicsr,
    stylegan2_nvidia,
    stylegan2_rosinality,
    stylegan3,
)
from textedit_core.checkpoints.importers.contract import Importer, Kind, Source, name_unreadable
from textedit_core.checkpoints.importers.known_refusals import known_refusal
from textedit_core.checkpoints.importers.numpy_file import NPY_START, is_npz, read_npy, read_npz
from textedit_core.checkpoints.importers.torch_file import LEGACY_START, read_legacy, read_pickle, read_zip
from textedit_core.errors import UserError

# The order matters for arrays alone, which may be latents, directions or one direction; all other formats exclude each other.
IMPORTERS: dict[str, Importer] = {
    importer.format: importer
    for importer in (
        stylegan2_rosinality.IMPORTER,
        stylegan2_basicsr.IMPORTER,
        stylegan2_nvidia.IMPORTER,
        mobile_stylegan.IMPORTER,
        stylegan3.IMPORTER,
        latents_file.IMPORTER,
        e4e.IMPORTER,
        ir_se50.IMPORTER,
        iresnet.IMPORTER,
        open_clip_file.IMPORTER,
        styleclip_mapper.IMPORTER,
        hairclip.IMPORTER,
        components.IMPORTER,
        global_direction.IMPORTER,
        generator_inside.IMPORTER,
    )
}


def open_source(path: Path) -> Source:
    """Reads a foreign file safely, whatever it is.

    Raises:
        UserError: the file is missing, damaged, cut short, of no known container, or its pickle asks for more than tensors.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(64)
    except OSError as error:
        raise UserError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    if start.startswith(b"PK\x03\x04"):
        return Source(path, "npz", read_npz(path)) if is_npz(path) else Source(path, *read_zip(path))
    if start.startswith(LEGACY_START):
        return Source(path, "torch", read_legacy(path))
    if start.startswith(NPY_START):
        return Source(path, "npy", read_npy(path))
    if start[8:9] == b"{":
        return Source(path, "safetensors", _read_safetensors(path))
    # A protobuf whose first field is a small number: ONNX's ir_version.
    if len(start) > 2 and start[0] == 0x08 and 0 < start[1] < 32 and start[2] in (0x12, 0x1A, 0x3A):
        return Source(path, "onnx", None)
    if _looks_like_pickle(start):
        return Source(path, "pickle", read_pickle(path))
    raise name_unreadable(path, "it is neither a torch file, a pickle, safetensors, .npy, .npz nor ONNX")


def _looks_like_pickle(start: bytes) -> bool:
    # Protocol 2 and later say so; older ones begin with the opcode of a global, a mark, a container or a string.
    return start[:1] in (b"\x80", b"c", b"(", b"}", b"]", b")", b"i", b"S", b"X", b"U", b"V")


def _read_safetensors(path: Path) -> dict[str, object]:
    try:
        return dict(load_file(str(path)))
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise name_unreadable(path, f"it is no whole safetensors file ({error})") from None


def detect(source: Source, kind: Kind | None = None) -> Importer:
    """The importer of what was read; `kind` is what the user takes the file for, None when it is not known.

    Raises:
        UserError: no format fits, or the file is of another kind.
    """
    fitting = [importer for importer in IMPORTERS.values() if importer.recognises(source)]
    if not fitting:
        known, refusal = ", ".join(sorted(IMPORTERS)), known_refusal(source)
        if refusal:
            raise UserError(f"{str(source.path)!r} cannot be imported: {refusal}")
        raise UserError(f"{str(source.path)!r} is of no known format ({outline(source)}); the formats are: {known}")
    matching = [importer for importer in fitting if kind in (None, importer.kind)]
    if not matching:
        raise UserError(
            f"{str(source.path)!r} is of kind {fitting[0].kind} ({fitting[0].format}), not {kind}; give it as --{fitting[0].kind}"
        )
    return matching[0]


def outline(source: Source) -> str:
    """What the file holds, in a few words."""
    if source.container == "onnx":
        return "an ONNX network, which evaluate --recogniser takes if it recognises faces"
    if isinstance(source.content, dict):
        keys = [str(key) for key in source.content]
        return f"a {source.container} file with {len(keys)} keys: {', '.join(keys[:3])}" if keys else f"an empty {source.container} file"
    return f"a {source.container} file that holds a {type(source.content).__name__}"
