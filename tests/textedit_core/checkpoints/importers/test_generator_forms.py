"""One StyleGAN2 generator in the many forms that files have it in: each gives the image that the equations give for its weights."""

from __future__ import annotations

import pickle
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.textedit_core.checkpoints.importers.foreign_stylegan2 import (
    W_DIM,
    clamped,
    map_z,
    nvidia_module,
    nvidia_state,
    render,
    rosinality_state,
    save_nvidia,
    write_nvidia,
)
from textedit_core.checkpoints.import_model import import_file, inspect_file
from textedit_core.checkpoints.importers.contract import Imported
from textedit_core.decoder import MappingNetwork, build_decoder
from textedit_core.errors import UsageError, UserError

State = dict[str, Tensor]
AVERAGE = torch.arange(W_DIM) / 10


def _basicsr(state: State) -> State:
    """The same generator by BasicSR's names; its filters are no buffers."""

    def renamed(key: str) -> str:
        for old, new in (
            ("style.", "style_mlp."),
            ("input.input", "constant_input.weight"),
            ("convs.", "style_convs."),
            ("conv1.", "style_conv1."),
        ):
            if key.startswith(old):
                key = key.replace(old, new, 1)
        return key.replace(".conv.", ".modulated_conv.").replace(".noise.weight", ".weight").replace("noise_", "noise")

    return {renamed(key): value for key, value in state.items() if not key.endswith("kernel")}


def _prefixed(prefix: str, state: State) -> State:
    return {prefix + key: value for key, value in state.items()}


FORMS: dict[str, Callable[[State], Any]] = {
    "data parallel": lambda s: {"g_ema": _prefixed("module.", s), "latent_avg": AVERAGE},
    "compiled data parallel": lambda s: {"g_ema": _prefixed("module._orig_mod.", s)},
    "bare": lambda s: s,
    "bare with an average and a counter": lambda s: {**s, "latent_avg": AVERAGE, "iter": 7, "n_averaged": torch.tensor(3)},
    "in training alone": lambda s: {"g": s, "g_optim": {"state": {}}},
    "average before training": lambda s: {"g": {key: value + 1 for key, value in s.items()}, "g_ema": s},
    "counters": lambda s: {"g_ema": s, "iter": 1000, "epoch": torch.tensor(3), "name": "run", "d_optim": {}},
    "state_dict": lambda s: {"state_dict": _prefixed("generator.", s)},
    "state_dict of wrappers": lambda s: {"state_dict": {"g_ema": s}, "epoch": 3},
    "params_ema": lambda s: {"params_ema": s, "params": {key: value + 1 for key, value in s.items()}},
    "BasicSR": lambda s: {"params_ema": _basicsr(s)},
}


def _image(imported: Imported, w_plus: Tensor) -> Tensor:
    decoder = build_decoder(imported.config)
    decoder.load_state_dict(imported.tensors, strict=True)
    with torch.no_grad():
        return decoder(w_plus)


def _w_plus() -> Tensor:
    return torch.randn(2, 8, W_DIM, generator=torch.manual_seed(1))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_image(form: str, tmp_path: Path) -> None:
    state = rosinality_state()
    torch.save(FORMS[form](state), tmp_path / "a.pt")
    imported = import_file(tmp_path / "a.pt", "decoder")
    torch.testing.assert_close(_image(imported, _w_plus()), render(state, _w_plus()), atol=1e-4, rtol=0)
    if "average" in form and "before" not in form:
        assert imported.w_avg is not None and torch.equal(imported.w_avg, AVERAGE)


@pytest.mark.parametrize("prefix", ["", "g_ema.", "module."])
def test_safetensors(prefix: str, tmp_path: Path) -> None:
    state = rosinality_state()
    save_file(
        {**{key: value.clone() for key, value in _prefixed(prefix, state).items()}, "latent_avg": AVERAGE}, tmp_path / "a.safetensors"
    )
    imported = import_file(tmp_path / "a.safetensors")
    torch.testing.assert_close(_image(imported, _w_plus()), render(state, _w_plus()), atol=1e-4, rtol=0)
    assert imported.w_avg is not None and torch.equal(imported.w_avg, AVERAGE)


