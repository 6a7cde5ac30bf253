"""StyleGAN2 generators in NVIDIA's .pkl files, of stylegan2-ada-pytorch and of the stylegan3 repository.

The pickle holds each network as an object with its own source code. The code is not run; parameters, buffers and the few settings that
decide the architecture are read from the inert record.
"""

from __future__ import annotations

import torch
from torch import Tensor

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyTable, Source
from textedit_core.checkpoints.importers.nvidia_pickle import GeneratorRecord, generator_of, opened, read_mapping
from textedit_core.config import DecoderConfig
from textedit_core.decoder.layers import fir_kernel
from textedit_core.errors import UserError

FORMAT = "stylegan2-nvidia"
Weights = dict[str, Tensor]


def _recognises(source: Source) -> bool:
    record = generator_of(source)
    return record is not None and "synthesis.b4.const" in record.tensors


def _read(source: Source, name: str) -> Imported:
    record, table = opened(source)
    config = _config(table, record, source)
    tensors = _synthesis(table, config)
    mapping_config, mapping, w_avg = read_mapping(table, record, config.w_dim)
    _check_filters(table, source)
    report = table.report()
    report.ignored.update(record.other_parts)
    companion = Imported("mapping", FORMAT, mapping_config, mapping, report)
    notes = (f"its layers clamp at +-{config.clamp:g}; the decoder does too",) if config.clamp else ()
    return Imported("decoder", FORMAT, config, tensors, report, (companion,), notes, w_avg)


def _config(table: KeyTable, record: GeneratorRecord, source: Source) -> DecoderConfig:
    widths = [(4, table.shape("synthesis.b4.const", 3)[0])]
    while f"synthesis.b{2 * widths[-1][0]}.conv1.weight" in table:
        size = 2 * widths[-1][0]
        widths.append((size, table.shape(f"synthesis.b{size}.conv1.weight", 4)[0]))
    size = widths[-1][0]
    if not 32 <= size <= 1024:
        raise UserError(f"{str(source.path)!r} makes images of {size} px; generators of 32 to 1024 px can be imported")
    for block in [f"synthesis.b{size}" for size, _ in widths]:
        architecture = record.setting(block, "architecture", "skip")
        if architecture != "skip":
            raise UserError(f"{str(source.path)!r} has the architecture {architecture!r}; only 'skip' (configs E and F) can be imported")
        for layer in (f"{block}.conv0", f"{block}.conv1"):
            if record.setting(layer, "activation", "lrelu") != "lrelu":
                raise UserError(f"{str(source.path)!r}: {layer} does not end in a leaky ReLU; such a generator cannot be imported")
    w_dim = table.shape("synthesis.b4.conv1.affine.weight", 2)[1]
    return DecoderConfig("stylegan2", size, w_dim, tuple(widths), clamp=_clamp(record, [side for side, _ in widths], source))


def _clamp(record: GeneratorRecord, sizes: list[int], source: Source) -> float:
    """What bounds the activations, 0 where nothing does."""
    layers = [f"synthesis.b{size}.{layer}" for size in sizes for layer in ("conv0", "conv1", "torgb") if (size, layer) != (4, "conv0")]
    found = {float(record.setting(layer, "conv_clamp", None) or 0.0) for layer in layers}
    if len(found) != 1:
        limits = ", ".join(f"{limit:g}" for limit in sorted(found))
        raise UserError(f"{str(source.path)!r} clamps its layers differently (conv_clamp {limits}); a decoder has one limit for all")
    return found.pop()


def _synthesis(table: KeyTable, config: DecoderConfig) -> Weights:
    width = config.channels[0][1]
    tensors = {"const": table.take("synthesis.b4.const", (width, 4, 4))[None]}
    tensors |= _styled(table, ("synthesis.b4.conv1", "input"), width, width, 4, config.w_dim)
    tensors |= _to_rgb(table, ("synthesis.b4.torgb", "to_rgbs.0"), width, config.w_dim)
    for i, (size, out) in enumerate(config.channels[1:]):
        block = f"synthesis.b{size}"
        tensors |= _styled(table, (f"{block}.conv0", f"ups.{i}"), width, out, size, config.w_dim)
        tensors |= _styled(table, (f"{block}.conv1", f"convs.{i}"), out, out, size, config.w_dim)
        tensors |= _to_rgb(table, (f"{block}.torgb", f"to_rgbs.{i + 1}"), out, config.w_dim)
        width = out
    return tensors


def _styled(table: KeyTable, names: tuple[str, str], width: int, out: int, size: int, w_dim: int) -> Weights:
    theirs, ours = names
    tensors = {**_modulated(table, theirs, ours, (out, width, 3, 3), w_dim), f"{ours}.bias": table.take(f"{theirs}.bias", (out,))}
    if f"{theirs}.noise_const" not in table and f"{theirs}.noise_strength" not in table:
        table.lack(f"{theirs}.noise_const", "trained without noise: a strength of 0 stands in")
        return {**tensors, f"{ours}.noise_const": torch.zeros(size, size), f"{ours}.noise_strength": torch.zeros(())}
    tensors[f"{ours}.noise_const"] = table.take(f"{theirs}.noise_const", (size, size))
    tensors[f"{ours}.noise_strength"] = table.take(f"{theirs}.noise_strength", ())
    return tensors


def _modulated(table: KeyTable, theirs: str, ours: str, shape: tuple[int, int, int, int], w_dim: int) -> Weights:
    return {
        f"{ours}.conv.weight": table.take(f"{theirs}.weight", shape),
        f"{ours}.conv.affine.weight": table.take(f"{theirs}.affine.weight", (shape[1], w_dim)),
        f"{ours}.conv.affine.bias": table.take(f"{theirs}.affine.bias", (shape[1],)),
    }


def _to_rgb(table: KeyTable, names: tuple[str, str], width: int, w_dim: int) -> Weights:
    theirs, ours = names
    bias = table.take(f"{theirs}.bias", (3,))
    return {**_modulated(table, theirs, ours, (3, width, 1, 1), w_dim), f"{ours}.bias": bias}


def _check_filters(table: KeyTable, source: Source) -> None:
    for key in table.keys():
        if key.endswith(".resample_filter") and not torch.allclose(table.take(key, (4, 4)), fir_kernel(), atol=1e-6):
            raise UserError(f"{str(source.path)!r}: {key} is not the [1,3,3,1] filter; such a generator cannot be imported")


IMPORTER = Importer(FORMAT, "decoder", _recognises, _read)
