"""StyleGAN2 files in foreign layouts with random weights, and the network that they mean, written straight from the paper's equations."""

from __future__ import annotations

import math
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

State = dict[str, Tensor]
W_DIM = 16
# 32 px with widths of a few channels, all different where they may differ.
WIDTHS = {4: 12, 8: 10, 16: 8, 32: 6}


def rosinality_state(seed: int = 0, mapping_layers: int = 3) -> State:
    """A generator's state dict with the keys, shapes and filter buffers of rosinality's Generator(32, 16, 3)."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw)

    state: State = OrderedDict()
    for i in range(1, mapping_layers + 1):
        state[f"style.{i}.weight"], state[f"style.{i}.bias"] = normal(W_DIM, W_DIM) * 100, normal(W_DIM) * 10
    state["input.input"] = normal(1, WIDTHS[4], 4, 4)
    kernel = torch.outer(torch.tensor([1.0, 3, 3, 1]), torch.tensor([1.0, 3, 3, 1])) / 16

    def modulated(name: str, out: int, width: int, size: int) -> None:
        state[f"{name}.conv.weight"] = normal(1, out, width, size, size)
        state[f"{name}.conv.modulation.weight"] = normal(width, W_DIM)
        state[f"{name}.conv.modulation.bias"] = 1 + 0.1 * normal(width)

    def styled(name: str, out: int, width: int) -> None:
        modulated(name, out, width, 3)
        state[f"{name}.noise.weight"] = 0.3 * normal(1)
        state[f"{name}.activate.bias"] = 0.1 * normal(out)

    def to_rgb(name: str, width: int) -> None:
        state[f"{name}.bias"] = 0.1 * normal(1, 3, 1, 1)
        modulated(name, 3, width, 1)

    styled("conv1", WIDTHS[4], WIDTHS[4])
    to_rgb("to_rgb1", WIDTHS[4])
    for i, size in enumerate((8, 16, 32)):
        styled(f"convs.{2 * i}", WIDTHS[size], WIDTHS[size // 2])
        state[f"convs.{2 * i}.conv.blur.kernel"] = kernel
        styled(f"convs.{2 * i + 1}", WIDTHS[size], WIDTHS[size])
        state[f"to_rgbs.{i}.upsample.kernel"] = kernel
        to_rgb(f"to_rgbs.{i}", WIDTHS[size])
    for i, size in enumerate((4, 8, 8, 16, 16, 32, 32)):
        state[f"noises.noise_{i}"] = normal(1, 1, size, size)
    return state


def write_rosinality(path: Path, state: State, *, zipped: bool = True, **more: Any) -> Path:
    """A .pt as its training script and its converter write it."""
    torch.save({"g_ema": state, "latent_avg": torch.arange(W_DIM) / 10, **more}, path, _use_new_zipfile_serialization=zipped)
    return path


def nvidia_state(state: State) -> State:
    """The same generator under the names and in the shapes of NVIDIA's PyTorch repositories."""
    taps = torch.tensor([1.0, 3, 3, 1])
    kernel = torch.outer(taps, taps) / 64
    renamed: State = {"synthesis.b4.const": state["input.input"][0]}

    def modulated(theirs: str, ours: str) -> None:
        renamed[f"{theirs}.weight"] = state[f"{ours}.conv.weight"][0]
        renamed[f"{theirs}.affine.weight"] = state[f"{ours}.conv.modulation.weight"]
        renamed[f"{theirs}.affine.bias"] = state[f"{ours}.conv.modulation.bias"]

    def styled(theirs: str, ours: str, noise: int) -> None:
        modulated(theirs, ours)
        renamed[f"{theirs}.bias"] = state[f"{ours}.activate.bias"]
        renamed[f"{theirs}.noise_strength"] = state[f"{ours}.noise.weight"][0]
        renamed[f"{theirs}.noise_const"] = state[f"noises.noise_{noise}"][0, 0]
        renamed[f"{theirs}.resample_filter"] = kernel

    def to_rgb(theirs: str, ours: str) -> None:
        modulated(theirs, ours)
        renamed[f"{theirs}.bias"] = state[f"{ours}.bias"].reshape(3)

    styled("synthesis.b4.conv1", "conv1", 0)
    to_rgb("synthesis.b4.torgb", "to_rgb1")
    for i, size in enumerate((8, 16, 32)):
        styled(f"synthesis.b{size}.conv0", f"convs.{2 * i}", 2 * i + 1)
        styled(f"synthesis.b{size}.conv1", f"convs.{2 * i + 1}", 2 * i + 2)
        to_rgb(f"synthesis.b{size}.torgb", f"to_rgbs.{i}")
        renamed[f"synthesis.b{size}.resample_filter"] = kernel
    renamed["synthesis.b4.resample_filter"] = kernel
    for key, value in state.items():
        if key.startswith("style."):
            _, layer, leaf = key.split(".")
            renamed[f"mapping.fc{int(layer) - 1}.{leaf}"] = value
    renamed["mapping.w_avg"] = torch.arange(W_DIM) / 10
    return renamed