def test_noise_that_no_file_stores_is_drawn_once(tmp_path: Path) -> None:
    state = {key: value for key, value in rosinality_state().items() if not key.startswith("noises.")}
    torch.save({"g_ema": state}, tmp_path / "a.pt")
    imported = import_file(tmp_path / "a.pt")
    layers = ["input", *(f"{part}.{i}" for i in range(3) for part in ("ups", "convs"))]
    noises = [imported.tensors[f"{layer}.noise_const"] for layer in layers]
    drawn = {f"noises.noise_{i}": noise[None, None] for i, noise in enumerate(noises)}
    torch.testing.assert_close(_image(imported, _w_plus()), render({**state, **drawn}, _w_plus()), atol=1e-4, rtol=0)
    assert all(noise.std() > 0.5 for noise in noises)
    assert torch.equal(import_file(tmp_path / "a.pt").tensors["input.noise_const"], noises[0])
    assert "frozen here (seed 0)" in imported.notes[0] and len(imported.report.missing) == 8  # seven noises and the average


def test_some_noise_missing_is_a_damaged_file(tmp_path: Path) -> None:
    state = rosinality_state()
    del state["noises.noise_3"]
    torch.save({"g_ema": state}, tmp_path / "a.pt")
    with pytest.raises(UserError, match=r"lacks g_ema.noises.noise_3"):
        import_file(tmp_path / "a.pt")


def test_names_in_errors_are_the_files_own(tmp_path: Path) -> None:
    state = _basicsr(rosinality_state())
    torch.save({"params_ema": {**state, "style_convs.2.modulated_conv.modulation.bias": torch.zeros(9)}}, tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"params_ema.style_convs.2.modulated_conv.modulation.bias has the shape \[9\]"):
        import_file(tmp_path / "a.pth")


def test_weights_in_training_are_said_to_be(tmp_path: Path) -> None:
    torch.save({"g": rosinality_state()}, tmp_path / "a.pt")
    assert "no average of the weights" in import_file(tmp_path / "a.pt").notes[0]


NVIDIA_FORMS: dict[str, Callable[[State], Any]] = {
    "the object": lambda s: nvidia_module(s, clamped(0.9)),
    "the object by name": lambda s: {"G_ema": nvidia_module(s, clamped(0.9)), "cur_nimg": 25},
}
NVIDIA_STATES: dict[str, Callable[[State], Any]] = {
    "state dict": lambda s: s,
    "state dict by name": lambda s: {"G_ema": s, "G": {key: value + 1 for key, value in s.items()}},
    "data parallel": lambda s: {"state_dict": _prefixed("module.", s)},
}


@pytest.mark.parametrize("form", NVIDIA_FORMS)
def test_nvidias_object_saved_by_torch(form: str, tmp_path: Path) -> None:
    state = rosinality_state()
    imported = import_file(save_nvidia(tmp_path / "a.pt", NVIDIA_FORMS[form](nvidia_state(state))), "decoder")
    torch.testing.assert_close(_image(imported, _w_plus()), render(state, _w_plus(), 0.9), atol=1e-4, rtol=0)


@pytest.mark.parametrize("form", NVIDIA_STATES)
def test_nvidias_state_dict(form: str, tmp_path: Path) -> None:
    state = rosinality_state()
    torch.save(NVIDIA_STATES[form](nvidia_state(state)), tmp_path / "a.pt")
    imported = import_file(tmp_path / "a.pt", "decoder")
    torch.testing.assert_close(_image(imported, _w_plus()), render(state, _w_plus()), atol=1e-4, rtol=0)
    assert "clamp" in imported.report.missing[next(key for key in imported.report.missing if key.endswith("conv_clamp"))]


def test_a_class_is_folded_into_the_mapping(tmp_path: Path) -> None:
    state, classes, width = rosinality_state(), 5, 6
    draw = torch.Generator().manual_seed(3)
    first = torch.randn(W_DIM, W_DIM + width, generator=draw) * 100
    embed, offset = torch.randn(width, classes, generator=draw), torch.randn(width, generator=draw)
    labelled = {**nvidia_state(state), "mapping.fc0.weight": first, "mapping.embed.weight": embed, "mapping.embed.bias": offset}
    path = write_nvidia(tmp_path / "a.pkl", labelled)
    imported = import_file(path, "decoder", "3")
    mapping = MappingNetwork(imported.companions[0].config)
    mapping.load_state_dict(imported.companions[0].tensors, strict=True)
    z = torch.randn(2, W_DIM, generator=torch.manual_seed(2))
    # The definition: z and the embedded label are normalised each, joined, and enter the first layer.
    label = torch.eye(classes)[3] @ embed.t() / classes**0.5 + offset
    parts = [part / (part.square().mean(1, keepdim=True) + 1e-8).sqrt() for part in (z, label.expand(2, -1))]
    x = torch.cat(parts, 1) @ (first.t() * 0.01 / (W_DIM + width) ** 0.5) + state["style.1.bias"] * 0.01
    x = torch.nn.functional.leaky_relu(x, 0.2) * 2**0.5
    for i in (2, 3):
        x = x @ (state[f"style.{i}.weight"].t() * 0.01 / W_DIM**0.5) + state[f"style.{i}.bias"] * 0.01
        x = torch.nn.functional.leaky_relu(x, 0.2) * 2**0.5
    with torch.no_grad():
        torch.testing.assert_close(mapping(z), x, atol=1e-4, rtol=0)
    assert "class 3 of 5" in imported.notes[0]
    with pytest.raises(UserError, match="has no class '5': name one of 0 to 4"):
        import_file(path, "decoder", "5")
    assert "--class 0 to 4" in inspect_file(path)


