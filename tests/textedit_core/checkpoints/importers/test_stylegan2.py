"""StyleGAN2 generators of both layouts give the images that the paper's equations give for the file's own weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.textedit_core.checkpoints.importers.foreign_stylegan2 import (
    W_DIM,
    clamped,
    map_z,
    nvidia_state,
    render,
    rosinality_state,
    write_nvidia,
    write_rosinality,
)
from textedit_core.checkpoints.import_model import import_file, inspect_file
from textedit_core.checkpoints.importers.contract import Imported
from textedit_core.decoder import MappingNetwork, build_decoder
from textedit_core.errors import UserError

Writer = Callable[[Path, dict[str, Tensor]], Path]


def write_nvidia_of(path: Path, state: dict[str, Tensor]) -> Path:
    return write_nvidia(path, nvidia_state(state))


def write_old_rosinality(path: Path, state: dict[str, Tensor]) -> Path:
    return write_rosinality(path, state, zipped=False)


@pytest.mark.parametrize("write", [write_rosinality, write_old_rosinality, write_nvidia_of])
def test_images_and_latents_are_those_of_the_equations(write: Writer, tmp_path: Path) -> None:
    state = rosinality_state()
    imported = import_file(write(tmp_path / "generator", state), "decoder")
    w_plus, z = torch.randn(2, 8, W_DIM, generator=torch.manual_seed(1)), torch.randn(2, W_DIM, generator=torch.manual_seed(2))
    decoder = build_decoder(imported.config)
    decoder.load_state_dict(imported.tensors, strict=True)
    mapping = MappingNetwork(imported.companions[0].config)
    mapping.load_state_dict(imported.companions[0].tensors, strict=True)
    with torch.no_grad():
        torch.testing.assert_close(decoder(w_plus), render(state, w_plus), atol=1e-4, rtol=0)
        torch.testing.assert_close(mapping(z), map_z(state, z), atol=1e-5, rtol=0)
    assert imported.w_avg is not None and torch.equal(imported.w_avg, torch.arange(W_DIM) / 10)


def test_every_key_is_accounted_for(tmp_path: Path) -> None:
    state = rosinality_state()
    imported = import_file(write_rosinality(tmp_path / "a.pt", state, d={"convs.0.weight": torch.zeros(1)}, ada_aug_p=0.1))
    assert set(imported.report.used) == {f"g_ema.{key}" for key in state} | {"latent_avg"}
    assert set(imported.report.ignored) == {"d", "ada_aug_p"}


def test_nvidia_settings_that_change_the_network_are_refused(tmp_path: Path) -> None:
    state = nvidia_state(rosinality_state())
    path = write_nvidia(tmp_path / "a.pkl", state, {"synthesis.b8": {"architecture": "resnet"}})
    with pytest.raises(UserError, match="architecture 'resnet'"):
        import_file(path)
    labelled = {**state, "mapping.embed.weight": torch.zeros(16, 10)}
    with pytest.raises(UserError, match=r"10 classes \(mapping.embed.weight\)"):
        import_file(write_nvidia(tmp_path / "b.pkl", labelled))


def test_clamping_is_kept(tmp_path: Path) -> None:
    state = rosinality_state()
    # A limit that bites; NVIDIA's is 256.
    imported = import_file(write_nvidia(tmp_path / "a.pkl", nvidia_state(state), clamped(0.9)))
    assert imported.config.clamp == 0.9 and "clamp at +-0.9" in imported.notes[0]
    w_plus = torch.randn(2, 8, W_DIM, generator=torch.manual_seed(1))
    decoder = build_decoder(imported.config)
    decoder.load_state_dict(imported.tensors, strict=True)
    with torch.no_grad():
        torch.testing.assert_close(decoder(w_plus), render(state, w_plus, 0.9), atol=1e-4, rtol=0)
        assert not torch.allclose(decoder(w_plus), render(state, w_plus), atol=0.1)
    free = import_file(write_nvidia(tmp_path / "b.pkl", nvidia_state(state), clamped(None)))
    assert (free.config.clamp, free.notes) == (0.0, ())


def test_layers_that_clamp_differently_are_refused(tmp_path: Path) -> None:
    settings = {**clamped(256), "synthesis.b8.torgb": {"conv_clamp": None}}
    with pytest.raises(UserError, match=r"clamps its layers differently \(conv_clamp 0, 256\)"):
        import_file(write_nvidia(tmp_path / "a.pkl", nvidia_state(rosinality_state()), settings))


def _altered(key: str, value: Tensor | None) -> dict[str, Tensor]:
    state = {**rosinality_state(), key: value}
    return {name: tensor for name, tensor in state.items() if tensor is not None}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("convs.3.activate.bias", None, "lacks g_ema.convs.3.activate.bias"),
        ("convs.2.conv.modulation.bias", torch.zeros(9), r"g_ema.convs.2.conv.modulation.bias has the shape \[9\], not \[10\]"),
        ("style.2.bias", torch.full((16,), float("nan")), "g_ema.style.2.bias holds numbers that are not finite"),
        ("input.input", torch.zeros(12), r"g_ema.input.input has the shape \[12\], not 4 dimensions"),
        ("to_rgbs.1.extra", torch.zeros(1), "unknown keys: g_ema.to_rgbs.1.extra"),
        ("convs.0.conv.blur.kernel", torch.ones(4, 4), "convs.0.conv.blur.kernel is not the"),
    ],
)
def test_a_wrong_key_is_named(key: str, value: Tensor | None, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        import_file(write_rosinality(tmp_path / "a.pt", _altered(key, value)))


def test_nvidia_wrong_shape_is_named(tmp_path: Path) -> None:
    state = {**nvidia_state(rosinality_state()), "synthesis.b16.conv0.noise_const": torch.zeros(8, 8)}
    with pytest.raises(UserError, match=r"G_ema.synthesis.b16.conv0.noise_const has the shape \[8, 8\], not \[16, 16\]"):
        import_file(write_nvidia(tmp_path / "a.pkl", state))


def test_inspection_says_what_a_file_is(tmp_path: Path) -> None:
    words = inspect_file(write_nvidia_of(tmp_path / "a.pkl", rosinality_state()))
    assert "stylegan2-nvidia" in words and "img_resolution 32" in words and "num_ws 8" in words


def test_half_precision_becomes_single(tmp_path: Path) -> None:
    state = {key: value.half() for key, value in rosinality_state().items()}
    imported: Imported = import_file(write_rosinality(tmp_path / "a.pt", state))
    assert {tensor.dtype for tensor in imported.tensors.values()} == {torch.float32}