class _EasyDict(dict[str, Any]):
    pass


def _reconstruct_persistent_obj(meta: Any) -> None:
    raise AssertionError("the code of a pickle was called")


class _Persistent:
    """Pickles as an object of NVIDIA's persistence decorator does: a meta dict with the module's source beside the attributes."""

    def __init__(self, class_name: str, state: dict[str, Any]) -> None:
        self.meta = _EasyDict(type="class", version=6, module_src="raise AssertionError('run')", class_name=class_name, state=state)

    def __reduce__(self) -> tuple[Callable[[Any], None], tuple[Any], None]:
        return _reconstruct_persistent_obj, (self.meta,), None


def write_nvidia(path: Path, state: State, settings: dict[str, dict[str, Any]] | None = None, **more: Any) -> Path:
    """A .pkl as NVIDIA's training writes it; `settings` are attributes of modules by their name."""
    content = {"G": None, "D": None, "G_ema": nvidia_module(state, settings), "training_set_kwargs": _EasyDict(), **more}
    with _nvidias_names():
        path.write_bytes(pickle.dumps(content))
    return path


def nvidia_module(state: State, settings: dict[str, dict[str, Any]] | None = None) -> Any:
    """A generator as the object that NVIDIA's files hold."""
    return _module(state, "", settings or {})


def save_nvidia(path: Path, content: Any) -> Path:
    """Saves what holds such an object by torch, as users do."""
    with _nvidias_names():
        torch.save(content, path)
    return path


def _module(state: State, name: str, settings: dict[str, dict[str, Any]]) -> _Persistent:
    inside = {key[len(name) :].lstrip("."): value for key, value in state.items() if key.startswith(f"{name}." if name else "")}
    children = dict.fromkeys(key.partition(".")[0] for key in inside if "." in key)
    own = OrderedDict((key, value) for key, value in inside.items() if "." not in key)
    parameters = OrderedDict((key, torch.nn.Parameter(value)) for key, value in own.items() if key in ("weight", "bias", "const"))
    return _Persistent(
        "Module",
        {
            "training": False,
            "_parameters": parameters,
            "_buffers": OrderedDict((key, value) for key, value in own.items() if key not in parameters),
            "_modules": OrderedDict((child, _module(state, f"{name}.{child}".lstrip("."), settings)) for child in children),
            **settings.get(name, {}),
        },
    )


@contextmanager
def _nvidias_names() -> Iterator[None]:
    # Pickle stores a function by the module and the name that it finds it under.
    names = {
        "dnnlib.util": ("EasyDict", _EasyDict),
        "torch_utils.persistence": ("_reconstruct_persistent_obj", _reconstruct_persistent_obj),
    }
    before = {(item.__module__, item.__qualname__, item) for _, item in names.values()}
    try:
        for module, (name, item) in names.items():
            sys.modules[module.partition(".")[0]] = types.ModuleType(module.partition(".")[0])
            sys.modules[module] = types.ModuleType(module)
            setattr(sys.modules[module], name, item)
            item.__module__, item.__qualname__ = module, name
        yield
    finally:
        for original, qualname, item in before:
            item.__module__, item.__qualname__ = original, qualname
        for module in names:
            del sys.modules[module], sys.modules[module.partition(".")[0]]


