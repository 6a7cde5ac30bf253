"""StyleGAN2 generators in the layout of rosinality/stylegan2-pytorch: a .pt with `g_ema`, or the state dict alone or wrapped otherwise.

The layout is also that of the decoder inside e4e and pSp files, for which `read_generator` takes the table of its keys alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyReport, KeyTable, Source
from textedit_core.checkpoints.importers.unwrap import Found, find_network
from textedit_core.config import DecoderConfig, MappingConfig
from textedit_core.decoder.layers import fir_kernel
from textedit_core.errors import UserError

FORMAT = "stylegan2-rosinality"
# EqualLinear's multiplier in the mapping network; the file does not hold it, and no released generator has another.
MAPPING_LR_MULTIPLIER = 0.01
# Of the noise that stands in for files without any.
NOISE_SEED = 0
# Averages of the weights come before the weights in training.
WRAPPERS = ("g_ema", "params_ema", "generator_ema", "ema", "g", "generator", "params", "state_dict", "model")
_AVERAGED = ("g_ema", "params_ema", "generator_ema", "ema")
_AVERAGES = ("latent_avg", "mean_latent", "w_avg")
Weights = dict[str, Tensor]


def _is_generator(state: Mapping[str, Any]) -> bool:
    return "input.input" in state and "conv1.conv.modulation.weight" in state


def _found(source: Source) -> Found | None:
    return find_network(source.content, WRAPPERS, _is_generator)


def _recognises(source: Source) -> bool:
    return _found(source) is not None


def _read(source: Source, choice: str) -> Imported:
    found = _found(source)
    assert found is not None
    return with_surroundings(read_generator(KeyTable(source.path, found.tensors, found.prefix), source, FORMAT), found, source)


def with_surroundings(imported: Imported, found: Found, source: Source) -> Imported:
    """The generator with the average latent that lies beside it, and an account of what else does.

    Raises:
        UserError: the average latent has another size.
    """
    config = imported.config
    outer = KeyTable(source.path, found.loose)
    name = next((name for name in _AVERAGES if name in found.loose), "")
    w_avg = _average(outer, name, config, source) if name else None
    beside = {key: why for key, why in found.beside.items() if key.split(".")[-1] != name}
    missing = {} if name else {"latent_avg": "the checkpoint then holds none; editing and export need none"}
    report = imported.report.joined(KeyReport((name,) if name else (), beside, missing))
    in_training = found.prefix.split(".")[0] in ("g", "generator", "params")
    note = f"read from {found.prefix.split('.')[0]!r}: the file holds no average of the weights over their training"
    notes = (*imported.notes, note) if in_training and not any(key in _AVERAGED for key in found.beside) else imported.notes
    return dataclasses.replace(imported, report=report, w_avg=w_avg, notes=notes)


def _average(outer: KeyTable, name: str, config: DecoderConfig, source: Source) -> Tensor:
    shape = outer.shape(name)
    average = outer.take(name, shape)
    if not shape or shape[-1] != config.w_dim or average.numel() not in (config.w_dim, config.num_ws * config.w_dim):
        raise UserError(f"{str(source.path)!r}: {name} has {average.numel()} numbers, not {config.w_dim}; is the file damaged?")
    return average.reshape(-1) if average.numel() == config.w_dim else average.reshape(-1, config.w_dim)


def read_generator(table: KeyTable, source: Source, format_name: str) -> Imported:
    """Converts a generator of this layout; its mapping network is the companion.

    Raises:
        UserError: a key is missing, unknown or of another shape, or the network is of a variant that the decoder cannot hold.
    """
    _refuse_variants(table, source)
    config = _config(table, source)
    frozen = any(key.startswith("noises.") for key in table.keys())
    tensors = _synthesis(table, config, None if frozen else torch.Generator().manual_seed(NOISE_SEED))
    mapping_config, mapping = _mapping(table, config.w_dim)
    report = table.report()
    companion = Imported("mapping", format_name, mapping_config, mapping, report)
    notes = () if frozen else (f"the file stores no noise, which was drawn anew for each image; it is frozen here (seed {NOISE_SEED})",)
    return Imported("decoder", format_name, config, tensors, report, (companion,), notes)


def _refuse_variants(table: KeyTable, source: Source) -> None:
    """Raises UserError for a network of this layout that computes something else than StyleGAN2."""
    if "iwt.ll" in table or ("to_rgb1.bias" in table and table.shape("to_rgb1.bias")[:2] == (1, 12)):
        raise UserError(f"{str(source.path)!r} is a SWAGAN generator, which makes wavelets and not pixels; it cannot be imported")
    for key in table.keys():
        if key.endswith((".conv.blur.kernel", ".upsample.kernel")):
            shape = table.shape(key)
            if shape != (4, 4) or not torch.allclose(table.take(key, (4, 4)), fir_kernel() * 4.0, atol=1e-6):
                raise UserError(f"{str(source.path)!r}: {key} is not the [1,3,3,1] filter; such a generator cannot be imported")


def _config(table: KeyTable, source: Source) -> DecoderConfig:
    w_dim = table.shape("conv1.conv.modulation.weight", 2)[-1]
    widths = [(4, table.shape("input.input", 4)[1])]
    while f"convs.{2 * (len(widths) - 1)}.conv.weight" in table:
        shape = table.shape(f"convs.{2 * (len(widths) - 1)}.conv.weight", 5)
        widths.append((2 * widths[-1][0], shape[1]))
    size = widths[-1][0]
    if not 32 <= size <= 1024:
        raise UserError(f"{str(source.path)!r} makes images of {size} px; generators of 32 to 1024 px can be imported")
    return DecoderConfig("stylegan2", size, w_dim, tuple(widths))


def _synthesis(table: KeyTable, config: DecoderConfig, draw: torch.Generator | None) -> Weights:
    width = config.channels[0][1]
    tensors = {"const": table.take("input.input", (1, width, 4, 4))}
    tensors |= _styled(table, ("conv1", "input", "noises.noise_0"), (width, width, 4), config.w_dim, draw)
    tensors |= _to_rgb(table, ("to_rgb1", "to_rgbs.0"), width, config.w_dim)
    for i, (size, out) in enumerate(config.channels[1:]):
        up = (f"convs.{2 * i}", f"ups.{i}", f"noises.noise_{2 * i + 1}")
        same = (f"convs.{2 * i + 1}", f"convs.{i}", f"noises.noise_{2 * i + 2}")
        tensors |= _styled(table, up, (width, out, size), config.w_dim, draw)
        tensors |= _styled(table, same, (out, out, size), config.w_dim, draw)
        tensors |= _to_rgb(table, (f"to_rgbs.{i}", f"to_rgbs.{i + 1}"), out, config.w_dim)
        width = out
    return tensors


def _styled(table: KeyTable, names: tuple[str, str, str], sizes: tuple[int, int, int], w_dim: int, draw: torch.Generator | None) -> Weights:
    theirs, ours, noise = names
    width, out, size = sizes
    if draw is not None:
        table.lack(noise, "noise is drawn once and frozen")
    return {
        **_modulated(table, theirs, ours, (out, width, 3, 3), w_dim),
        f"{ours}.bias": table.take(f"{theirs}.activate.bias", (out,)),
        f"{ours}.noise_strength": table.take(f"{theirs}.noise.weight", (1,)).reshape(()),
        f"{ours}.noise_const": table.take(noise, (1, 1, size, size))[0, 0] if draw is None else torch.randn(size, size, generator=draw),
    }


def _modulated(table: KeyTable, theirs: str, ours: str, shape: tuple[int, int, int, int], w_dim: int) -> Weights:
    return {
        f"{ours}.conv.weight": table.take(f"{theirs}.conv.weight", (1, *shape))[0],
        f"{ours}.conv.affine.weight": table.take(f"{theirs}.conv.modulation.weight", (shape[1], w_dim)),
        f"{ours}.conv.affine.bias": table.take(f"{theirs}.conv.modulation.bias", (shape[1],)),
    }


def _to_rgb(table: KeyTable, names: tuple[str, str], width: int, w_dim: int) -> Weights:
    theirs, ours = names
    bias = table.take(f"{theirs}.bias", (1, 3, 1, 1)).reshape(3)
    return {**_modulated(table, theirs, ours, (3, width, 1, 1), w_dim), f"{ours}.bias": bias}


def _mapping(table: KeyTable, w_dim: int) -> tuple[MappingConfig, Weights]:
    count = sum(key.startswith("style.") and key.endswith(".weight") for key in table.keys())
    z_dim = table.shape("style.1.weight", 2)[1]
    config = MappingConfig(z_dim, w_dim, w_dim, count, MAPPING_LR_MULTIPLIER, normalize_z=True)
    tensors = {"z_mean": torch.zeros(z_dim), "z_scale": torch.ones(z_dim)}
    for i in range(count):
        # The pixel norm is the network's layer 0.
        tensors[f"layers.{i}.weight"] = table.take(f"style.{i + 1}.weight", (w_dim, w_dim if i else z_dim))
        tensors[f"layers.{i}.bias"] = table.take(f"style.{i + 1}.bias", (w_dim,))
    return config, tensors


IMPORTER = Importer(FORMAT, "decoder", _recognises, _read)
