"""pSp's encoder into W and ReStyle's encoders: files of their format give their numbers, and averages may come with the generator."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from export.fold import fold
from tests.textedit_core.checkpoints.importers import pyramid_file
from tests.textedit_core.checkpoints.importers.foreign_stylegan2 import W_DIM, render, rosinality_state, write_rosinality
from textedit_core.checkpoints.import_model import ImportRequest, import_checkpoint, import_file, inspect_file
from textedit_core.checkpoints.importers.contract import ChoiceNeeded
from textedit_core.encoder import build_encoder, refuse_stepwise
from textedit_core.errors import UsageError, UserError

LEVELS, SIZE = pyramid_file.LEVELS, pyramid_file.SIZE
STEPWISE = ["BackboneEncoder", "ProgressiveBackboneEncoder"]


def _restyle(encoder_type: str, **options: Any) -> dict[str, Any]:
    """A whole model of ReStyle: an encoder of photo and picture whose heads all see the last features, and its generator."""
    saved = pyramid_file.content(encoder_type, **options)
    widths, state = pyramid_file.WIDTHS, saved["state_dict"]
    heads = {key: value for key, value in state.items() if ".styles." not in key and ".latlayer" not in key}
    for level in range(LEVELS):
        heads |= {f"encoder.{key}": value for key, value in pyramid_file.head(f"styles.{level}", widths[-1], SIZE // 16).items()}
    heads["encoder.input_layer.0.weight"] = torch.randn(widths[0], 6, 3, 3) * 0.2
    decoder = {f"decoder.{key}": value for key, value in rosinality_state().items()}
    # Offsets as small as trained ones are: a picture of a latent far off would be of no use.
    return {**saved, "state_dict": {**heads, **decoder}, "latent_avg": saved["latent_avg"] * 0.1}


def _offsets(saved: dict[str, Any], pair: Tensor) -> Tensor:
    state = {key.removeprefix("encoder."): value for key, value in saved["state_dict"].items()}
    features = pyramid_file.backbone(state, pair)[-1]
    offsets = [pyramid_file.head_answer(state, f"styles.{i}", features) for i in range(LEVELS)]
    if saved["opts"]["encoder_type"] == "ProgressiveBackboneEncoder":
        offsets[1:] = [offsets[0] + offset for offset in offsets[1:]]
    return torch.stack(offsets, 1)


def _restyle_answer(saved: dict[str, Any], image: Tensor, steps: int) -> Tensor:
    """Alaluf et al. 2021, section 3: each step reads the photo and the picture of the last answer, and adds to it."""
    w_plus = saved["latent_avg"].expand(len(image), -1, -1)
    for _ in range(steps):
        w_plus = w_plus + _offsets(saved, torch.cat([image, render(rosinality_state(), w_plus)], 1))
    return w_plus


@pytest.mark.parametrize("encoder_type", STEPWISE)
def test_restyle_gives_the_numbers_of_its_file(encoder_type: str, tmp_path: Path) -> None:
    saved = _restyle(encoder_type)
    request = ImportRequest(tmp_path / "out", encoder=Path(f"{pyramid_file.write(tmp_path / 'e.pt', saved)}#2"))
    words: list[str] = []
    encoder = import_checkpoint(request, words.append).load_encoder()
    image = torch.rand(2, 3, SIZE, SIZE) * 2 - 1
    wanted = _restyle_answer(saved, image, steps=2)
    with torch.no_grad():
        assert (encoder(image) - wanted).abs().max() < 1e-3 < wanted.std()
        folded = fold(encoder, image)
        assert (folded(image) - wanted).abs().max() < 1e-3
    assert "2 runs of its network and 1 of the decoder's" in words[0]


def test_restyle_takes_five_steps_unless_told(tmp_path: Path) -> None:
    path = pyramid_file.write(tmp_path / "e.pt", _restyle(STEPWISE[0]))
    assert import_file(path, "encoder").config.iterations == 5  # of its authors' inference
    pyramid_file.write(path, _restyle(STEPWISE[0], n_iters_per_batch=2))
    assert import_file(path, "encoder").config.iterations == 2
    with pytest.raises(UserError, match="cannot take 'many' steps; give 1 to 20"):
        import_file(path, "encoder", "many")


def test_steps_of_an_encoder_that_takes_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="only encoders that correct themselves in steps"):
        import_file(pyramid_file.write(tmp_path / "e.pt", pyramid_file.content()), "encoder", "3")


@pytest.mark.parametrize("decoder_side", [16, 32, 64])
def test_pictures_of_other_sizes_are_averaged_or_repeated(decoder_side: int, tmp_path: Path) -> None:
    imported = import_file(pyramid_file.write(tmp_path / "e.pt", _restyle(STEPWISE[0])), "encoder")
    picture = torch.rand(1, 3, decoder_side, decoder_side)
    encoder = build_encoder(imported.config)
    encoder.load_state_dict(imported.tensors)
    encoder.watch(lambda w_plus: picture)
    assert torch.allclose(encoder.average_face, F.adaptive_avg_pool2d(picture, SIZE), atol=1e-6)


def test_encoders_of_steps_are_not_trained_here(tmp_path: Path) -> None:
    imported = import_file(pyramid_file.write(tmp_path / "e.pt", _restyle(STEPWISE[0])), "encoder")
    with pytest.raises(UserError, match="'restyle_psp' corrects its answer in steps and cannot be trained here"):
        refuse_stepwise(imported.config)


def _into_w(**options: Any) -> dict[str, Any]:
    saved = pyramid_file.content("BackboneEncoderUsingLastLayerIntoW", **options)
    width = pyramid_file.WIDTHS[-1]
    state = {key: value for key, value in saved["state_dict"].items() if ".styles." not in key and ".latlayer" not in key}
    state |= {"encoder.linear.weight": torch.randn(width, width), "encoder.linear.bias": torch.randn(width)}
    return {**saved, "state_dict": state, "latent_avg": torch.randn(1, width)}


def test_an_encoder_into_w_answers_for_every_level(tmp_path: Path) -> None:
    saved = _into_w(output_size=1024)
    generator = write_rosinality(tmp_path / "g.pt", rosinality_state())
    request = ImportRequest(tmp_path / "out", decoder=generator, encoder=pyramid_file.write(tmp_path / "e.pt", saved))
    encoder = import_checkpoint(request).load_encoder()
    image = torch.rand(2, 3, SIZE, SIZE) * 2 - 1
    state = {key.removeprefix("encoder."): value for key, value in saved["state_dict"].items()}
    pooled = pyramid_file.backbone(state, image)[-1].mean((2, 3))
    w = F.linear(pooled, state["linear.weight"] / W_DIM**0.5, state["linear.bias"]) + saved["latent_avg"]
    with torch.no_grad():
        assert torch.allclose(encoder(image), w.unsqueeze(1).expand(-1, LEVELS, -1), atol=1e-4)


def test_an_average_may_lie_in_the_generators_file(tmp_path: Path) -> None:
    saved = pyramid_file.content()
    average = saved.pop("latent_avg")[:1]
    encoder, generator = pyramid_file.write(tmp_path / "e.pt", saved), tmp_path / "g.pt"
    torch.save({"g_ema": rosinality_state(), "latent_avg": average}, generator)
    checkpoint = import_checkpoint(ImportRequest(tmp_path / "out", decoder=generator, encoder=encoder))
    image = torch.rand(1, 3, SIZE, SIZE) * 2 - 1
    wanted = pyramid_file.answer({**saved, "latent_avg": average.expand(LEVELS, -1)}, image)
    with torch.no_grad():
        assert (checkpoint.load_encoder()(image) - wanted).abs().max() < 1e-4
    # The base has the same average.
    again = import_checkpoint(ImportRequest(tmp_path / "again", encoder=encoder, base=tmp_path / "out"))
    assert again.files["encoder.safetensors"] == checkpoint.files["encoder.safetensors"]
    with pytest.raises(ChoiceNeeded, match="lacks latent_avg; give a generator"):
        import_file(encoder, "encoder")
    assert "lacks latent_avg; give a generator" in inspect_file(encoder)


@pytest.mark.parametrize("prefix", ["module.", "net."])
def test_prefixes_and_counters_of_encoders(prefix: str, tmp_path: Path) -> None:
    saved = pyramid_file.content()
    plain = import_file(pyramid_file.write(tmp_path / "a.pt", saved), "encoder")
    wrapped = {**saved, "state_dict": {prefix + key: value for key, value in saved["state_dict"].items()}, "epoch": 3}
    imported = import_file(pyramid_file.write(tmp_path / "b.pt", wrapped), "encoder")
    assert all(torch.equal(imported.tensors[key], value) for key, value in plain.tensors.items())
    assert imported.report.ignored["epoch"] == "a counter or a setting of the training"


def test_a_base_keeps_its_decoder_unless_another_is_named(tmp_path: Path) -> None:
    generator = write_rosinality(tmp_path / "g.pt", rosinality_state(seed=1))
    base = import_checkpoint(ImportRequest(tmp_path / "base", decoder=generator))
    saved = pyramid_file.content()
    saved["state_dict"] |= {f"decoder.{key}": value for key, value in rosinality_state(seed=2).items()}
    request = ImportRequest(tmp_path / "out", encoder=pyramid_file.write(tmp_path / "e.pt", saved), base=tmp_path / "base")
    words: list[str] = []
    kept = import_checkpoint(request, words.append)
    names = ("decoder.safetensors", "mapping.safetensors", "latent_average.safetensors")
    assert all(kept.files[name] == base.files[name] for name in names)
    assert any("the decoder in its file is left out, since the base has one" in word for word in words)
    named = import_checkpoint(dataclasses.replace(request, out=tmp_path / "named", decoder=tmp_path / "e.pt"))
    w_plus = torch.randn(1, LEVELS, W_DIM)
    assert (named.load_decoder()(w_plus) - render(rosinality_state(seed=2), w_plus)).abs().max() < 1e-3