def clamped(limit: float | None) -> dict[str, dict[str, Any]]:
    """The settings of a generator whose layers all clamp at +-limit, as NVIDIA's modules hold them; None clamps nothing."""
    layers = [f"synthesis.b{size}.{layer}" for size in WIDTHS for layer in ("conv0", "conv1", "torgb")]
    return {layer: {"conv_clamp": limit} for layer in layers if layer != "synthesis.b4.conv0"}


def render(state: State, w_plus: Tensor, clamp: float = math.inf) -> Tensor:
    """The image that a state dict of rosinality_state means: Karras et al. 2020, equations 1 to 3, with weights made per latent.

    What leaves an activation or a to_rgb is clamped to +-`clamp`.
    """

    def double(x: Tensor) -> Tensor:
        spread = torch.zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
        spread[:, :, ::2, ::2] = x
        return blur(F.pad(spread, (2, 1, 2, 1)))

    def blur(x: Tensor) -> Tensor:
        taps = torch.tensor([1.0, 3, 3, 1]) / 4
        kernel = torch.outer(taps, taps)[None, None].expand(x.shape[1], 1, 4, 4)
        return F.conv2d(x, kernel, groups=x.shape[1])

    def modulated(name: str, x: Tensor, w: Tensor, demodulate: bool = True, up: bool = False) -> Tensor:
        style = w @ state[f"{name}.conv.modulation.weight"].t() / math.sqrt(W_DIM) + state[f"{name}.conv.modulation.bias"]
        weight = state[f"{name}.conv.weight"] / math.sqrt(state[f"{name}.conv.weight"][0, 0].numel())
        weight = weight * style[:, None, :, None, None]
        if demodulate:
            weight = weight / (weight.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
        images = []
        for one, kernel in zip(x, weight, strict=True):
            if up:
                images.append(blur(F.pad(F.conv_transpose2d(one[None], kernel.transpose(0, 1), stride=2), (1, 1, 1, 1))))
            else:
                images.append(F.conv2d(one[None], kernel, padding=kernel.shape[-1] // 2))
        return torch.cat(images)

    def styled(name: str, x: Tensor, level: int, noise: int, up: bool = False) -> Tensor:
        y = modulated(name, x, w_plus[:, level], up=up)
        y = y + state[f"{name}.noise.weight"] * state[f"noises.noise_{noise}"] + state[f"{name}.activate.bias"][None, :, None, None]
        return (F.leaky_relu(y, 0.2) * math.sqrt(2)).clamp(-clamp, clamp)

    def to_rgb(name: str, x: Tensor, level: int) -> Tensor:
        return (modulated(name, x, w_plus[:, level], demodulate=False) + state[f"{name}.bias"]).clamp(-clamp, clamp)

    x = styled("conv1", state["input.input"].expand(len(w_plus), -1, -1, -1), 0, 0)
    image = to_rgb("to_rgb1", x, 1)
    for i in range(3):
        x = styled(f"convs.{2 * i}", x, 2 * i + 1, 2 * i + 1, up=True)
        x = styled(f"convs.{2 * i + 1}", x, 2 * i + 2, 2 * i + 2)
        image = double(image) + to_rgb(f"to_rgbs.{i}", x, 2 * i + 3)
    return image


def map_z(state: State, z: Tensor) -> Tensor:
    """The mapping network of the same state dict, z [B,16] -> w [B,16]; its layers learn at a hundredth of the rate."""
    x = z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
    i = 1
    while f"style.{i}.weight" in state:
        weight, bias = state[f"style.{i}.weight"] * 0.01 / math.sqrt(x.shape[1]), state[f"style.{i}.bias"] * 0.01
        x = F.leaky_relu(x @ weight.t() + bias, 0.2) * math.sqrt(2)
        i += 1
    return x
