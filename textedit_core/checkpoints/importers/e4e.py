"""Encoders of e4e and pSp: a .pt with the whole model as `state_dict`, `latent_avg` and the options it was trained with, `opts`."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from textedit_core.checkpoints.importers import stylegan2_rosinality
from textedit_core.checkpoints.importers.contract import Imported, Importer, KeyReport, KeyTable, Source
from textedit_core.checkpoints.importers.whole_network import take_network
from textedit_core.config import EncoderConfig
from textedit_core.encoder import PyramidEncoder
from textedit_core.errors import UserError

FORMAT = "e4e-psp"
_ENCODER, _DECODER = "encoder.", "decoder."
# What the files call their encoders, and what this project does.
_KINDS: dict[str, Literal["e4e", "psp"]] = {"Encoder4Editing": "e4e", "GradualStyleEncoder": "psp"}
_NAMES = {"stem": "input_layer", "body": "body", "heads": "styles", "middle_lateral": "latlayer1", "fine_lateral": "latlayer2"}
# The first convolution of a unit in each stage of the backbone.
_STAGE_CONVS = tuple(f"body.{unit}.res_layer.1.weight" for unit in (0, 3, 7, 21))
_TRAINING = ("global_step", "optimizer", "best_val_loss", "discriminator_state_dict", "discriminator_optimizer_state_dict")


def _recognises(source: Source) -> bool:
    state = source.content.get("state_dict") if isinstance(source.content, dict) else None
    return isinstance(state, dict) and f"{_ENCODER}input_layer.0.weight" in state


def _read(source: Source, name: str) -> Imported:
    content: dict[str, Any] = source.content
    options = _options(source)
    encoder = KeyTable(source.path, _part(content["state_dict"], _ENCODER), f"state_dict.{_ENCODER}")
    config = _config(encoder, options, source)
    tensors = take_network(encoder, partial(_without_average, config), _foreign_name)
    outer = KeyTable(source.path, content)
    tensors["w_avg"] = _average(outer, options, config)
    decoder, rest = _decoder(source)
    for key in ("state_dict", "opts"):
        outer.ignore(key, "read part by part")
    for key in _TRAINING:
        if key in content:
            outer.ignore(key, "the state of its training")
    reports = (encoder.report(), rest, outer.report())
    ignored = {key: reason for report in reports for key, reason in report.ignored.items() if key != "state_dict"}
    missing = {key: reason for report in reports for key, reason in report.missing.items()}
    report = KeyReport(tuple(key for each in reports for key in each.used), ignored, missing)
    note = f"{options['encoder_type']}: {config.num_ws} levels, reads photos of {config.img_resolution} px"
    w_avg = tensors["w_avg"] if "latent_avg" in report.used else None
    return Imported("encoder", FORMAT, config, tensors, report, decoder, (note,), w_avg)


def _options(source: Source) -> dict[str, Any]:
    options = source.content.get("opts")
    kind = options.get("encoder_type") if isinstance(options, dict) else None
    if kind not in _KINDS:
        known = ", ".join(_KINDS)
        raise UserError(f"{str(source.path)!r}: opts says encoder_type {kind!r}; the encoders that can be imported are: {known}")
    return options


def _part(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}


def _config(table: KeyTable, options: dict[str, Any], source: Source) -> EncoderConfig:
    channels = table.shape("input_layer.0.weight")[1]
    if channels != 3:
        raise UserError(f"{str(source.path)!r} encodes images of {channels} channels, not photos (3); import an encoder of photos")
    levels = len({key.split(".")[1] for key in table.keys() if key.startswith("styles.")})
    # Each convolution of a coarse head halves its map, until one pixel is left.
    halvings = sum(key.startswith("styles.0.convs.") and key.endswith(".weight") for key in table.keys())
    w_dim = table.shape("styles.0.linear.weight")[0]
    stages = [table.shape(key)[0] for key in _STAGE_CONVS]
    return EncoderConfig(
        img_resolution=16 * 2**halvings, num_ws=levels, w_dim=w_dim, kind=_KINDS[options["encoder_type"]], widths=tuple(stages)
    )


def _without_average(config: EncoderConfig) -> PyramidEncoder:
    network = PyramidEncoder(config)
    del network.w_avg
    return network


def _foreign_name(key: str) -> str:
    part, _, rest = key.partition(".")
    if part == "heads" and ".convs." in rest:
        level, _, number, leaf = rest.split(".")
        # An activation lies between two convolutions.
        rest = f"{level}.convs.{2 * int(number)}.{leaf}"
    return f"{_NAMES[part]}.{rest}"


def _average(outer: KeyTable, options: dict[str, Any], config: EncoderConfig) -> Tensor:
    if not options.get("start_from_latent_avg", False):
        if "latent_avg" in outer:
            outer.ignore("latent_avg", "opts says that the encoder does not start from it")
        return torch.zeros(config.num_ws, config.w_dim)
    shape = outer.shape("latent_avg")
    per_level = len(shape) == 2 and shape[0] != 1
    average = outer.take("latent_avg", (config.num_ws, config.w_dim) if per_level else (*shape[:-1], config.w_dim))
    return average.reshape(-1, config.w_dim).expand(config.num_ws, -1).contiguous()


def _decoder(source: Source) -> tuple[tuple[Imported, ...], KeyReport]:
    """The generator that lies beside the encoder, with its mapping network, as a companion; and what lies beside both."""
    state = source.content["state_dict"]
    parts = _part(state, _DECODER)
    others = [key for key in state if not key.startswith((_ENCODER, _DECODER))]
    rest = KeyTable(source.path, {key: state[key] for key in others}, "state_dict.")
    if not parts:
        return (), rest.report()
    table = KeyTable(source.path, parts, f"state_dict.{_DECODER}")
    generator = stylegan2_rosinality.read_generator(table, source, FORMAT)
    return (generator,), rest.report()


IMPORTER = Importer(FORMAT, "encoder", _recognises, _read)
