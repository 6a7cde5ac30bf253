"""The parts of an import as they gather: what comes along in a file, and what is brought to the generator that all work with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from torch import Tensor

from textedit_core.checkpoints.importers.contract import Imported
from textedit_core.checkpoints.importers.editor_fit import fit_editor
from textedit_core.checkpoints.store import LATENT_AVERAGE, Checkpoint
from textedit_core.config import DecoderConfig

Say = Callable[[str], None]


def add_companions(parts: dict[str, Imported], imported: Imported, base: Checkpoint | None, say: Say) -> None:
    """Adds what came in the same file, unless a file of its own brought it, its owner's place is taken, or the base has one."""
    for companion in imported.companions:
        if companion.kind in parts:
            continue
        if companion.kind == "decoder" and base is not None and "decoder.safetensors" in base.files:
            say(f"{imported.kind}: the decoder in its file is left out, since the base has one; to take it, name the file as --decoder too")
            continue
        parts[companion.kind] = companion
        add_companions(parts, companion, base, say)


def average_latent(parts: dict[str, Imported]) -> Tensor | None:
    """The decoder's own average latent, or the one that its encoder came with, float32 [D] or [L,D]."""
    found = [part.w_avg for kind in ("decoder", "encoder") if (part := parts.get(kind)) is not None and part.w_avg is not None]
    return found[0] if found else None


def known_average(parts: dict[str, Imported], base: Checkpoint | None) -> Tensor | None:
    """The average latent of the decoder that the checkpoint will have, as far as it is read yet."""
    if "decoder" in parts or base is None or f"{LATENT_AVERAGE}.safetensors" not in base.files:
        return average_latent(parts)
    return base.load_w_avg()


def fitted_parts(parts: dict[str, Imported], base: Checkpoint | None, say: Say) -> dict[str, Imported]:
    """The parts for the levels of the decoder, which is the base's unless there is one among them; `say` hears what was changed for that.

    Raises:
        UserError: an editor was made for other latents.
    """
    decoder = parts["decoder"].config if "decoder" in parts else base.config.decoder if base is not None else None
    if decoder is None:
        return parts
    fitted = {part: _fitted(part, imported, decoder) for part, imported in parts.items()}
    for part, imported in fitted.items():
        for note in imported.notes[len(parts[part].notes) :]:
            say(f"{part}: {note}")
    return fitted


def _fitted(part: str, imported: Imported, decoder: DecoderConfig) -> Imported:
    if imported.kind == "editor":
        return fit_editor(imported, decoder.num_ws, decoder.w_dim, part.removeprefix("editors/"))
    if imported.kind == "latents":
        return _latents(imported, decoder.num_ws)
    if imported.kind == "encoder" and imported.open_levels:
        return _encoder(imported, decoder.num_ws)
    return imported


def _latents(imported: Imported, num_ws: int) -> Imported:
    w_plus = imported.tensors["w_plus"]
    if w_plus.shape[1] != 1:
        return imported
    note = f"they hold for every level alike, and are repeated for the generator's {num_ws}"
    return dataclasses.replace(imported, tensors={"w_plus": w_plus.repeat(1, num_ws, 1)}, notes=(*imported.notes, note))


def _encoder(imported: Imported, num_ws: int) -> Imported:
    """An encoder that answers for all levels alike; its average is the same for each."""
    w_avg = imported.tensors["w_avg"][:1].expand(num_ws, -1).contiguous()
    config = dataclasses.replace(imported.config, num_ws=num_ws)
    return dataclasses.replace(imported, config=config, tensors={**imported.tensors, "w_avg": w_avg}, open_levels=False)
