"""Encoders of e4e and pSp: files of their format give their numbers, and what does not fit is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.textedit_core.checkpoints.importers import pyramid_file
from textedit_core.checkpoints.importers.contract import Imported
from textedit_core.checkpoints.importers.detect import detect, open_source
from textedit_core.encoder import build_encoder
from textedit_core.errors import UserError


def _imported(path: Path, saved: dict[str, Any]) -> Imported:
    source = open_source(pyramid_file.write(path / "encoder.pt", saved))
    return detect(source, "encoder").read(source, "")


@pytest.mark.parametrize("encoder_type", ["Encoder4Editing", "GradualStyleEncoder"])
def test_encoder_gives_the_numbers_of_its_file(tmp_path: Path, encoder_type: str) -> None:
    saved = pyramid_file.content(encoder_type)
    imported = _imported(tmp_path, saved)
    network = build_encoder(imported.config)
    network.load_state_dict(imported.tensors)
    image = torch.rand(2, 3, pyramid_file.SIZE, pyramid_file.SIZE) * 2 - 1
    with torch.no_grad():
        found, wanted = network.eval()(image), pyramid_file.answer(saved, image)
    assert found.shape == (2, pyramid_file.LEVELS, pyramid_file.WIDTHS[-1])
    # The bound that the import promises.
    assert (found - wanted).abs().max() < 1e-4 < wanted.abs().max()


def test_every_key_is_accounted_for(tmp_path: Path) -> None:
    saved = pyramid_file.content()
    saved |= {"global_step": 200000, "optimizer": {"state": {}}}
    report = _imported(tmp_path, saved).report
    assert set(report.used) == {f"state_dict.{key}" for key in saved["state_dict"]} | {"latent_avg"}
    assert {"opts", "global_step", "optimizer"} <= set(report.ignored)


def test_missing_counters_of_old_files_are_reported(tmp_path: Path) -> None:
    saved = pyramid_file.content()
    saved["state_dict"] = {key: value for key, value in saved["state_dict"].items() if "num_batches" not in key}
    assert "state_dict.encoder.input_layer.1.num_batches_tracked" in _imported(tmp_path, saved).report.missing


def test_average_of_one_row_serves_every_level(tmp_path: Path) -> None:
    saved = pyramid_file.content()
    saved["latent_avg"] = saved["latent_avg"][:1]
    w_avg = _imported(tmp_path, saved).tensors["w_avg"]
    assert torch.equal(w_avg, saved["latent_avg"].expand(pyramid_file.LEVELS, -1))


def test_encoder_without_an_average_starts_from_zero(tmp_path: Path) -> None:
    imported = _imported(tmp_path, pyramid_file.content(start_from_latent_avg=False))
    assert not imported.tensors["w_avg"].any() and imported.w_avg is None
    assert "latent_avg" in imported.report.ignored


@pytest.mark.parametrize("key", ["styles.5.linear.weight", "body.7.res_layer.5.fc1.weight", "latlayer2.bias"])
def test_missing_key_is_named(tmp_path: Path, key: str) -> None:
    saved = pyramid_file.content()
    del saved["state_dict"][f"encoder.{key}"]
    with pytest.raises(UserError, match=f"lacks state_dict.encoder.{key}"):
        _imported(tmp_path, saved)


def test_wrong_shape_is_named(tmp_path: Path) -> None:
    saved = pyramid_file.content()
    saved["state_dict"]["encoder.styles.7.convs.4.weight"] = torch.zeros(16, 16, 1, 1)
    with pytest.raises(UserError, match=r"state_dict.encoder.styles.7.convs.4.weight has the shape \[16, 16, 1, 1\], not \[16, 16, 3, 3\]"):
        _imported(tmp_path, saved)


def test_missing_average_is_named(tmp_path: Path) -> None:
    saved = pyramid_file.content()
    del saved["latent_avg"]
    with pytest.raises(UserError, match="lacks latent_avg"):
        _imported(tmp_path, saved)


def test_unknown_key_is_named(tmp_path: Path) -> None:
    saved = pyramid_file.content()
    saved["state_dict"]["encoder.attention.weight"] = torch.zeros(1)
    with pytest.raises(UserError, match="unknown keys: state_dict.encoder.attention.weight"):
        _imported(tmp_path, saved)


@pytest.mark.parametrize("encoder_type", ["BackboneEncoderUsingLastLayerIntoW", None])
def test_other_encoders_are_refused_by_name(tmp_path: Path, encoder_type: str | None) -> None:
    with pytest.raises(UserError, match=f"encoder_type {encoder_type!r}.*Encoder4Editing, GradualStyleEncoder"):
        _imported(tmp_path, pyramid_file.content(encoder_type))


def test_encoder_of_drawings_is_refused(tmp_path: Path) -> None:
    saved = pyramid_file.content("GradualStyleEncoder")
    saved["state_dict"]["encoder.input_layer.0.weight"] = torch.zeros(16, 19, 3, 3)
    with pytest.raises(UserError, match="encodes images of 19 channels"):
        _imported(tmp_path, saved)
