"""StyleGAN3 generators of both configurations give the images that the paper's definition gives for the file's own weights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.textedit_core.checkpoints.importers.foreign_stylegan2 import write_nvidia
from textedit_core.checkpoints.import_model import ImportRequest, import_checkpoint, import_file
from textedit_core.decoder import build_decoder
from textedit_core.errors import UserError

W_DIM, RATE = 12, 8
# Input and output channels and sizes, up and down factors: the last convolution is sampled critically.
LAYERS = ((6, 6, 12, 12, 2, 2), (6, 5, 12, 20, 4, 2), (5, 4, 20, 16, 2, 2))
TAPS = 6
State = dict[str, Tensor]
Settings = dict[str, dict[str, Any]]


def _generator(radial: bool) -> tuple[State, Settings]:
    """The tensors and the attributes of a small generator; the filters are lopsided, so that turning one shows."""
    draw = torch.Generator().manual_seed(5)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw)

    first = LAYERS[0][0]
    state = {"synthesis.input.transform": torch.eye(3), "synthesis.input.freqs": normal(first, 2), "synthesis.input.phases": normal(first)}
    state |= {"synthesis.input.weight": normal(first, first), "synthesis.input.affine.weight": normal(4, W_DIM)}
    state |= {"synthesis.input.affine.bias": torch.tensor([1.0, 0, 0, 0])}
    settings: Settings = {"synthesis": {"img_resolution": 16, "output_scale": 0.25}}
    rows = [*LAYERS, (4, 3, 16, 16, 1, 1)]
    for i, (width, out, _, size, up, down) in enumerate(rows):
        name, last = f"synthesis.L{i}_{size}_{out}", i == len(LAYERS)
        kernel, is_radial = (1 if radial or last else 3), radial and i < 2
        state |= {f"{name}.affine.weight": normal(width, W_DIM), f"{name}.affine.bias": 1 + 0.1 * normal(width)}
        state |= {f"{name}.weight": normal(out, width, kernel, kernel), f"{name}.bias": 0.1 * normal(out)}
        state[f"{name}.magnitude_ema"] = torch.tensor(0.7 + 0.2 * i)
        up_taps, down_taps = (1, 1) if last else (TAPS * up, TAPS * down)
        if not last:
            state[f"{name}.up_filter"] = torch.rand(up_taps, generator=draw) / up_taps
            state[f"{name}.down_filter"] = torch.rand(*[down_taps] * (2 if is_radial else 1), generator=draw) / down_taps
        settings[name] = {"up_factor": up, "down_factor": down, "up_taps": up_taps, "down_taps": down_taps, "down_radial": is_radial}
        settings[name] |= {"conv_clamp": 256, "in_sampling_rate": RATE}
    state |= {"mapping.fc0.weight": normal(W_DIM, 7), "mapping.fc0.bias": normal(W_DIM), "mapping.w_avg": torch.ones(W_DIM)}
    return state, settings


def _resampled(x: Tensor, taps: Tensor, up: int, down: int, pad: tuple[int, int], gain: float) -> Tensor:
    """Zeros between the samples, padding, a true convolution, every `down`-th sample: the definition of appendix D."""
    spread = torch.zeros(*x.shape[:2], x.shape[2] * up, x.shape[3] * up)
    spread[:, :, ::up, ::up] = x
    spread = F.pad(spread, (*pad, *pad))
    plane = taps if taps.ndim == 2 else torch.outer(taps, taps)
    kernel = (plane * gain).flip(0, 1)[None, None].expand(x.shape[1], 1, -1, -1)
    return F.conv2d(spread, kernel, groups=x.shape[1])[:, :, ::down, ::down]


def _render(state: State, w_plus: Tensor) -> Tensor:
    def affine(name: str, w: Tensor) -> Tensor:
        return w @ state[f"{name}.affine.weight"].t() / math.sqrt(W_DIM) + state[f"{name}.affine.bias"]

    def fourier(w: Tensor) -> Tensor:
        images = []
        for c, s, dx, dy in affine("synthesis.input", w):
            length = (c**2 + s**2).sqrt()
            rotation = torch.stack([c, -s, s, c]).reshape(2, 2) / length
            shift = rotation @ (-torch.stack([dx, dy]) / length)
            freqs = state["synthesis.input.freqs"]
            steps = (torch.arange(LAYERS[0][2]) - (LAYERS[0][2] - 1) / 2) / RATE
            points = torch.stack([steps.repeat(len(steps), 1), steps[:, None].repeat(1, len(steps))], dim=-1)
            waves = torch.sin(2 * math.pi * (points @ (freqs @ rotation).t() + state["synthesis.input.phases"] + freqs @ shift))
            images.append((waves @ state["synthesis.input.weight"].t() / math.sqrt(LAYERS[0][0])).permute(2, 0, 1))
        return torch.stack(images)

    x = fourier(w_plus[:, 0])
    for i, (_, out, before, size, up, down) in enumerate(LAYERS):
        name = f"synthesis.L{i}_{size}_{out}"
        weight, style = state[f"{name}.weight"], affine(name, w_plus[:, i + 1])
        modulated = weight * style[:, None, :, None, None]
        modulated = modulated / modulated.square().sum((2, 3, 4), keepdim=True).sqrt() / state[f"{name}.magnitude_ema"].sqrt()
        kernel = weight.shape[-1]
        x = torch.cat([F.conv2d(one[None], each, padding=kernel - 1) for one, each in zip(x, modulated, strict=True)])
        x = x + state[f"{name}.bias"][None, :, None, None]
        total = (size - 1) * down + 1 - (before + kernel - 1) * up + TAPS * up + TAPS * down - 2
        pad = ((total + up) // 2, total - (total + up) // 2)
        x = F.leaky_relu(_resampled(x, state[f"{name}.up_filter"], up, 1, pad, up**2), 0.2) * math.sqrt(2)
        x = _resampled(x, state[f"{name}.down_filter"], 1, down, (0, 0), 1.0)
    name = "synthesis.L3_16_3"
    weight = state[f"{name}.weight"][:, :, 0, 0] / math.sqrt(4) / state[f"{name}.magnitude_ema"].sqrt()
    y = torch.einsum("bihw,bi,oi->bohw", x, affine(name, w_plus[:, -1]), weight)
    return (y + state[f"{name}.bias"][None, :, None, None]) * 0.25


@pytest.mark.parametrize("radial", [False, True])
def test_images_are_those_of_the_definition(radial: bool, tmp_path: Path) -> None:
    state, settings = _generator(radial)
    imported = import_file(write_nvidia(tmp_path / "a.pkl", state, settings), "decoder")
    decoder = build_decoder(imported.config)
    decoder.load_state_dict(imported.tensors, strict=True)
    w_plus = torch.randn(2, 5, W_DIM, generator=torch.manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(decoder(w_plus), _render(state, w_plus), atol=1e-4, rtol=0)
        assert decoder.preview(w_plus).shape == (2, 3, 8, 8)
    assert set(imported.report.used) == {f"G_ema.{key}" for key in state}
    assert imported.notes == (f"configuration -{'r' if radial else 't'}, 5 levels",)


def test_a_checkpoint_keeps_the_layers(tmp_path: Path) -> None:
    state, settings = _generator(radial=True)
    checkpoint = import_checkpoint(ImportRequest(tmp_path / "out", decoder=write_nvidia(tmp_path / "a.pkl", state, settings)))
    w_plus = torch.randn(1, 5, W_DIM, generator=torch.manual_seed(2))
    torch.testing.assert_close(checkpoint.load_decoder()(w_plus), _render(state, w_plus), atol=1e-4, rtol=0)


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    state, settings = _generator(radial=False)
    wrong = {**state, "synthesis.L1_20_5.up_filter": torch.zeros(12)}
    with pytest.raises(UserError, match=r"G_ema.synthesis.L1_20_5.up_filter has the shape \[12\], not \[24\]"):
        import_file(write_nvidia(tmp_path / "a.pkl", wrong, settings))
    with pytest.raises(UserError, match="lacks layers"):
        import_file(write_nvidia(tmp_path / "b.pkl", {key: value for key, value in state.items() if ".L1_" not in key}, settings | {}))
    with pytest.raises(UserError, match="transform is not the identity"):
        import_file(write_nvidia(tmp_path / "c.pkl", {**state, "synthesis.input.transform": torch.zeros(3, 3)}, settings))
