"""Recognisers of the IR family and insightface's: the networks give what their definition gives for the file's own weights."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from textedit_core.checkpoints.import_model import import_file
from textedit_core.errors import UserError
from textedit_core.perception.face_identity import build_identity

WIDTHS = (64, 128, 256, 512)
# The units below are the shallowest of both families, two a stage: the depth alone differs in the others.
State = dict[str, Tensor]


class _Draw:
    """Random weights of layers, all from one seed."""

    def __init__(self) -> None:
        self._draw = torch.Generator().manual_seed(0)

    def norm(self, name: str, width: int) -> State:
        rand = {leaf: torch.rand(width, generator=self._draw) + 0.5 for leaf in ("weight", "running_var")}
        shift = {leaf: torch.randn(width, generator=self._draw) * 0.1 for leaf in ("bias", "running_mean")}
        return {f"{name}.{leaf}": value for leaf, value in {**rand, **shift}.items()}

    def weight(self, name: str, *shape: int) -> State:
        return {f"{name}.weight": torch.randn(*shape, generator=self._draw) / math.prod(shape[1:]) ** 0.5}

    def slope(self, name: str, width: int) -> State:
        return {f"{name}.weight": torch.rand(width, generator=self._draw) * 0.5}

    def linear(self, name: str, out: int, width: int) -> State:
        return {**self.weight(name, out, width), f"{name}.bias": torch.randn(out, generator=self._draw) * 0.1}


def _units() -> list[tuple[int, int, int]]:
    """In and out channels and stride of every unit."""
    before = (64, *WIDTHS)
    return [(before[stage if first else stage + 1], WIDTHS[stage], 2 if first else 1) for stage in range(4) for first in (True, False)]


def _ir(squeeze: bool) -> State:
    draw = _Draw()
    state = draw.weight("input_layer.0", 64, 3, 3, 3) | draw.norm("input_layer.1", 64) | draw.slope("input_layer.2", 64)
    for i, (width, out, _) in enumerate(_units()):
        inner = f"body.{i}.res_layer"
        state |= draw.norm(f"{inner}.0", width) | draw.weight(f"{inner}.1", out, width, 3, 3) | draw.slope(f"{inner}.2", out)
        state |= draw.weight(f"{inner}.3", out, out, 3, 3) | draw.norm(f"{inner}.4", out)
        if squeeze:
            state |= draw.weight(f"{inner}.5.fc1", out // 16, out, 1, 1) | draw.weight(f"{inner}.5.fc2", out, out // 16, 1, 1)
        if width != out:
            state |= draw.weight(f"body.{i}.shortcut_layer.0", out, width, 1, 1) | draw.norm(f"body.{i}.shortcut_layer.1", out)
    return state | draw.norm("output_layer.0", 512) | draw.linear("output_layer.3", 512, 512 * 49) | draw.norm("output_layer.4", 512)


def _insightface() -> State:
    draw = _Draw()
    state = draw.weight("conv1", 64, 3, 3, 3) | draw.norm("bn1", 64) | draw.slope("prelu", 64)
    for i, (width, out, stride) in enumerate(_units()):
        name = f"layer{i // 2 + 1}.{i % 2}"
        state |= draw.norm(f"{name}.bn1", width) | draw.weight(f"{name}.conv1", out, width, 3, 3) | draw.norm(f"{name}.bn2", out)
        state |= draw.slope(f"{name}.prelu", out) | draw.weight(f"{name}.conv2", out, out, 3, 3) | draw.norm(f"{name}.bn3", out)
        if stride == 2:
            state |= draw.weight(f"{name}.downsample.0", out, width, 1, 1) | draw.norm(f"{name}.downsample.1", out)
    return state | draw.norm("bn2", 512) | draw.linear("fc", 512, 512 * 49) | draw.norm("features", 512)


def _norm(state: State, name: str, x: Tensor) -> Tensor:
    shape = (1, -1) + (1,) * (x.ndim - 2)
    mean, variance, gain, shift = (state[f"{name}.{leaf}"].view(shape) for leaf in ("running_mean", "running_var", "weight", "bias"))
    return (x - mean) / (variance + 1e-5).sqrt() * gain + shift


def _ir_answer(state: State, face: Tensor) -> Tensor:
    """Deng et al. 2019, section 3.1.2, with the gate of Hu et al. 2018 where the file has one."""
    x = F.prelu(_norm(state, "input_layer.1", F.conv2d(face, state["input_layer.0.weight"], padding=1)), state["input_layer.2.weight"])
    for i, (_, _, stride) in enumerate(_units()):
        inner, shortcut = f"body.{i}.res_layer", x[..., ::stride, ::stride]
        if f"body.{i}.shortcut_layer.0.weight" in state:
            projected = F.conv2d(shortcut, state[f"body.{i}.shortcut_layer.0.weight"])
            shortcut = _norm(state, f"body.{i}.shortcut_layer.1", projected)
        h = F.prelu(F.conv2d(_norm(state, f"{inner}.0", x), state[f"{inner}.1.weight"], padding=1), state[f"{inner}.2.weight"])
        h = _norm(state, f"{inner}.4", F.conv2d(h, state[f"{inner}.3.weight"], stride=stride, padding=1))
        if f"{inner}.5.fc1.weight" in state:
            gate = F.relu(F.conv2d(h.mean((2, 3), keepdim=True), state[f"{inner}.5.fc1.weight"]))
            h = h * torch.sigmoid(F.conv2d(gate, state[f"{inner}.5.fc2.weight"]))
        x = h + shortcut
    x = F.linear(_norm(state, "output_layer.0", x).flatten(1), state["output_layer.3.weight"], state["output_layer.3.bias"])
    return _norm(state, "output_layer.4", x)


def _insightface_answer(state: State, face: Tensor) -> Tensor:
    """Duta et al. 2020 as arcface_torch has it: a norm between the first convolution of a unit and its activation."""
    x = F.prelu(_norm(state, "bn1", F.conv2d(face, state["conv1.weight"], padding=1)), state["prelu.weight"])
    for i, (_, _, stride) in enumerate(_units()):
        name = f"layer{i // 2 + 1}.{i % 2}"
        shortcut = x
        if stride == 2:
            shortcut = _norm(state, f"{name}.downsample.1", F.conv2d(x, state[f"{name}.downsample.0.weight"], stride=2))
        h = _norm(state, f"{name}.bn2", F.conv2d(_norm(state, f"{name}.bn1", x), state[f"{name}.conv1.weight"], padding=1))
        h = F.conv2d(F.prelu(h, state[f"{name}.prelu.weight"]), state[f"{name}.conv2.weight"], stride=stride, padding=1)
        x = _norm(state, f"{name}.bn3", h) + shortcut
    return _norm(state, "features", F.linear(_norm(state, "bn2", x).flatten(1), state["fc.weight"], state["fc.bias"]))


@pytest.mark.parametrize(
    ("family", "kind", "blocks"), [("ir", "ir", (2, 2, 2, 2)), ("ir_se", "ir_se", (2, 2, 2, 2)), ("r18", "iresnet", (2, 2, 2, 2))]
)
def test_recogniser_gives_the_numbers_of_its_file(family: str, kind: str, blocks: tuple[int, ...], tmp_path: Path) -> None:
    state = _insightface() if family == "r18" else _ir(squeeze=family == "ir_se")
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}, "epoch": 3}, tmp_path / "backbone.pth")
    imported = import_file(tmp_path / "backbone.pth", "identity")
    assert (imported.config.kind, imported.config.blocks) == (kind, blocks)
    network = build_identity(imported.config).eval()
    network.load_state_dict(imported.tensors)
    face = torch.rand(1, 3, 112, 112, generator=torch.manual_seed(1)) * 2 - 1
    wanted = _insightface_answer(state, face) if family == "r18" else _ir_answer(state, face)
    with torch.no_grad():
        assert (network(face) - wanted).abs().max() < 1e-3 * wanted.std()
        assert [features.shape[1] for features in network.features(face)] == list(WIDTHS)
        assert network.embed(face).norm() == pytest.approx(1.0, abs=1e-5)


def test_depths_of_the_family_are_told_by_their_units(tmp_path: Path) -> None:
    # Keys alone: what a depth of 100 layers has in each stage is its published table's (3, 13, 30, 3).
    few = {f"body.{i}.res_layer.1.weight": torch.zeros(1) for i in range(49)}
    state = {"input_layer.0.weight": torch.zeros(1), "output_layer.0.weight": torch.zeros(1), **few}
    state |= {f"body.0.res_layer.{i}.weight": torch.zeros(1) for i in (0, 2)}
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"input_layer.0.weight has the shape \[1\], not \[64, 3, 3, 3\]"):
        import_file(tmp_path / "a.pth", "identity")
    torch.save({key: value for key, value in state.items() if not key.startswith("body.48.")}, tmp_path / "a.pth")
    with pytest.raises(UserError, match="has 48 units; recognisers of this family that can be imported have 8, 16, 24, 49, 50"):
        import_file(tmp_path / "a.pth", "identity")
