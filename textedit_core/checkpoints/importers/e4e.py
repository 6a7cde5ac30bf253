"""Encoders of e4e, pSp and ReStyle: a .pt with the whole model as `state_dict`, `latent_avg` and the options of its training, `opts`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from textedit_core.checkpoints.importers import stylegan2_rosinality
from textedit_core.checkpoints.importers.contract import ChoiceNeeded, Imported, Importer, KeyReport, KeyTable, Source
from textedit_core.checkpoints.importers.training_options import generator_levels
from textedit_core.checkpoints.importers.unwrap import Found, find_network
from textedit_core.checkpoints.importers.whole_network import take_network
from textedit_core.config import EncoderConfig
from textedit_core.encoder import build_encoder
from textedit_core.errors import UsageError, UserError

FORMAT = "e4e-psp"
_ENCODER, _DECODER = "encoder.", "decoder."
_WRAPPERS = ("state_dict", "params_ema", "params", "model")
EncoderKind = Literal["e4e", "psp", "backbone_w", "restyle_psp", "restyle_e4e"]
# What the files call their encoders, and what this project does.
_KINDS: dict[str, EncoderKind] = {
    "Encoder4Editing": "e4e",
    "GradualStyleEncoder": "psp",
    "BackboneEncoderUsingLastLayerIntoW": "backbone_w",
    "BackboneEncoder": "restyle_psp",
    "ProgressiveBackboneEncoder": "restyle_e4e",
}
_STEPWISE: tuple[EncoderKind, ...] = ("restyle_psp", "restyle_e4e")
# Steps that ReStyle's own inference takes.
_STEPS, _MOST_STEPS = 5, 20
_NAMES = {"stem": "input_layer", "body": "body", "heads": "styles", "middle_lateral": "latlayer1", "fine_lateral": "latlayer2"}
# The first convolution of a unit in each stage of the backbone.
_STAGE_CONVS = tuple(f"body.{unit}.res_layer.1.weight" for unit in (0, 3, 7, 21))
# Of an encoder into W, which has no head that would tell.
_PHOTO, _DEFAULT_LEVELS = 256, 18


def _is_model(state: Mapping[str, Any]) -> bool:
    return f"{_ENCODER}input_layer.0.weight" in state


def _found(source: Source) -> Found | None:
    return find_network(source.content, _WRAPPERS, _is_model)


def _recognises(source: Source) -> bool:
    return _found(source) is not None


def _read(source: Source, choice: str) -> Imported:
    found = _found(source)
    assert found is not None
    options = _options(source)
    table = KeyTable(source.path, _part(found.tensors, _ENCODER), f"{found.prefix}{_ENCODER}")
    config = dataclasses.replace(_config(table, options, source), iterations=_steps(options, choice, source))
    tensors = take_network(table, partial(_without_average, config), _foreign_name)
    tensors["w_avg"], average = _average(source, found, options, config)
    decoder, rest = _decoder(source, found)
    # An average that is not used stays among what lies beside.
    beside = {key: "read part by part" if key == "opts" else why for key, why in found.beside.items() if key not in average.used}
    report = table.report().joined(rest).joined(KeyReport(average.used, {**beside, **average.ignored}, average.missing))
    w_avg = tensors["w_avg"] if average.used else None
    into_w = config.kind == "backbone_w"
    return Imported("encoder", FORMAT, config, tensors, report, decoder, (_note(config, options),), w_avg, open_levels=into_w)


def _note(config: EncoderConfig, options: dict[str, Any]) -> str:
    note = f"{options['encoder_type']}: reads photos of {config.img_resolution} px"
    if config.kind == "backbone_w":
        return f"{note}, one answer for all levels"
    note = f"{note}, {config.num_ws} levels"
    if config.kind in _STEPWISE:
        steps = config.iterations
        return f"{note}; corrects itself in {steps} steps: a photo costs {steps} runs of its network and {steps - 1} of the decoder's"
    return note


def _steps(options: dict[str, Any], choice: str, source: Source) -> int:
    """How often an encoder corrects itself: as chosen, or as its options say, or as ReStyle's inference does; all others once."""
    if _KINDS[options["encoder_type"]] not in _STEPWISE:
        if choice:
            raise UsageError(f"--encoder FILE#{choice}: only encoders that correct themselves in steps (ReStyle) take a number of them")
        return 1
    steps = choice or str(options.get("n_iters_per_batch") or _STEPS)
    if not steps.isdecimal() or not 1 <= int(steps) <= _MOST_STEPS:
        raise UserError(f"{str(source.path)!r} cannot take {steps!r} steps; give 1 to {_MOST_STEPS}: --encoder FILE#{_STEPS}")
    return int(steps)


