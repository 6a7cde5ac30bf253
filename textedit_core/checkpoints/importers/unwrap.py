"""Where a network lies inside a file: under which key of which wrapper, behind which prefix, and what lies beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

# What trainers put before every key: data parallel, compiled, and modules that hold the network as an attribute.
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "generator.", "g_ema.", "netG.", "backbone.")
# A file wraps its network at most this often.
MAX_DEPTH = 4
_BESIDE = {
    "d": "the discriminator",
    "discriminator": "the discriminator",
    "args": "the training's settings",
    "opts": "the training's settings",
    "ada_aug_p": "the training's augmentation",
}


@dataclass(frozen=True)
class Found:
    """A network inside a file: its state dict by its own names, what precedes them in the file, and reasons to leave out the rest.

    `loose` are tensors that lie beside the network, by their names without what precedes them.
    """

    tensors: dict[str, Any]
    prefix: str
    beside: dict[str, str] = field(default_factory=dict)
    loose: dict[str, Tensor] = field(default_factory=dict)


def find_network(content: Any, wrappers: tuple[str, ...], is_network: Callable[[Mapping[str, Any]], bool]) -> Found | None:
    """The network that lies in `content` itself or under one of `wrappers`, the first of them first; None where there is none.

    Args:
        content: what a file holds.
        wrappers: the keys under which this kind of network is stored.
        is_network: whether a mapping has the network's keys by its own names.
    """
    return _search(content, "", wrappers, is_network, MAX_DEPTH)


def _search(content: Any, prefix: str, wrappers: tuple[str, ...], is_network: Callable[..., bool], depth: int) -> Found | None:
    if not isinstance(content, dict) or depth == 0:
        return None
    named = {str(key): value for key, value in content.items()}
    plain, stripped = _without_prefixes(named)
    if is_network(plain):
        return _separated(plain, prefix, stripped)
    for wrapper in wrappers:
        found = _search(named.get(wrapper), f"{prefix}{wrapper}.", wrappers, is_network, depth - 1)
        if found is not None:
            others = {f"{prefix}{key}": reason_beside(key, value) for key, value in named.items() if key != wrapper}
            loose = {key: value for key, value in named.items() if isinstance(value, Tensor)}
            return Found(found.tensors, found.prefix, {**found.beside, **others}, {**loose, **found.loose})
    return None


def _without_prefixes(named: dict[str, Any]) -> tuple[dict[str, Any], str]:
    stripped = ""
    for _ in range(MAX_DEPTH):
        inner = [key for key, value in named.items() if isinstance(value, Tensor) and "." in key]
        # A counter or an average that lies beside the network has no dot in its name.
        shared = [prefix for prefix in PREFIXES if inner and all(key.startswith(prefix) for key in inner)]
        if not shared:
            break
        named = {key.removeprefix(shared[0]): value for key, value in named.items()}
        stripped += shared[0]
    return named, stripped


def _separated(named: dict[str, Any], prefix: str, stripped: str) -> Found:
    """The network's tensors apart from what has no place in a state dict: values that are no tensors, counters, averages."""
    loose = {key: value for key, value in named.items() if isinstance(value, Tensor) and "." not in key}
    others = {key: value for key, value in named.items() if not isinstance(value, Tensor) and "." not in key}
    tensors = {key: value for key, value in named.items() if key not in loose and key not in others}
    return Found(tensors, prefix + stripped, {prefix + key: reason_beside(key, value) for key, value in {**loose, **others}.items()}, loose)


def reason_beside(key: str, value: Any) -> str:
    """Why what lies beside a network is not read, as far as its name and type tell."""
    if key in _BESIDE:
        return _BESIDE[key]
    if "optim" in key:
        return "the optimiser's state"
    if value is None or isinstance(value, (bool, int, float, str)) or (isinstance(value, Tensor) and value.ndim == 0):
        return "a counter or a setting of the training"
    return "lies beside the network, and no part of it"
