"""StyleGAN2 generators in the layout of rosinality/stylegan2-pytorch: a .pt with `g_ema` and, from its converter, `latent_avg`.

The layout is also that of the decoder inside e4e and pSp files, for which `read_generator` takes the table of its keys alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyTable, Source
from textedit_core.config import DecoderConfig, MappingConfig
from textedit_core.decoder.layers import fir_kernel
from textedit_core.errors import UserError

FORMAT = "stylegan2-rosinality"
# EqualLinear's multiplier in the mapping network; the file does not hold it, and no released generator has another.
MAPPING_LR_MULTIPLIER = 0.01
_OTHER_PARTS = {
    "g": "the weights in training; g_ema is their average",
    "d": "the discriminator",
    "g_optim": "the optimiser's state",
    "d_optim": "the optimiser's state",
    "args": "the training's settings",
    "ada_aug_p": "the training's augmentation",
}
Weights = dict[str, Tensor]


def _recognises(source: Source) -> bool:
    content = source.content
    inner = content.get("g_ema") if isinstance(content, dict) else None
    return isinstance(inner, dict) and "input.input" in inner and "conv1.conv.modulation.weight" in inner


def _read(source: Source, name: str) -> Imported:
    content: dict[str, Any] = source.content
    outer = KeyTable(source.path, content)
    outer.ignore("g_ema", "read key by key")
    for key, reason in _OTHER_PARTS.items():
        if key in content:
            outer.ignore(key, reason)
    w_avg = outer.take("latent_avg", outer.shape("latent_avg")).reshape(-1) if "latent_avg" in content else None
    table = KeyTable(source.path, content["g_ema"], "g_ema.")
    imported = read_generator(table, source, FORMAT)
    if w_avg is not None and len(w_avg) != imported.config.w_dim:
        raise UserError(f"{str(source.path)!r}: latent_avg has {len(w_avg)} numbers, not {imported.config.w_dim}; is the file damaged?")
    report = imported.report.joined(outer.report(), leave_out="g_ema")
    if w_avg is None:
        report.missing["latent_avg"] = "the checkpoint then holds none; encoding, editing and export need none"
    return Imported("decoder", FORMAT, imported.config, imported.tensors, report, imported.companions, imported.notes, w_avg)


def read_generator(table: KeyTable, source: Source, format_name: str) -> Imported:
    """Converts a generator of this layout; its mapping network is the companion.

    Raises:
        UserError: a key is missing, unknown or of another shape, or the network is of a variant that the decoder cannot hold.
    """
    config = _config(table, source)
    tensors = _synthesis(table, config)
    mapping_config, mapping = _mapping(table, config.w_dim)
    _ignore_filters(table, source)
    report = table.report()
    companion = Imported("mapping", format_name, mapping_config, mapping, report)
    return Imported("decoder", format_name, config, tensors, report, (companion,))


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


def _synthesis(table: KeyTable, config: DecoderConfig) -> Weights:
    width = config.channels[0][1]
    tensors = {"const": table.take("input.input", (1, width, 4, 4))}
    tensors |= _styled(table, ("conv1", "input", "noises.noise_0"), width, width, 4, config.w_dim)
    tensors |= _to_rgb(table, ("to_rgb1", "to_rgbs.0"), width, config.w_dim)
    for i, (size, out) in enumerate(config.channels[1:]):
        up = (f"convs.{2 * i}", f"ups.{i}", f"noises.noise_{2 * i + 1}")
        same = (f"convs.{2 * i + 1}", f"convs.{i}", f"noises.noise_{2 * i + 2}")
        tensors |= _styled(table, up, width, out, size, config.w_dim)
        tensors |= _styled(table, same, out, out, size, config.w_dim)
        tensors |= _to_rgb(table, (f"to_rgbs.{i}", f"to_rgbs.{i + 1}"), out, config.w_dim)
        width = out
    return tensors


def _styled(table: KeyTable, names: tuple[str, str, str], width: int, out: int, size: int, w_dim: int) -> Weights:
    theirs, ours, noise = names
    return {
        **_modulated(table, theirs, ours, (out, width, 3, 3), w_dim),
        f"{ours}.bias": table.take(f"{theirs}.activate.bias", (out,)),
        f"{ours}.noise_strength": table.take(f"{theirs}.noise.weight", (1,)).reshape(()),
        f"{ours}.noise_const": table.take(noise, (1, 1, size, size))[0, 0],
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


def _ignore_filters(table: KeyTable, source: Source) -> None:
    for key in table.keys():
        if not key.endswith((".conv.blur.kernel", ".upsample.kernel")):
            continue
        kernel = table.take(key, (4, 4))
        if not torch.allclose(kernel, fir_kernel() * 4.0, atol=1e-6):
            raise UserError(f"{str(source.path)!r}: {key} is not the [1,3,3,1] filter; such a generator cannot be imported")


IMPORTER = Importer(FORMAT, "decoder", _recognises, _read)
