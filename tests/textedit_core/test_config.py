"""Configs survive JSON, and damaged or misspelt ones are refused by name."""

from __future__ import annotations

import dataclasses
import json

import pytest

from textedit_core.checkpoints.store import REFERENCE
from textedit_core.config import PRESETS, IdentityConfig, model_config_from_dict, preset, stylegan2, to_dict
from textedit_core.errors import UsageError, UserError
from textedit_core.latents import LatentSpec
from textedit_core.reference_prompts import REFERENCE_PROMPTS
from textedit_core.training.editor_recipe import EDITOR_RECIPES


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_survive_json(name: str) -> None:
    config = preset(name)
    assert model_config_from_dict(json.loads(json.dumps(to_dict(config)))) == config


def test_shipped_config_is_written_as_it_was_read() -> None:
    written = json.loads((REFERENCE / "checkpoint.json").read_text("utf8"))["config"]
    assert json.dumps(to_dict(model_config_from_dict(written))) == json.dumps(written)


def test_fields_of_imported_networks_are_written_for_them_alone() -> None:
    config = preset("tiny")
    assert "iterations" not in to_dict(config)["encoder"] and "blocks" not in to_dict(config)["identity"]
    encoder = dataclasses.replace(config.encoder, kind="restyle_e4e", iterations=5)
    imported = dataclasses.replace(config, encoder=encoder, identity=IdentityConfig(kind="iresnet", blocks=(3, 4, 14, 3)))
    written = to_dict(imported)
    assert written["encoder"]["iterations"] == 5 and written["identity"]["blocks"] == (3, 4, 14, 3)
    assert model_config_from_dict(json.loads(json.dumps(written))) == imported


def test_parts_of_another_latent_are_refused() -> None:
    config = preset("tiny")
    assert config.latent == LatentSpec(num_ws=6, w_dim=16)
    with pytest.raises(UserError, match="editor has 18 levels of 16 numbers, the decoder 6 of 16; they are of different models"):
        dataclasses.replace(config, editor=dataclasses.replace(config.editor, num_ws=18))
    written = to_dict(config)
    with pytest.raises(UserError, match="encoder has 6 levels of 8 numbers, the decoder 6 of 16"):
        model_config_from_dict({**written, "encoder": {**written["encoder"], "w_dim": 8}})


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_parts_of_a_preset_fit_together(name: str) -> None:
    config = preset(name)
    assert config.encoder.latent == config.editor.latent == config.decoder.latent
    assert config.mapping.w_dim == config.latent.w_dim
    assert config.encoder.img_resolution == config.pixel.size


def test_unknown_preset_names_those_that_exist() -> None:
    with pytest.raises(UsageError, match=r"unknown preset 'mobil'; the presets are: mobile_256.*tiny"):
        preset("mobil")


def test_missing_and_unknown_keys_are_refused() -> None:
    whole = to_dict(preset("tiny"))
    with pytest.raises(UserError, match="decoder"):
        model_config_from_dict({key: value for key, value in whole.items() if key != "decoder"})
    with pytest.raises(UserError, match="unknown keys: colour"):
        model_config_from_dict({**whole, "colour": 1})
    with pytest.raises(UserError, match="depth"):
        model_config_from_dict({**whole, "editor": {**whole["editor"], "depth": 3}})


def test_impossible_resolution_is_refused() -> None:
    with pytest.raises(UserError, match="48 is not one of"):
        stylegan2(48)


def test_stylegan2_widths_are_the_published_ones() -> None:
    # Karras et al. 2020, configuration F at 1024 px: 512 channels up to 64 px, then halved down to 32.
    widths = dict(stylegan2(1024).decoder.channels)
    assert widths == {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64, 1024: 32}


def test_every_reference_prompt_has_a_recipe_and_names() -> None:
    assert {"smile", "child", "sketch"} < set(EDITOR_RECIPES) == set(REFERENCE_PROMPTS)
    for key, prompt in REFERENCE_PROMPTS.items():
        assert prompt.id == key
        assert prompt.text and prompt.neutral_text and prompt.names["en"]
        assert prompt.strength_min <= prompt.strength_default <= prompt.strength_max
