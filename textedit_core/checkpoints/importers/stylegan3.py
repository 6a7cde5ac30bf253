"""StyleGAN3 generators, configurations -t and -r, in NVIDIA's .pkl files; the code inside is not run."""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import Tensor

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyTable, Source
from textedit_core.checkpoints.importers.nvidia_pickle import GeneratorRecord, class_note, generator_of, opened, read_mapping
from textedit_core.config import AliasFreeLayer, DecoderConfig
from textedit_core.errors import UserError

FORMAT = "stylegan3"
_LAYER_NAME = re.compile(r"synthesis\.L[0-9]+_[0-9]+_[0-9]+")
Weights = dict[str, Tensor]


def _recognises(source: Source) -> bool:
    record = generator_of(source)
    return record is not None and "synthesis.input.freqs" in record.tensors


def _read(source: Source, choice: str) -> Imported:
    record, table = opened(source)
    if record.modules is None:
        raise UserError(
            f"{str(source.path)!r} is a bare state dict of StyleGAN3, which lacks the settings of its layers (factors, taps, sizes); "
            "save the generator itself: torch.save(G_ema, FILE), or give NVIDIA's .pkl"
        )
    names = _layer_names(record, source)
    config = _config(table, record, names, source)
    tensors = _input(table, config, source)
    for i, (layer, theirs) in enumerate(zip(config.layers[:-1], names[:-1], strict=True)):
        tensors |= _layer(table, theirs, f"layers.{i}", layer, config.w_dim)
    tensors |= _to_rgb(table, names[-1], config.layers[-1], config.w_dim)
    mapping_config, mapping, w_avg = read_mapping(table, record, config.w_dim, source, choice)
    report = table.report()
    report.ignored.update(record.other_parts)
    companion = Imported("mapping", FORMAT, mapping_config, mapping, report)
    note = f"configuration -{'r' if any(layer.radial for layer in config.layers) else 't'}, {config.num_ws} levels"
    return Imported("decoder", FORMAT, config, tensors, report, (companion,), (note, *class_note(record, choice)), w_avg)


def _layer_names(record: GeneratorRecord, source: Source) -> list[str]:
    """The layers' modules in the order of their numbers: L0_36_1024, L1_36_1024, ..."""
    inside = [key.partition(".")[2] for key in record.modules or {} if _LAYER_NAME.fullmatch(key)]
    names = sorted(inside, key=lambda name: int(name[1:].partition("_")[0]))
    if [name.split("_")[0] for name in names] != [f"L{i}" for i in range(len(names))] or len(names) < 2:
        raise UserError(f"{str(source.path)!r} lacks layers: it has {', '.join(names) or 'none'}; is the file damaged?")
    return [f"synthesis.{name}" for name in names]


def _config(table: KeyTable, record: GeneratorRecord, names: list[str], source: Source) -> DecoderConfig:
    def setting(module: str, key: str) -> Any:
        value = record.setting(module, key, None)
        if not isinstance(value, (int, float)):
            raise UserError(f"{str(source.path)!r} lacks the setting {key} of G_ema.{module}; is it of another version?")
        return value

    layers: list[AliasFreeLayer] = []
    for i, name in enumerate(names):
        out, width, kernel = table.shape(f"{name}.weight", 4)[:3]
        size = int(name.split("_")[1])
        # The first layer keeps the size of the Fourier features.
        before = layers[-1].out_size if i else size
        up, down, up_taps, down_taps = (int(setting(name, key)) for key in ("up_factor", "down_factor", "up_taps", "down_taps"))
        radial, clamp = bool(setting(name, "down_radial")), float(record.setting(name, "conv_clamp", None) or 0.0)
        layers.append(AliasFreeLayer(width, out, before, size, kernel, up, down, up_taps, down_taps, radial, clamp))
    if layers[-1].out_channels != 3 or any(layer.up_taps == 1 or layer.down_taps == 1 for layer in layers[:-1]):
        raise UserError(
            f"{str(source.path)!r} makes {layers[-1].out_channels} channels or lacks filters; only RGB of -t and -r can be imported"
        )
    return DecoderConfig(
        "stylegan3",
        int(setting("synthesis", "img_resolution")),
        table.shape("synthesis.input.affine.weight", 2)[1],
        channels=(),
        layers=tuple(layers),
        input_rate=int(setting(names[0], "in_sampling_rate")),
        output_scale=float(setting("synthesis", "output_scale")),
    )


def _input(table: KeyTable, config: DecoderConfig, source: Source) -> Weights:
    width, name = config.layers[0].in_channels, "synthesis.input"
    if not torch.equal(table.take(f"{name}.transform", (3, 3)), torch.eye(3)):
        raise UserError(f"{str(source.path)!r}: G_ema.{name}.transform is not the identity; save the generator without a transform")
    return {
        "input.affine.weight": table.take(f"{name}.affine.weight", (4, config.w_dim)),
        "input.affine.bias": table.take(f"{name}.affine.bias", (4,)),
        "input.weight": table.take(f"{name}.weight", (width, width)),
        "input.freqs": table.take(f"{name}.freqs", (width, 2)),
        "input.phases": table.take(f"{name}.phases", (width,)),
    }


def _styled(table: KeyTable, theirs: str, ours: str, layer: AliasFreeLayer, w_dim: int) -> Weights:
    return {
        f"{ours}.affine.weight": table.take(f"{theirs}.affine.weight", (layer.in_channels, w_dim)),
        f"{ours}.affine.bias": table.take(f"{theirs}.affine.bias", (layer.in_channels,)),
        f"{ours}.weight": table.take(f"{theirs}.weight", (layer.out_channels, layer.in_channels, layer.kernel, layer.kernel)),
        f"{ours}.bias": table.take(f"{theirs}.bias", (layer.out_channels,)),
    }


def _layer(table: KeyTable, theirs: str, ours: str, layer: AliasFreeLayer, w_dim: int) -> Weights:
    tensors = _styled(table, theirs, ours, layer, w_dim)
    weight = tensors[f"{ours}.weight"]
    tensors[f"{ours}.weight"] = weight * weight.square().mean((1, 2, 3), keepdim=True).rsqrt()
    tensors[f"{ours}.input_gain"] = table.take(f"{theirs}.magnitude_ema", ()).rsqrt()
    tensors[f"{ours}.activation.up_filter"] = table.take(f"{theirs}.up_filter", (layer.up_taps,))
    down = (layer.down_taps,) * (2 if layer.radial else 1)
    tensors[f"{ours}.activation.down_filter"] = table.take(f"{theirs}.down_filter", down)
    return tensors


def _to_rgb(table: KeyTable, theirs: str, layer: AliasFreeLayer, w_dim: int) -> Weights:
    tensors = _styled(table, theirs, "to_rgb", layer, w_dim)
    gain = table.take(f"{theirs}.magnitude_ema", ()).rsqrt() / math.sqrt(layer.in_channels)
    tensors["to_rgb.weight"] = tensors["to_rgb.weight"] * gain
    return tensors


IMPORTER = Importer(FORMAT, "decoder", _recognises, _read, takes_choice=True)
