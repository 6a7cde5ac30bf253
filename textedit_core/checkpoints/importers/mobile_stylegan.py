"""MobileStyleGAN: a Lightning checkpoint whose `state_dict` holds the student beside its teacher.

The original draws new noise for every image and stores none; a frozen draw stands in, so that the same latent gives the same image.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyTable, Source
from textedit_core.config import DecoderConfig, MappingConfig
from textedit_core.errors import UserError

FORMAT = "mobile_stylegan"
MAPPING_LR_MULTIPLIER = 0.01
NOISE_SEED = 0
_STUDENT, _MAPPING = "student.", "mapping_net."
Weights = dict[str, Tensor]


def _state(source: Source) -> dict[str, Any]:
    content = source.content
    inner = content.get("state_dict", content) if isinstance(content, dict) else None
    return inner if isinstance(inner, dict) else {}


def _recognises(source: Source) -> bool:
    state = _state(source)
    return f"{_STUDENT}input.input" in state and f"{_STUDENT}layers.0.conv1.conv.weight_dw" in state


def _read(source: Source, name: str) -> Imported:
    state = _state(source)
    student = KeyTable(source.path, _part(state, _STUDENT), f"state_dict.{_STUDENT}")
    config = _config(student, source)
    tensors = _synthesis(student, config)
    _ignore_rest(student, config)
    rest = KeyTable(
        source.path, {key: value for key, value in state.items() if not str(key).startswith((_STUDENT, _MAPPING))}, "state_dict."
    )
    w_avg = rest.take("style_mean", (1, config.num_ws, config.w_dim))[0] if "style_mean" in rest else None
    for key in rest.keys():
        if key != "style_mean":
            rest.ignore(key, "the teacher, its losses or its judges")
    report = student.report().joined(rest.report())
    if state is not source.content:
        report.ignored.update({str(key): "the training's state" for key in source.content if key != "state_dict"})
    mapping = _mapping(source, state, config.w_dim)
    note = f"noise was drawn anew for each image; it is frozen here (seed {NOISE_SEED})"
    return Imported("decoder", FORMAT, config, tensors, report, mapping, (note,), w_avg)


def _part(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {key[len(prefix) :]: value for key, value in state.items() if str(key).startswith(prefix)}


def _config(table: KeyTable, source: Source) -> DecoderConfig:
    widths = [(4, table.shape("input.input", 4)[1])]
    while f"layers.{len(widths) - 1}.conv1.conv.weight_permute" in table:
        widths.append((2 * widths[-1][0], table.shape(f"layers.{len(widths) - 1}.conv1.conv.weight_permute", 4)[0]))
    size, w_dim = 2 * widths[-1][0], table.shape("conv1.conv.modulation.weight", 2)[1]
    if len(widths) < 3 or any(width % 4 for _, width in widths[:-1]):
        raise UserError(f"{str(source.path)!r} has the widths {[width for _, width in widths]}, which are not those of a MobileStyleGAN")
    return DecoderConfig("mobile_stylegan", size, w_dim, tuple(widths))


def _synthesis(table: KeyTable, config: DecoderConfig) -> Weights:
    width = config.channels[0][1]
    draw = torch.Generator().manual_seed(NOISE_SEED)
    tensors = {"const": table.take("input.input", (1, width, 4, 4))}
    tensors |= _scale(table, "conv1.conv", "input", width, config.w_dim)
    weight = table.take("conv1.conv.weight", (width, width, 3, 3))
    gain = 1 / math.sqrt(9 * width)
    tensors["input.convolution.weight"] = weight * gain * _demodulation(table, "conv1.conv", weight * gain)
    tensors |= _styled(table, "conv1", "input", width, 4, draw)
    for i, (size, out) in enumerate(config.channels[1:]):
        tensors |= _scale(table, f"layers.{i}.up", f"ups.{i}", width, config.w_dim)
        for theirs, ours, into in ((f"layers.{i}.conv1", f"enters.{i}", width // 4), (f"layers.{i}.conv2", f"leaves.{i}", out)):
            tensors |= _scale(table, f"{theirs}.conv", ours, into, config.w_dim)
            tensors |= _separable(table, theirs, ours, into, out)
            tensors |= _styled(table, theirs, ours, out, size, draw)
        width = out
    last = len(config.channels) - 2
    tensors |= _to_bands(table, f"layers.{last - 1}.to_img", "preview_rgb", config.channels[-2][1], config.w_dim)
    return tensors | _to_bands(table, f"layers.{last}.to_img", "to_rgb", width, config.w_dim)


def _scale(table: KeyTable, theirs: str, ours: str, width: int, w_dim: int) -> Weights:
    return {
        f"{ours}.scale.affine.weight": table.take(f"{theirs}.modulation.weight", (width, w_dim)),
        f"{ours}.scale.affine.bias": table.take(f"{theirs}.modulation.bias", (width,)),
    }


def _demodulation(table: KeyTable, theirs: str, weight: Tensor) -> Tensor:
    """[O,1,1,1] for a weight [O,I,k,k] that holds its gain already."""
    style = table.take(f"{theirs}.style_inv", (1, 1, weight.shape[1], 1, 1))[0]
    return ((style * weight).square().sum((1, 2, 3), keepdim=True) + 1e-8).rsqrt()


def _separable(table: KeyTable, theirs: str, ours: str, into: int, out: int) -> Weights:
    gain = 1 / math.sqrt(9 * into)
    depthwise = table.take(f"{theirs}.conv.weight_dw", (into, 1, 3, 3)) * gain
    pointwise = table.take(f"{theirs}.conv.weight_permute", (out, into, 1, 1))
    demodulation = _demodulation(table, f"{theirs}.conv", depthwise.transpose(0, 1) * pointwise)
    return {f"{ours}.convolution.0.weight": depthwise, f"{ours}.convolution.1.weight": pointwise * demodulation}


def _styled(table: KeyTable, theirs: str, ours: str, out: int, size: int, draw: torch.Generator) -> Weights:
    stored = f"{theirs}.noise.noise"
    drawn = torch.randn(size, size, generator=draw)
    if stored not in table:
        table.lack(stored, "noise is drawn once and frozen")
    return {
        f"{ours}.bias": table.take(f"{theirs}.bias", (1, out, 1, 1)).reshape(out),
        f"{ours}.noise_strength": table.take(f"{theirs}.noise.weight", (1,)).reshape(()),
        f"{ours}.noise_const": table.take(stored, (1, 1, size, size))[0, 0] if stored in table else drawn,
    }


def _to_bands(table: KeyTable, theirs: str, ours: str, width: int, w_dim: int) -> Weights:
    weight = table.take(f"{theirs}.conv.weight", (12, width, 1, 1))
    return {
        **_scale(table, f"{theirs}.conv", ours, width, w_dim),
        f"{ours}.convolution.weight": weight / math.sqrt(width),
        f"{ours}.convolution.bias": table.take(f"{theirs}.bias", (1, 12, 1, 1)).reshape(12),
    }


def _ignore_rest(table: KeyTable, config: DecoderConfig) -> None:
    table.ignore_prefix("to_img1.", "an image of a lower size, which only the training looks at")
    for i in range(len(config.channels) - 3):
        table.ignore_prefix(f"layers.{i}.to_img.", "an image of a lower size, which only the training looks at")
    for key in table.keys():
        if ".idwt." in f".{key}" or key == "device_info":
            table.ignore(key, "a constant: the Haar filters, or a marker of the device")


def _mapping(source: Source, state: dict[str, Any], w_dim: int) -> tuple[Imported, ...]:
    table = KeyTable(source.path, _part(state, _MAPPING), f"state_dict.{_MAPPING}")
    keys = table.keys()
    if not keys:
        return ()
    count = sum(key.endswith(".weight") for key in keys)
    tensors = {"z_mean": torch.zeros(w_dim), "z_scale": torch.ones(w_dim)}
    for i in range(count):
        # The pixel norm is the network's layer 0.
        tensors[f"layers.{i}.weight"] = table.take(f"layers.{i + 1}.weight", (w_dim, w_dim))
        tensors[f"layers.{i}.bias"] = table.take(f"layers.{i + 1}.bias", (w_dim,))
    config = MappingConfig(w_dim, w_dim, w_dim, count, MAPPING_LR_MULTIPLIER, normalize_z=True)
    return (Imported("mapping", FORMAT, config, tensors, table.report()),)


IMPORTER = Importer(FORMAT, "decoder", _recognises, _read)
