"""The config of an imported model, and whether its parts speak of the same latents."""

from __future__ import annotations

import dataclasses

from textedit_core.alignment import FFHQ_CROP
from textedit_core.checkpoints.importers.contract import Imported
from textedit_core.checkpoints.importers.editor_fit import fit_editor
from textedit_core.checkpoints.store import Checkpoint
from textedit_core.config import ModelConfig, around_decoder
from textedit_core.editor.config import EditorConfig
from textedit_core.encoder.config import EncoderConfig
from textedit_core.errors import UsageError, UserError
from textedit_core.latents import LatentSpec

# Encoders look at no more; the width of a residual editor that is trained later is that of the StyleGAN2 preset.
_ENCODER_SIZE = 256
_EDITOR_WIDTH = 128


def imported_config(name: str, base: Checkpoint | None, parts: dict[str, Imported]) -> ModelConfig:
    """The config of what was imported, on top of `base`; parts without a file get the config that training them would take.

    Raises:
        UsageError: there is no decoder.
        UserError: two parts differ in the levels or the width of w_plus; the message names them.
    """
    config = base.config if base is not None else _around_decoder(name, parts)
    found = {kind: parts[kind].config for kind in ("decoder", "mapping", "encoder", "identity", "clip") if kind in parts}
    config = dataclasses.replace(config, name=name, **found)
    if "decoder" in parts or "encoder" in parts:
        # What can be imported was trained on faces that were cut out as FFHQ's were.
        config = dataclasses.replace(config, crop=FFHQ_CROP)
    if "encoder" in parts:
        config = dataclasses.replace(config, pixel=dataclasses.replace(config.pixel, size=config.encoder.img_resolution))
    _check_latents(config, base, parts)
    return config


def fitted_editors(parts: dict[str, Imported], config: ModelConfig) -> dict[str, Imported]:
    """The parts with every imported editor brought to the decoder's levels.

    Raises:
        UserError: an editor was made for other latents.
    """
    num_ws, w_dim = config.decoder.num_ws, config.decoder.w_dim
    return {
        part: fit_editor(imported, num_ws, w_dim, part.removeprefix("editors/")) if imported.kind == "editor" else imported
        for part, imported in parts.items()
    }


def _around_decoder(name: str, parts: dict[str, Imported]) -> ModelConfig:
    if "decoder" not in parts:
        raise UsageError("there is no decoder: give --decoder, an encoder's file that holds one, or --base with a checkpoint")
    decoder = parts["decoder"].config
    encoder = EncoderConfig(img_resolution=min(decoder.img_resolution, _ENCODER_SIZE))
    return around_decoder(name, decoder, encoder, EditorConfig(hidden_dim=_EDITOR_WIDTH))


def _check_latents(config: ModelConfig, base: Checkpoint | None, parts: dict[str, Imported]) -> None:
    """What ModelConfig cannot see: editors that the base checkpoint imported, latents, and the mapping."""
    if base is not None:
        for prompt in base.prompts.values():
            if prompt.editor and f"editors/{prompt.id}" not in parts:
                config.require_latent(f"editors/{prompt.id}", prompt.editor.latent)
    if "latents" in parts:
        config.require_latent("latents", LatentSpec(*parts["latents"].tensors["w_plus"].shape[1:]))
    width = config.mapping.w_dim
    if "mapping" in parts and width != config.latent.w_dim:
        raise UserError(f"the mapping network makes {width} numbers, the decoder takes {config.latent.w_dim}; they are of different models")