def _options(source: Source) -> dict[str, Any]:
    options = source.content.get("opts")
    kind = options.get("encoder_type") if isinstance(options, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        known = ", ".join(_KINDS)
        problem = f"opts says encoder_type {kind!r}"
        if not isinstance(options, dict):
            problem = "it has no opts, and weights alone do not tell one encoder from another (encoder_type None)"
        elif str(kind).startswith("ResNet"):
            problem += ", which stands on a ResNet-34 and was made for other things than faces"
        raise UserError(f"{str(source.path)!r}: {problem}; the encoders that can be imported are: {known}")
    return dict(options)


def _part(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}


def _config(table: KeyTable, options: dict[str, Any], source: Source) -> EncoderConfig:
    kind = _KINDS[options["encoder_type"]]
    channels, wanted = table.shape("input_layer.0.weight", 4)[1], 6 if kind in _STEPWISE else 3
    if channels != wanted:
        photos = "photos beside pictures (6)" if kind in _STEPWISE else "photos (3)"
        raise UserError(f"{str(source.path)!r} encodes images of {channels} channels, not {photos}; import an encoder of photos")
    stages = tuple(table.shape(key, 4)[0] for key in _STAGE_CONVS)
    if kind == "backbone_w":
        levels = generator_levels(options, ("output_size", "stylegan_size"), source) or _DEFAULT_LEVELS
        w_dim = table.shape("linear.weight", 2)[0]
        return EncoderConfig(img_resolution=_PHOTO, num_ws=levels, w_dim=w_dim, kind=kind, widths=stages)
    levels = len({key.split(".")[1] for key in table.keys() if key.startswith("styles.")})
    # Each convolution of a coarse head halves its map, until one pixel is left.
    halvings = sum(key.startswith("styles.0.convs.") and key.endswith(".weight") for key in table.keys())
    w_dim = table.shape("styles.0.linear.weight", 2)[0]
    return EncoderConfig(img_resolution=16 * 2**halvings, num_ws=levels, w_dim=w_dim, kind=kind, widths=stages)


def _without_average(config: EncoderConfig) -> nn.Module:
    network = build_encoder(config)
    del network.w_avg
    return network


def _foreign_name(key: str) -> str:
    part, _, rest = key.partition(".")
    if part == "heads" and ".convs." in rest:
        level, _, number, leaf = rest.split(".")
        # An activation lies between two convolutions.
        rest = f"{level}.convs.{2 * int(number)}.{leaf}"
    return f"{_NAMES.get(part, part)}.{rest}"


def _average(source: Source, found: Found, options: dict[str, Any], config: EncoderConfig) -> tuple[Tensor, KeyReport]:
    """What the encoder starts from, float32 [L,D], and an account of it: zero, the file's own average or the generator's."""
    levels, w_dim, outer = config.num_ws, config.w_dim, KeyTable(source.path, found.loose)
    if config.kind not in _STEPWISE and not options.get("start_from_latent_avg", False):
        reason = {"latent_avg": "opts says that the encoder does not start from it"}
        return torch.zeros(levels, w_dim), KeyReport((), reason if "latent_avg" in outer else {})
    if "latent_avg" in outer:
        average = outer.take("latent_avg", outer.shape("latent_avg"))
        report = KeyReport(("latent_avg",))
    elif source.w_avg is not None:
        average, report = source.w_avg, KeyReport((), {}, {"latent_avg": "that of the generator stands in"})
    else:
        raise ChoiceNeeded(f"{str(source.path)!r} lacks latent_avg; give a generator whose file has one too: --encoder FILE --decoder FILE")
    if average.numel() not in (w_dim, levels * w_dim) or average.shape[-1] != w_dim:
        found_shape = list(average.shape)
        raise UserError(f"{str(source.path)!r}: latent_avg has the shape {found_shape}, not {[levels, w_dim]}; is it of another generator?")
    return average.reshape(-1, w_dim).expand(levels, -1).contiguous(), report


def _decoder(source: Source, found: Found) -> tuple[tuple[Imported, ...], KeyReport]:
    """The generator that lies beside the encoder, with its mapping network, as a companion; and what lies beside both."""
    parts = _part(found.tensors, _DECODER)
    others = {key: value for key, value in found.tensors.items() if not key.startswith((_ENCODER, _DECODER))}
    rest = KeyTable(source.path, others, found.prefix).report()
    if not parts:
        return (), rest
    table = KeyTable(source.path, parts, f"{found.prefix}{_DECODER}")
    return (stylegan2_rosinality.read_generator(table, source, FORMAT),), rest


IMPORTER = Importer(FORMAT, "encoder", _recognises, _read, takes_choice=True)
