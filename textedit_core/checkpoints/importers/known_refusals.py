"""Files that are known and cannot be imported, told by their content: why, in a few words, instead of "no known format"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from textedit_core.checkpoints.importers.contract import Source
from textedit_core.checkpoints.importers.safe_unpickle import Record

_TENSORFLOW = "dnnlib.tflib"
_MAX_DEPTH = 3


def known_refusal(source: Source) -> str:
    """Why a file that no importer takes is none for this project, "" where it is not known."""
    if any(record.origin.startswith(_TENSORFLOW) for record in _records(source.content, 0, set())):
        return (
            "it is a TensorFlow pickle of StyleGAN, whose network is built by code inside it; convert it with legacy.py of NVIDIA's "
            "stylegan2-ada-pytorch, or with rosinality's convert_weight.py, and import the result"
        )
    keys = [str(key) for key in _tensor_keys(source.content)]
    if any("final_conv" in key or key.startswith("from_rgb") for key in keys) or any(key.endswith("b4.out.weight") for key in keys):
        return "it is a discriminator, which training alone needs"
    if any(key.startswith(("synthesis.", "g_synthesis.")) and ".epi" in key for key in keys):
        return "it is a StyleGAN generator of the first generation; those of StyleGAN2 and 3 can be imported"
    return ""


def _records(value: Any, depth: int, seen: set[int]) -> Iterator[Record]:
    if isinstance(value, Record):
        yield value
    # A file may refer to one list any number of times.
    if depth < _MAX_DEPTH and isinstance(value, (tuple, list, dict)) and id(value) not in seen:
        seen.add(id(value))
        for item in value.values() if isinstance(value, dict) else value:
            yield from _records(item, depth + 1, seen)


def _tensor_keys(content: Any) -> Iterator[Any]:
    if isinstance(content, dict):
        yield from content
        for value in content.values():
            if isinstance(value, dict):
                yield from value
