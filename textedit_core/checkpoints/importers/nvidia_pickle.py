"""What NVIDIA's generator pickles have in common: networks as inert records, the mapping network, labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from textedit_core.checkpoints.importers.contract import KeyTable, Source
from textedit_core.checkpoints.importers.safe_unpickle import Record
from textedit_core.config import MappingConfig
from textedit_core.errors import UserError

_OTHER_PARTS = {
    "G": "the weights in training; G_ema is their average",
    "D": "the discriminator",
    "augment_pipe": "the training's augmentation",
    "training_set_kwargs": "the training's settings",
}
MAX_DEPTH = 16
# Of the mapping network in every configuration that NVIDIA published.
_LR_MULTIPLIER = 0.01


@dataclass(frozen=True)
class GeneratorRecord:
    """`G_ema`: its tensors by dotted names, its modules' attributes, and why the file's other entries are not needed."""

    tensors: dict[str, Tensor]
    modules: dict[str, dict[str, Any]]
    other_parts: dict[str, str]

    def setting(self, module: str, name: str, default: Any) -> Any:
        """An attribute of a module; `default` where the module or the attribute does not exist, as in older files."""
        return self.modules.get(module, {}).get(name, default)


def generator_of(source: Source) -> GeneratorRecord | None:
    """The generator of a pickle, None when it holds none."""
    content = source.content
    if source.container != "pickle" or not isinstance(content, dict) or not isinstance(content.get("G_ema"), Record):
        return None
    modules = dict(_modules(content["G_ema"], ""))
    tensors = {}
    for name, state in modules.items():
        for key, value in {**_dict(state, "_parameters"), **_dict(state, "_buffers")}.items():
            if value is not None:
                tensors[f"{name}.{key}" if name else str(key)] = value
    other = {str(key): _OTHER_PARTS.get(str(key), "no part of the generator") for key in content if key != "G_ema"}
    return GeneratorRecord(tensors, modules, other)


def _modules(record: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(record, Record) or not isinstance(record.state, dict) or name.count(".") > MAX_DEPTH:
        return
    yield name, record.state
    for key, child in _dict(record.state, "_modules").items():
        yield from _modules(child, f"{name}.{key}" if name else str(key))


def _dict(state: dict[str, Any], key: str) -> dict[Any, Any]:
    value = state.get(key)
    return value if isinstance(value, dict) else {}


def opened(source: Source) -> tuple[GeneratorRecord, KeyTable]:
    """The generator of a file that was recognised, and the table of its keys.

    Raises:
        UserError: it is a conditional generator.
    """
    record = generator_of(source)
    assert record is not None
    refuse_conditional(record, source)
    return record, KeyTable(source.path, record.tensors, "G_ema.")


def refuse_conditional(record: GeneratorRecord, source: Source) -> None:
    """Raises UserError for a generator that wants a class label, which a photo's latent does not have."""
    if "mapping.embed.weight" in record.tensors:
        classes = record.tensors["mapping.embed.weight"].shape[-1]
        raise UserError(f"{str(source.path)!r} is a generator of {classes} classes (mapping.embed.weight); only unconditional ones fit")


def read_mapping(table: KeyTable, record: GeneratorRecord, w_dim: int) -> tuple[MappingConfig, dict[str, Tensor], Tensor | None]:
    """The mapping network z -> w and the average latent w_avg float32 [D], None where it was not tracked.

    Raises:
        UserError: a key is missing or of another shape.
    """
    count = sum(f"mapping.fc{i}.weight" in table for i in range(len(table.keys())))
    hidden, z_dim = table.shape("mapping.fc0.weight", 2)
    gain = record.setting("mapping.fc0", "bias_gain", None)
    lr_multiplier = float(gain) if isinstance(gain, (int, float)) else _LR_MULTIPLIER
    config = MappingConfig(z_dim, w_dim, hidden, count, lr_multiplier, normalize_z=True)
    tensors = {"z_mean": torch.zeros(z_dim), "z_scale": torch.ones(z_dim)}
    for i in range(count):
        out = w_dim if i == count - 1 else hidden
        tensors[f"layers.{i}.weight"] = table.take(f"mapping.fc{i}.weight", (out, hidden if i else z_dim))
        tensors[f"layers.{i}.bias"] = table.take(f"mapping.fc{i}.bias", (out,))
    w_avg = table.take("mapping.w_avg", (w_dim,)) if "mapping.w_avg" in table else None
    return config, tensors, w_avg
