"""Collections of w_plus: tensors and arrays, lists and dicts of them (e4e's and StyleCLIP's latents.pt), and projectors' results."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyReport, Source
from textedit_core.checkpoints.importers.numpy_file import as_tensor
from textedit_core.errors import UserError

FORMAT = "latents"
# A w_plus has at least this many numbers per level; smaller matrices are something else.
MIN_W_DIM = 16
# A generator of 8192 px would have 24 levels; longer matrices are lists of w.
MAX_LEVELS = 24
# What projectors and encoders call the latent beside their picture and noise.
_NAMES = ("latent", "latents", "w", "w_plus", "w_pivot", "projected_w", "codes")
# Of files that hold directions and what belongs to them.
_DIRECTIONS = ("comp", "lat_comp", "eigvec")
# Pictures' names, a projector's result of each, a list in it; and more latents than any collection has.
_MAX_DEPTH, _MOST = 3, 100_000
_CONTAINERS = ("torch", "pickle", "safetensors", "npy", "npz")


def _recognises(source: Source) -> bool:
    found = list(_latents(source).values()) if source.container in _CONTAINERS else []
    return bool(found) and all(_is_latent(item) for item in found) and len({_flat(item).shape[1:] for item in found}) == 1


def _is_latent(item: Any) -> bool:
    is_float = isinstance(item, Tensor) and item.is_floating_point()
    return is_float and 1 <= item.ndim <= 4 and item.numel() > 0 and item.shape[-1] >= MIN_W_DIM


def _flat(tensor: Tensor) -> Tensor:
    """[N,L,D] of [D], [L,D], [N,L,D] or [N,1,L,D]; a matrix of more rows than any generator has levels is a list of w, [N,1,D]."""
    if tensor.ndim == 1 or (tensor.ndim == 2 and len(tensor) > MAX_LEVELS):
        return tensor.reshape(-1, 1, tensor.shape[-1])
    return tensor.reshape(-1, *tensor.shape[-2:])


def _latents(source: Source) -> dict[str, Any]:
    """The tensors of a file that may be latents, by their places in it; what lies beside a latent of a known name is none."""
    content = source.content
    if isinstance(content, np.ndarray):
        # A vector by itself is a direction.
        return {"array": as_tensor(content)} if content.dtype.kind == "f" and content.ndim > 1 else {}
    if isinstance(content, Tensor):
        return {"tensor": content} if content.ndim > 1 else {}
    # Lists of one list may claim any number of latents.
    found = list(islice(_inside(content, "", _MAX_DEPTH), _MOST + 1))
    return dict(found) if len(found) <= _MOST else {}


def _inside(content: Any, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    """What may be latents, by name; at least one entry for each container, so that a limit on entries is one on the time."""
    named = _named_items(content) if depth else {}
    if not named:
        yield prefix, None
    for key, item in named.items():
        if isinstance(item, (list, tuple, dict)):
            yield from _inside(item, f"{prefix}{key}.", depth - 1)
        else:
            yield f"{prefix}{key}", item


def _named_items(content: Any) -> dict[str, Any]:
    """A container's items; of a file that names its latents those alone, and of a state dict or a file of directions none."""
    if isinstance(content, (list, tuple)):
        return {str(i): item for i, item in enumerate(content)}
    # A state dict has keys with dots in them; a collection is keyed by pictures or indices, and every tensor in it has levels.
    if not isinstance(content, dict) or any(str(key).endswith((".weight", ".bias")) or key in _DIRECTIONS for key in content):
        return {}
    of_name = [name for name in _NAMES if isinstance(content.get(name), (Tensor, list, tuple))]
    return {name: content[name] for name in of_name[:1]} or {str(key): item for key, item in content.items()}


def _read(source: Source, choice: str) -> Imported:
    named = _latents(source)
    claimed, there = sum(item.numel() * item.element_size() for item in named.values()), source.path.stat().st_size
    if source.container in ("torch", "pickle") and claimed > there:
        raise UserError(f"{str(source.path)!r} claims {claimed} bytes of latents, but has {there}; a latent needs numbers of its own")
    w_plus = torch.cat([_flat(item).detach().float() for item in named.values()])
    if not torch.isfinite(w_plus).all():
        row = int((~torch.isfinite(w_plus)).flatten(1).any(1).nonzero()[0])
        raise UserError(f"{str(source.path)!r}: latent {row} holds numbers that are not finite; leave it out")
    levels = "every level alike" if w_plus.shape[1] == 1 else f"{w_plus.shape[1]} levels"
    note = f"{len(w_plus)} latents of {levels} and {w_plus.shape[2]} numbers each"
    return Imported("latents", FORMAT, None, {"w_plus": w_plus.contiguous()}, KeyReport(tuple(named)), notes=(note,))


IMPORTER = Importer(FORMAT, "latents", _recognises, _read)
