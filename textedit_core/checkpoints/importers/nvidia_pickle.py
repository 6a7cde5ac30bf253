"""What NVIDIA's generator files have in common: networks as inert records or state dicts, the mapping network, classes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from textedit_core.checkpoints.importers.contract import ChoiceNeeded, KeyTable, Source
from textedit_core.checkpoints.importers.safe_unpickle import Record
from textedit_core.checkpoints.importers.unwrap import find_network
from textedit_core.config import MappingConfig
from textedit_core.errors import UserError

_OTHER_PARTS = {
    "G": "the weights in training; G_ema is their average",
    "D": "the discriminator",
    "augment_pipe": "the training's augmentation",
    "training_set_kwargs": "the training's settings",
}
_WRAPPERS = ("G_ema", "g_ema", "params_ema", "state_dict", "G", "generator", "params")
MAX_DEPTH = 16
# Of the mapping network in every configuration that NVIDIA published.
_LR_MULTIPLIER = 0.01


@dataclass(frozen=True)
class GeneratorRecord:
    """`G_ema`: its tensors by dotted names, its modules' attributes, and why the file's other entries are not needed.

    `modules` is None for a bare state dict, which holds no attributes; `prefix` is what precedes the names in the file.
    """

    tensors: dict[str, Tensor]
    modules: dict[str, dict[str, Any]] | None
    other_parts: dict[str, str]
    prefix: str = "G_ema."

    def setting(self, module: str, name: str, default: Any) -> Any:
        """An attribute of a module; `default` where the module or the attribute does not exist, as in older files."""
        return (self.modules or {}).get(module, {}).get(name, default)


def generator_of(source: Source) -> GeneratorRecord | None:
    """The generator of a file: an object or a state dict, by itself or as `G_ema`; None when the file holds none."""
    content = source.content
    if isinstance(content, Record):
        return _of_record(content, {}, "")
    if not isinstance(content, dict):
        return None
    if isinstance(content.get("G_ema"), Record):
        other = {str(key): _OTHER_PARTS.get(str(key), "no part of the generator") for key in content if key != "G_ema"}
        return _of_record(content["G_ema"], other, "G_ema.")
    found = find_network(content, _WRAPPERS, _is_generator)
    return GeneratorRecord(found.tensors, None, found.beside, found.prefix) if found is not None else None


def _is_generator(state: Mapping[str, Any]) -> bool:
    return "synthesis.b4.const" in state or "synthesis.input.freqs" in state


def _of_record(record: Record, other_parts: dict[str, str], prefix: str) -> GeneratorRecord:
    modules = dict(_modules(record, ""))
    tensors = {}
    for name, state in modules.items():
        for key, value in {**_dict(state, "_parameters"), **_dict(state, "_buffers")}.items():
            if value is not None:
                tensors[f"{name}.{key}" if name else str(key)] = value
    return GeneratorRecord(tensors, modules, other_parts, prefix)


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
    """The generator of a file that was recognised, and the table of its keys."""
    record = generator_of(source)
    assert record is not None
    return record, KeyTable(source.path, record.tensors, record.prefix)


def read_mapping(
    table: KeyTable, record: GeneratorRecord, w_dim: int, source: Source, choice: str
) -> tuple[MappingConfig, dict[str, Tensor], Tensor | None]:
    """The mapping network z -> w and the average latent w_avg float32 [D], None where it was not tracked.

    Of a generator of classes it is the mapping network of one: what the first layer makes of the class joins its bias.

    Args:
        table: the generator's keys.
        record: its settings.
        w_dim: D.
        source: the file, for messages.
        choice: the number of the class, "" where the user named none.

    Raises:
        UserError: a key is missing or of another shape, or a class is missing or unknown.
    """
    count = sum(f"mapping.fc{i}.weight" in table for i in range(len(table.keys())))
    hidden, inputs = table.shape("mapping.fc0.weight", 2)
    gain = record.setting("mapping.fc0", "bias_gain", None)
    lr_multiplier = float(gain) if isinstance(gain, (int, float)) else _LR_MULTIPLIER
    label = _label(table, source, choice)
    z_dim = inputs - (0 if label is None else len(label))
    if z_dim < 1:
        raise UserError(f"{str(source.path)!r}: mapping.fc0 reads {inputs} numbers, no more than a class has; is the file damaged?")
    config = MappingConfig(z_dim, w_dim, hidden, count, lr_multiplier, normalize_z=True)
    tensors = {"z_mean": torch.zeros(z_dim), "z_scale": torch.ones(z_dim)}
    for i in range(count):
        out = w_dim if i == count - 1 else hidden
        tensors[f"layers.{i}.weight"] = table.take(f"mapping.fc{i}.weight", (out, hidden if i else inputs))
        tensors[f"layers.{i}.bias"] = table.take(f"mapping.fc{i}.bias", (out,))
    if label is not None:
        # The equalised gain of the narrower layer is larger: the stored weight makes up for it.
        weight = tensors["layers.0.weight"] / math.sqrt(inputs)
        tensors["layers.0.bias"] = tensors["layers.0.bias"] + weight[:, z_dim:] @ label
        tensors["layers.0.weight"] = weight[:, :z_dim] * math.sqrt(z_dim)
    w_avg = table.take("mapping.w_avg", (w_dim,)) if "mapping.w_avg" in table else None
    return config, tensors, w_avg


def _label(table: KeyTable, source: Source, choice: str) -> Tensor | None:
    """What the mapping network reads beside z for one class, float32 [E]; None for a generator without classes."""
    if "mapping.embed.weight" not in table:
        if choice:
            raise UserError(f"{str(source.path)!r} is a generator without classes; leave out --class {choice}")
        return None
    width, classes = table.shape("mapping.embed.weight", 2)
    if not choice.isdecimal() or int(choice) >= classes:
        what = f"{str(source.path)!r} is a generator of {classes} classes (mapping.embed.weight)"
        if not choice:
            raise ChoiceNeeded(f"{what}: name one of them, --class 0 to {classes - 1}")
        raise UserError(f"{what}, which has no class {choice!r}: name one of 0 to {classes - 1}")
    weight, bias = table.take("mapping.embed.weight", (width, classes)), table.take("mapping.embed.bias", (width,))
    embedded = weight[:, int(choice)] / math.sqrt(classes) + bias
    return embedded * (embedded.square().mean() + 1e-8).rsqrt()


def class_note(record: GeneratorRecord, choice: str) -> tuple[str, ...]:
    """What an import of a generator of classes says."""
    if "mapping.embed.weight" not in record.tensors:
        return ()
    classes = record.tensors["mapping.embed.weight"].shape[-1]
    return (f"class {choice} of {classes}; the average latent is that of all classes",)
