"""Collections of w_plus: a .pt with one tensor, a list or a dict of them (e4e's and StyleCLIP's latents.pt), or a .npy array."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyReport, Source
from textedit_core.errors import UserError

FORMAT = "latents"
# A w_plus has at least this many numbers per level; smaller matrices are something else.
MIN_W_DIM = 16


def _recognises(source: Source) -> bool:
    if source.container == "npy":
        return source.content.ndim in (2, 3) and source.content.shape[-1] >= MIN_W_DIM and source.content.dtype.kind == "f"
    if source.container not in ("torch", "pickle", "safetensors"):
        return False
    found = list(_named_tensors(source.content).values())
    return bool(found) and all(isinstance(item, Tensor) and _is_latent(item) for item in found) and _one_shape(found)


def _one_shape(tensors: list[Any]) -> bool:
    return len({tuple(item.shape[-2:]) for item in tensors}) == 1


def _is_latent(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.ndim in (2, 3) and tensor.shape[-1] >= MIN_W_DIM


def _named_tensors(content: Any) -> dict[str, Any]:
    if isinstance(content, Tensor):
        return {"tensor": content}
    if isinstance(content, (list, tuple)):
        return {str(i): item for i, item in enumerate(content)}
    # A state dict has keys with dots in them; a collection is keyed by pictures or indices, and every tensor in it has levels.
    if isinstance(content, dict) and not any(str(key).endswith((".weight", ".bias")) for key in content):
        return {str(key): item for key, item in content.items()}
    return {}


def _read(source: Source, name: str) -> Imported:
    named = _named_tensors(source.content)
    if source.container == "npy":
        named = {"array": torch.from_numpy(np.ascontiguousarray(source.content, np.float32))}
    # [L,D] is one latent; a picture's latent may also come as [1,L,D].
    w_plus = torch.cat([item.detach().float().reshape(-1, *item.shape[-2:]) for item in named.values()])
    if not torch.isfinite(w_plus).all():
        row = int((~torch.isfinite(w_plus)).flatten(1).any(1).nonzero()[0])
        raise UserError(f"{str(source.path)!r}: latent {row} holds numbers that are not finite; leave it out")
    note = f"{len(w_plus)} latents of {w_plus.shape[1]} levels and {w_plus.shape[2]} numbers each"
    return Imported("latents", FORMAT, None, {"w_plus": w_plus.contiguous()}, KeyReport(tuple(named)), notes=(note,))


IMPORTER = Importer(FORMAT, "latents", _recognises, _read)
