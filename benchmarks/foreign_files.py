"""Foreign files of full size with random weights, in formats that `python -m textedit_core import` reads.

With them, what an import of published weights and an export of the result cost can be measured without owning any.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.request import ForeignFilesRequest
from textedit_core.config import stylegan2
from textedit_core.decoder import MappingNetwork, StyleGAN2Decoder
from textedit_core.decoder.config import DecoderConfig, MappingConfig
from textedit_core.decoder.layers import StyledConv, ToRGB, fir_kernel
from textedit_core.editor import LevelsMapper
from textedit_core.editor.config import EditorConfig
from textedit_core.encoder import PyramidEncoder
from textedit_core.encoder.config import EncoderConfig
from textedit_core.errors import UserError

State = dict[str, Tensor]
GENERATOR, ENCODER, MAPPER = "generator.pt", "encoder.pt", "mapper.pt"
# Of the mapping network, for the average latent.
_SAMPLES = 1000
_MAPPER_LAYERS = 4
# Of e4e: its photos, and the backbone's stages before the last, which is as wide as w.
_PHOTO, _ENCODER_WIDTHS = 256, (64, 128, 256)
# Strong enough that noise which is lost on the way would show.
_NOISE_STRENGTH = 0.1
_ENCODER_NAMES = {"stem": "input_layer", "body": "body", "heads": "styles", "middle_lateral": "latlayer1", "fine_lateral": "latlayer2"}


def write_foreign_files(request: ForeignFilesRequest) -> list[Path]:
    """Writes a StyleGAN2 generator of config F in rosinality's layout, an e4e encoder, and a LevelsMapper of StyleCLIP for it.

    Raises:
        UserError: the resolution is none of StyleGAN2's, or the folder cannot be written.
    """
    torch.manual_seed(request.seed)
    contents = foreign_contents(stylegan2(request.resolution).decoder)
    try:
        request.out.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            torch.save(content, request.out / name)
    except (OSError, RuntimeError) as error:
        raise UserError(f"cannot write {str(request.out)!r}: {error}") from None
    return [request.out / name for name in contents]


@torch.no_grad()
def foreign_contents(config: DecoderConfig) -> dict[str, dict[str, Any]]:
    """What the files hold, by their names, for a generator of `config`."""
    size, mapping = config.img_resolution, MappingNetwork(MappingConfig(config.w_dim, config.w_dim, config.w_dim))
    w_avg = mapping(torch.randn(_SAMPLES, config.w_dim)).mean(0)
    average = w_avg.expand(config.num_ws, -1).contiguous()
    options = {"encoder_type": "Encoder4Editing", "start_from_latent_avg": True, "stylegan_size": size}
    mapper_options = {"mapper_type": "LevelsMapper", "stylegan_size": size, "description": "a random change"}
    return {
        GENERATOR: {"g_ema": generator_state(config, mapping), "latent_avg": w_avg},
        ENCODER: {"state_dict": encoder_state(config), "latent_avg": average, "opts": options},
        MAPPER: {"state_dict": mapper_state(config), "opts": mapper_options},
    }


def generator_state(config: DecoderConfig, mapping: MappingNetwork) -> State:
    """A random decoder with active noise and its mapping network, under the keys of rosinality's `g_ema`."""
    decoder = StyleGAN2Decoder(config)
    state = {"input.input": decoder.const, **_styled("conv1", decoder.input, 0), **_to_rgb("to_rgb1", decoder.to_rgbs[0])}
    for i, layer in enumerate(mapping.layers, 1):
        state |= {f"style.{i}.weight": layer.weight, f"style.{i}.bias": layer.bias}
    for i, (up, same, to_rgb) in enumerate(zip(decoder.ups, decoder.convs, decoder.to_rgbs[1:], strict=True)):
        state |= _styled(f"convs.{2 * i}", up, 2 * i + 1) | _styled(f"convs.{2 * i + 1}", same, 2 * i + 2)
        state |= _to_rgb(f"to_rgbs.{i}", to_rgb)
        state |= {name: fir_kernel() * 4.0 for name in (f"convs.{2 * i}.conv.blur.kernel", f"to_rgbs.{i}.upsample.kernel")}
    return _stored(state)


def encoder_state(config: DecoderConfig) -> State:
    """A random e4e encoder of photos of 256 px or less for the decoder's levels, under the keys of its files."""
    size, widths = min(config.img_resolution, _PHOTO), (*_ENCODER_WIDTHS, config.w_dim)
    encoder = PyramidEncoder(EncoderConfig(img_resolution=size, num_ws=config.num_ws, w_dim=config.w_dim, kind="e4e", widths=widths))
    state = encoder.state_dict()
    del state["w_avg"]
    return _stored({f"encoder.{_encoder_key(key)}": value for key, value in state.items()})


def mapper_state(config: DecoderConfig) -> State:
    """A random LevelsMapper for the decoder's levels, under the keys of StyleCLIP's files."""
    size = config.w_dim
    mapper = LevelsMapper(EditorConfig(config.num_ws, size, size, _MAPPER_LAYERS, kind="levels_mapper"))
    groups = {"coarse": "course", "medium": "medium", "fine": "fine"}
    state: State = {}
    for name, group in mapper.groups.items():
        for i, layer in enumerate((*group.blocks, group.leave), 1):
            prefix = f"mapper.{groups[name]}_mapping.mapping.{i}"
            state |= {f"{prefix}.weight": layer.weight, f"{prefix}.bias": layer.bias}
    return _stored(state)


def _styled(name: str, layer: StyledConv, number: int) -> State:
    return {
        **_modulated(name, layer.conv),
        f"{name}.activate.bias": layer.bias,
        f"{name}.noise.weight": torch.full((1,), _NOISE_STRENGTH),
        f"noises.noise_{number}": layer.noise_const[None, None],
    }


def _to_rgb(name: str, layer: ToRGB) -> State:
    return {**_modulated(name, layer.conv), f"{name}.bias": layer.bias.reshape(1, 3, 1, 1)}


def _modulated(name: str, conv: nn.Module) -> State:
    return {
        f"{name}.conv.weight": conv.weight[None],
        f"{name}.conv.modulation.weight": conv.affine.weight,
        f"{name}.conv.modulation.bias": conv.affine.bias,
    }


def _encoder_key(key: str) -> str:
    part, _, rest = key.partition(".")
    if part == "heads" and ".convs." in rest:
        level, _, number, leaf = rest.split(".")
        # The files count the activations between convolutions too.
        rest = f"{level}.convs.{2 * int(number)}.{leaf}"
    return f"{_ENCODER_NAMES[part]}.{rest}"


def _stored(state: State) -> State:
    return {key: value.detach().clone() for key, value in state.items()}
