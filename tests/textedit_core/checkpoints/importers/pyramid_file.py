"""Small files in the format of e4e and pSp, and what an encoder of that format answers, written down from its definition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

# Of the backbone's 24 units, those that open a stage; the first two maps are not looked at by any head.
STAGE_STARTS = (0, 3, 7, 21)
UNITS = 24
WIDTHS = (16, 16, 32, 16)
LEVELS = 8  # 2 * log2(32) - 2, of a generator of 32 px
SIZE = 32


def state_dict(widths: tuple[int, ...] = WIDTHS, levels: int = LEVELS, size: int = SIZE) -> dict[str, Tensor]:
    """Random weights under the official keys."""
    torch.manual_seed(0)
    state = {"input_layer.0.weight": torch.randn(widths[0], 3, 3, 3) * 0.2, "input_layer.2.weight": torch.full((widths[0],), 0.25)}
    state |= _norm("input_layer.1", widths[0])
    width = widths[0]
    for unit in range(UNITS):
        out = widths[sum(unit >= start for start in STAGE_STARTS) - 1]
        state |= _unit(f"body.{unit}", width, out)
        width = out
    for level in range(levels):
        state |= head(f"styles.{level}", width, size // (16 if level < 3 else 8 if level < 7 else 4))
    for name, source in (("latlayer1", widths[2]), ("latlayer2", widths[1])):
        state |= {f"{name}.weight": torch.randn(width, source, 1, 1) * 0.1, f"{name}.bias": torch.randn(width) * 0.1}
    return state


def _norm(name: str, width: int) -> dict[str, Tensor]:
    return {
        f"{name}.weight": torch.rand(width) + 0.5,
        f"{name}.bias": torch.randn(width) * 0.1,
        f"{name}.running_mean": torch.randn(width) * 0.1,
        f"{name}.running_var": torch.rand(width) + 0.5,
        f"{name}.num_batches_tracked": torch.tensor(7),
    }


def _unit(name: str, width: int, out: int) -> dict[str, Tensor]:
    state = _norm(f"{name}.res_layer.0", width) | _norm(f"{name}.res_layer.4", out)
    if width != out:
        state |= _norm(f"{name}.shortcut_layer.1", out) | {f"{name}.shortcut_layer.0.weight": torch.randn(out, width, 1, 1) * 0.2}
    return state | {
        f"{name}.res_layer.1.weight": torch.randn(out, width, 3, 3) * 0.05,
        f"{name}.res_layer.2.weight": torch.rand(out) * 0.5,
        f"{name}.res_layer.3.weight": torch.randn(out, out, 3, 3) * 0.05,
        f"{name}.res_layer.5.fc1.weight": torch.randn(out // 16, out, 1, 1) * 0.2,
        f"{name}.res_layer.5.fc2.weight": torch.randn(out, out // 16, 1, 1) * 0.2,
    }


def head(name: str, width: int, side: int) -> dict[str, Tensor]:
    """Random weights of a head that looks at maps of `side` px."""
    state = {f"{name}.linear.weight": torch.randn(width, width), f"{name}.linear.bias": torch.randn(width) * 0.1}
    for number in range(side.bit_length() - 1):
        state[f"{name}.convs.{2 * number}.weight"] = torch.randn(width, width, 3, 3) * 0.05
        state[f"{name}.convs.{2 * number}.bias"] = torch.randn(width) * 0.1
    return state


def content(encoder_type: str = "Encoder4Editing", **options: Any) -> dict[str, Any]:
    """What torch.load gives for such a file."""
    state = {f"encoder.{key}": value for key, value in state_dict().items()}
    opts = {"encoder_type": encoder_type, "start_from_latent_avg": True, "stylegan_size": SIZE, "device": "cuda:0", **options}
    return {"state_dict": state, "latent_avg": torch.randn(LEVELS, WIDTHS[-1]), "opts": opts}


def write(path: Path, saved: dict[str, Any]) -> Path:
    """Saves as the trainers do."""
    torch.save(saved, path)
    return path


def answer(saved: dict[str, Any], image: Tensor) -> Tensor:
    """w_plus of a file's encoder, from the definitions in Richardson et al. 2021 and Tov et al. 2021 and their files' keys."""
    state = {key.removeprefix("encoder."): value for key, value in saved["state_dict"].items()}
    maps = backbone(state, image)
    coarse = maps[23]
    middle = _doubled(coarse) + F.conv2d(maps[20], state["latlayer1.weight"], state["latlayer1.bias"])
    fine = _doubled(middle) + F.conv2d(maps[6], state["latlayer2.weight"], state["latlayer2.bias"])
    levels = len(saved["latent_avg"])
    offsets = [head_answer(state, f"styles.{i}", coarse if i < 3 else middle if i < 7 else fine) for i in range(levels)]
    if saved["opts"]["encoder_type"] == "Encoder4Editing":
        offsets[1:] = [offsets[0] + offset for offset in offsets[1:]]
    return torch.stack(offsets, 1) + saved["latent_avg"]


def backbone(state: dict[str, Tensor], image: Tensor) -> list[Tensor]:
    """What each unit of the backbone answers."""
    x = F.prelu(_normed(state, "input_layer.1", F.conv2d(image, state["input_layer.0.weight"], padding=1)), state["input_layer.2.weight"])
    maps = []
    for unit in range(UNITS):
        x = _unit_answer(state, f"body.{unit}", x, stride=2 if unit in STAGE_STARTS else 1)
        maps.append(x)
    return maps


def _normed(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    gain = state[f"{name}.weight"] / (state[f"{name}.running_var"] + 1e-5).sqrt()
    return (x - state[f"{name}.running_mean"][:, None, None]) * gain[:, None, None] + state[f"{name}.bias"][:, None, None]


def _unit_answer(state: dict[str, Tensor], name: str, x: Tensor, stride: int) -> Tensor:
    shortcut = x[..., ::stride, ::stride]
    if f"{name}.shortcut_layer.0.weight" in state:
        shortcut = _normed(state, f"{name}.shortcut_layer.1", F.conv2d(shortcut, state[f"{name}.shortcut_layer.0.weight"]))
    h = F.conv2d(_normed(state, f"{name}.res_layer.0", x), state[f"{name}.res_layer.1.weight"], padding=1)
    h = F.conv2d(F.prelu(h, state[f"{name}.res_layer.2.weight"]), state[f"{name}.res_layer.3.weight"], stride=stride, padding=1)
    h = _normed(state, f"{name}.res_layer.4", h)
    gate = F.relu(F.conv2d(h.mean((2, 3), keepdim=True), state[f"{name}.res_layer.5.fc1.weight"]))
    return h * torch.sigmoid(F.conv2d(gate, state[f"{name}.res_layer.5.fc2.weight"])) + shortcut


def head_answer(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    """w of one head."""
    number = 0
    while f"{name}.convs.{number}.weight" in state:
        x = F.leaky_relu(F.conv2d(x, state[f"{name}.convs.{number}.weight"], state[f"{name}.convs.{number}.bias"], 2, 1), 0.01)
        number += 2
    weight = state[f"{name}.linear.weight"]
    return F.linear(x.flatten(1), weight / weight.shape[1] ** 0.5, state[f"{name}.linear.bias"])


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