def test_a_class_of_a_generator_without_any(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="without classes; leave out --class 2"):
        import_file(write_nvidia(tmp_path / "a.pkl", nvidia_state(rosinality_state())), "decoder", "2")
    torch.save(rosinality_state(), tmp_path / "a.pt")
    with pytest.raises(UsageError, match=r"holds one decoder, of which '2' chooses nothing"):
        import_file(tmp_path / "a.pt", "decoder", "2")


def test_mapping_of_a_bare_state_dict(tmp_path: Path) -> None:
    state = rosinality_state()
    torch.save(nvidia_state(state), tmp_path / "a.pt")
    companion = import_file(tmp_path / "a.pt").companions[0]
    mapping = MappingNetwork(companion.config)
    mapping.load_state_dict(companion.tensors, strict=True)
    z = torch.randn(2, W_DIM, generator=torch.manual_seed(2))
    with torch.no_grad():
        torch.testing.assert_close(mapping(z), map_z(state, z), atol=1e-5, rtol=0)


def _of_16_px(state: State) -> State:
    return {key: value for key, value in state.items() if not re.search(r"convs\.[45]\.|to_rgbs\.2\.|noise_[56]", key)}


def _swagan(state: State) -> State:
    return {**state, "to_rgb1.bias": torch.zeros(1, 12, 1, 1), "iwt.ll": torch.zeros(2, 2)}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_of_16_px(rosinality_state()), "makes images of 16 px; generators of 32 to 1024 px"),
        (_swagan(rosinality_state()), "is a SWAGAN generator, which makes wavelets"),
        ({**rosinality_state(), "convs.0.conv.blur.kernel": torch.ones(2, 2)}, "convs.0.conv.blur.kernel is not the .* filter"),
        ({**nvidia_state(rosinality_state()), "synthesis.b8.resample_filter": torch.ones(6, 6)}, "resample_filter is not the .* filter"),
        ({"synthesis.input.freqs": torch.zeros(4, 2), "synthesis.input.phases": torch.zeros(4)}, "bare state dict of StyleGAN3"),
        ({"d": {"final_conv.0.weight": torch.zeros(1), "convs.0.conv1.0.weight": torch.zeros(1)}}, "is a discriminator"),
    ],
)
def test_what_stays_refused_is_refused_for_its_reason(content: Any, reason: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(UserError, match=reason) as caught:
        import_file(tmp_path / "a.pt")
    assert "damaged" not in str(caught.value)


def test_pickles_of_tensorflow_are_named(tmp_path: Path) -> None:
    names = ("dnnlib", "dnnlib.tflib", "dnnlib.tflib.network")
    network = type("Network", (), {"__module__": names[-1]})
    modules = {name: types.ModuleType(name) for name in names}
    vars(modules[names[-1]])["Network"] = network
    saved = {name: sys.modules.get(name) for name in names}
    try:
        sys.modules.update(modules)
        three = tuple(network() for _ in range(3))
        for item in three:
            vars(item).update(
                version=4, name="G", static_kwargs={}, build_module_src="raise AssertionError('run')", variables=[("w", [1.0])]
            )
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(three))
    finally:
        for name, module in saved.items():
            sys.modules.pop(name) if module is None else sys.modules.update({name: module})
    with pytest.raises(UserError, match="a TensorFlow pickle of StyleGAN.*convert it"):
        import_file(tmp_path / "a.pkl")
    assert "a TensorFlow pickle" in inspect_file(tmp_path / "a.pkl")
