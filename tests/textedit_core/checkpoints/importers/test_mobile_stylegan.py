"""MobileStyleGAN checkpoints give the images that the original's definition gives for the file's own weights."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from textedit_core.checkpoints.import_model import import_file
from textedit_core.decoder import build_decoder
from textedit_core.errors import UserError

W_DIM = 12
# 32 px out of 16 px features.
WIDTHS = (16, 12, 8)
LEVELS = 8


def _state() -> dict[str, Tensor]:
    """The student's state dict with the original's keys and shapes, and one key of each kind that lies beside it."""
    draw = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw)

    state = {"input.input": normal(1, WIDTHS[0], 4, 4), "device_info": torch.zeros(1), "idwt.g0_col": torch.ones(1, 1, 2, 1)}

    def modulation(name: str, width: int) -> None:
        state[f"{name}.modulation.weight"] = 0.3 * normal(width, W_DIM)
        state[f"{name}.modulation.bias"] = 1 + 0.1 * normal(width)

    def styled(name: str, width: int, out: int) -> None:
        modulation(f"{name}.conv", width)
        state[f"{name}.conv.style_inv"] = normal(1, 1, width, 1, 1)
        state[f"{name}.noise.weight"], state[f"{name}.bias"] = normal(1), normal(1, out, 1, 1)

    def to_image(name: str, width: int) -> None:
        modulation(f"{name}.conv", width)
        state[f"{name}.conv.weight"], state[f"{name}.bias"] = normal(12, width, 1, 1), normal(1, 12, 1, 1)

    state["conv1.conv.weight"] = normal(WIDTHS[0], WIDTHS[0], 3, 3)
    styled("conv1", WIDTHS[0], WIDTHS[0])
    to_image("to_img1", WIDTHS[0])
    for i, (width, out) in enumerate(zip(WIDTHS[:-1], WIDTHS[1:], strict=True)):
        modulation(f"layers.{i}.up", width)
        state[f"layers.{i}.up.idwt.g0_col"] = torch.ones(1, 1, 2, 1)
        for name, into in ((f"layers.{i}.conv1", width // 4), (f"layers.{i}.conv2", out)):
            state[f"{name}.conv.weight_dw"], state[f"{name}.conv.weight_permute"] = normal(into, 1, 3, 3), normal(out, into, 1, 1)
            styled(name, into, out)
        to_image(f"layers.{i}.to_img", out)
    return state


def _write(path: Path, student: dict[str, Tensor]) -> Path:
    state = {f"student.{key}": value for key, value in student.items()}
    for i in (1, 2):
        state[f"mapping_net.layers.{i}.weight"], state[f"mapping_net.layers.{i}.bias"] = torch.randn(W_DIM, W_DIM), torch.zeros(W_DIM)
    state |= {"style_mean": torch.ones(1, LEVELS, W_DIM), "synthesis_net.input.input": torch.zeros(1), "device_info": torch.tensor(1)}
    torch.save({"epoch": 3, "state_dict": state, "optimizer_states": []}, path)
    return path


def _render(state: dict[str, Tensor], w_plus: Tensor, noise: list[Tensor]) -> Tensor:
    """Belousov 2021 as its code defines it: features are scaled, convolved, then scaled by a constant per channel."""

    def scaled(name: str, x: Tensor, w: Tensor) -> Tensor:
        return x * F.linear(w, state[f"{name}.modulation.weight"], state[f"{name}.modulation.bias"])[:, :, None, None]

    def haar(low: Tensor, high: Tensor) -> Tensor:
        bands = high.reshape(len(low), low.shape[1], 3, *low.shape[2:]).unbind(2)
        image = torch.zeros(*low.shape[:2], 2 * low.shape[2], 2 * low.shape[3])
        for row in (0, 1):
            for column in (0, 1):
                down, across = (-1) ** row, (-1) ** column
                image[:, :, row::2, column::2] = (low + down * bands[0] + across * bands[1] + down * across * bands[2]) / 2
        return image

    def styled(name: str, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        conv, gain = f"{name}.conv", 1 / math.sqrt(9 * x.shape[1])
        if f"{conv}.weight" in state:
            kernel = state[f"{conv}.weight"]
            y = F.conv2d(gain * scaled(conv, x, w), kernel, padding=1)
        else:
            kernel = state[f"{conv}.weight_dw"][:, 0] * state[f"{conv}.weight_permute"]
            y = F.conv2d(gain * scaled(conv, x, w), kernel, padding=1)
        norm = (gain * state[f"{conv}.style_inv"][0] * kernel).square().sum((1, 2, 3))
        y = y / (norm + 1e-8).sqrt()[None, :, None, None] + state[f"{name}.noise.weight"] * noise
        return F.leaky_relu(y + state[f"{name}.bias"], 0.2)

    x = styled("conv1", state["input.input"].expand(len(w_plus), -1, -1, -1), w_plus[:, 0], noise[0])
    for i in range(len(WIDTHS) - 1):
        x = scaled(f"layers.{i}.up", x, w_plus[:, 3 * i + 1])
        x = haar(x[:, : WIDTHS[i] // 4], x[:, WIDTHS[i] // 4 :])
        x = styled(f"layers.{i}.conv1", x, w_plus[:, 3 * i + 1], noise[2 * i + 1])
        x = styled(f"layers.{i}.conv2", x, w_plus[:, 3 * i + 2], noise[2 * i + 2])
    name = f"layers.{len(WIDTHS) - 2}.to_img"
    bands = F.conv2d(scaled(f"{name}.conv", x, w_plus[:, 3 * len(WIDTHS) - 3]), state[f"{name}.conv.weight"]) / math.sqrt(x.shape[1])
    bands = bands + state[f"{name}.bias"]
    return haar(bands[:, :3], bands[:, 3:])


def test_images_are_those_of_the_definition(tmp_path: Path) -> None:
    state = _state()
    imported = import_file(_write(tmp_path / "a.ckpt", state), "decoder")
    decoder = build_decoder(imported.config)
    decoder.load_state_dict(imported.tensors, strict=True)
    assert (decoder.num_ws, decoder.img_resolution) == (LEVELS, 32)
    names = ["input", "enters.0", "leaves.0", "enters.1", "leaves.1"]
    noise = [imported.tensors[f"{name}.noise_const"] for name in names]
    w_plus = torch.randn(2, LEVELS, W_DIM, generator=torch.manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(decoder(w_plus), _render(state, w_plus, noise), atol=1e-4, rtol=0)
        assert decoder.preview(w_plus).shape == (2, 3, 16, 16)
    assert imported.w_avg is not None and imported.w_avg.shape == (LEVELS, W_DIM)
    assert imported.companions[0].config.num_layers == 2


def test_the_report_tells_what_was_left_out_and_what_stands_in(tmp_path: Path) -> None:
    report = import_file(_write(tmp_path / "a.ckpt", _state())).report
    assert report.ignored["state_dict.student.to_img1.bias"].startswith("an image of a lower size")
    assert {"state_dict.synthesis_net.input.input", "epoch", "optimizer_states"} <= set(report.ignored)
    assert report.missing["state_dict.student.conv1.noise.noise"] == "noise is drawn once and frozen"


def test_stored_noise_is_kept(tmp_path: Path) -> None:
    noise = torch.full((1, 1, 4, 4), 5.0)
    imported = import_file(_write(tmp_path / "a.ckpt", {**_state(), "conv1.noise.noise": noise}))
    assert torch.equal(imported.tensors["input.noise_const"], noise[0, 0])


def test_wrong_keys_are_named(tmp_path: Path) -> None:
    state = {key: value for key, value in _state().items() if key != "layers.1.conv2.conv.style_inv"}
    with pytest.raises(UserError, match="lacks state_dict.student.layers.1.conv2.conv.style_inv"):
        import_file(_write(tmp_path / "a.ckpt", state))
    with pytest.raises(UserError, match=r"student.layers.0.conv1.bias has the shape \[12\], not \[1, 12, 1, 1\]"):
        import_file(_write(tmp_path / "b.ckpt", {**_state(), "layers.0.conv1.bias": torch.zeros(12)}))
