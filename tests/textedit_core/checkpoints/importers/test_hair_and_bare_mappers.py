"""Mappers without their options, of small generators, and HairCLIP's: each gives the numbers of its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from export.fold import fold
from textedit_core.checkpoints.import_model import import_file
from textedit_core.checkpoints.importers.contract import ChoiceNeeded, Imported
from textedit_core.checkpoints.importers.editor_fit import fit_editor
from textedit_core.editor import build_editor
from textedit_core.errors import UserError

WIDTH, LAYERS = 16, 4
GROUPS = {"course_mapping": slice(0, 4), "medium_mapping": slice(4, 8), "fine_mapping": slice(8, None)}
CLIP_WIDTH, CONTEXT = 64, 12


def _mapper(name: str) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(len(name))
    state = {f"{name}.mapping.{i}.weight": torch.randn(WIDTH, WIDTH, generator=draw) * 100 for i in range(1, LAYERS + 1)}
    return state | {f"{name}.mapping.{i}.bias": torch.randn(WIDTH, generator=draw) * 30 for i in range(1, LAYERS + 1)}


def _answer(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    # The norm runs over axis 1, which for w_plus holds the levels.
    h = x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()
    for i in range(1, LAYERS + 1):
        weight, bias = state[f"{name}.mapping.{i}.weight"], state[f"{name}.mapping.{i}.bias"]
        h = F.leaky_relu(F.linear(h, weight * 0.01 / WIDTH**0.5, bias * 0.01), 0.2) * 2**0.5
    return 0.1 * h


def _moved(imported: Imported, w_plus: Tensor) -> Tensor:
    editor = build_editor(imported.config)
    editor.load_state_dict(imported.tensors)
    with torch.no_grad():
        return editor(w_plus)


@pytest.mark.parametrize("prefix", ["", "mapper.", "module.mapper."])
@pytest.mark.parametrize("levels", [8, 10])
def test_a_mapper_without_options_takes_the_generators_levels(prefix: str, levels: int, tmp_path: Path) -> None:
    state = {key: value for name in GROUPS for key, value in _mapper(name).items()}
    torch.save({prefix + key: value for key, value in state.items()}, tmp_path / "mapper.pt")
    fitted = fit_editor(import_file(tmp_path / "mapper.pt", "editor"), levels, WIDTH, "x")
    w_plus = torch.randn(2, levels, WIDTH)
    wanted = torch.cat([_answer(state, name, w_plus[:, part]) for name, part in GROUPS.items()], 1)
    assert (_moved(fitted, w_plus) - wanted).abs().max() < 1e-5
    assert f"the generator's {levels} are taken" in fitted.notes[-1]


def test_groups_that_a_bare_mapper_lacks_rest(tmp_path: Path) -> None:
    state = _mapper("medium_mapping")
    torch.save({"mapper": state}, tmp_path / "mapper.pt")
    moved = _moved(fit_editor(import_file(tmp_path / "mapper.pt", "editor"), 10, WIDTH, "x"), torch.randn(1, 10, WIDTH))
    assert not moved[:, :4].any() and not moved[:, 8:].any() and moved[:, 4:8].abs().min() > 0


def test_a_bare_single_mapper(tmp_path: Path) -> None:
    state = _mapper("mapping")
    torch.save(state, tmp_path / "mapper.pt")
    w_plus = torch.randn(2, 10, WIDTH)
    fitted = fit_editor(import_file(tmp_path / "mapper.pt", "editor"), 10, WIDTH, "x")
    assert (_moved(fitted, w_plus) - _answer(state, "mapping", w_plus)).abs().max() < 1e-5


def test_a_mapper_of_32_px_has_a_network_for_levels_that_are_not_there(tmp_path: Path) -> None:
    state = {f"mapper.{key}": value for name in GROUPS for key, value in _mapper(name).items()}
    torch.save({"state_dict": state, "opts": {"mapper_type": "LevelsMapper", "stylegan_size": 32}}, tmp_path / "mapper.pt")
    imported = import_file(tmp_path / "mapper.pt", "editor")
    w_plus = torch.randn(2, 8, WIDTH)
    plain = {key.removeprefix("mapper."): value for key, value in state.items()}
    wanted = torch.cat([_answer(plain, name, w_plus[:, GROUPS[name]]) for name in ("course_mapping", "medium_mapping")], 1)
    assert (_moved(imported, w_plus) - wanted).abs().max() < 1e-5
    assert "has no fine ones" in imported.report.ignored["state_dict.mapper.fine_mapping.mapping.1.weight"]


def _text_model() -> torch.nn.Module:
    torch.manual_seed(0)
    layer = open_clip.transformer.QuickGELU
    return open_clip.transformer.TextTransformer(CONTEXT, 49408, CLIP_WIDTH, 1, 2, output_dim=WIDTH, act_layer=layer).eval()


def _hair(size: int = 64) -> dict[str, Any]:
    """What HairCLIP's training saves, for a generator of `size` px, with a small text-image model."""
    draw = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {f"mapper.clip_model.{key}": value for key, value in _text_model().state_dict().items()}
    state |= {"mapper.clip_model.logit_scale": torch.ones(()), "mapper.clip_model.visual.proj": torch.zeros(4, 4)}
    for group in GROUPS:
        for i in range(5):
            name = f"mapper.{group}.modulation_module_list.{i}"
            for leaf in ("fc", "gamma_function.0", "gamma_function.3", "beta_function.0", "beta_function.3"):
                state[f"{name}.{leaf}.weight"] = torch.randn(WIDTH, WIDTH, generator=draw) * 0.3
                state[f"{name}.{leaf}.bias"] = torch.randn(WIDTH, generator=draw) * 0.1
            for leaf in ("gamma_function.1", "beta_function.1"):
                state[f"{name}.{leaf}.weight"], state[f"{name}.{leaf}.bias"] = (
                    torch.rand(WIDTH, generator=draw),
                    torch.rand(WIDTH, generator=draw),
                )
    state["decoder.input.input"] = torch.zeros(1, 4, 4, 4)
    return {"state_dict": state, "opts": {"stylegan_size": size, "no_fine_mapper": False}}


def _hair_answer(state: dict[str, Tensor], group: str, x: Tensor, text: Tensor | None) -> Tensor:
    """Wei et al. 2022, section 3.2: layers modulated by the text's embedding, which is left out where there is no text."""

    def linear(name: str, h: Tensor) -> Tensor:
        return h @ state[f"{name}.weight"].t() + state[f"{name}.bias"]

    def from_text(name: str, vector: Tensor) -> Tensor:
        h = linear(f"{name}.0", vector)
        h = (h - h.mean()) / (h.var(unbiased=False) + 1e-5).sqrt() * state[f"{name}.1.weight"] + state[f"{name}.1.bias"]
        return linear(f"{name}.3", torch.where(h > 0, h, 0.01 * h))

    h = x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()
    for i in range(5):
        name = f"mapper.{group}.modulation_module_list.{i}"
        h = linear(f"{name}.fc", h)
        h = (h - h.mean((1, 2), keepdim=True)) / (h.var((1, 2), unbiased=False, keepdim=True) + 1e-5).sqrt()
        if text is not None:
            h = h * (1 + from_text(f"{name}.gamma_function", text)) + from_text(f"{name}.beta_function", text)
            h = torch.where(h > 0, h, 0.01 * h)
    return 0.1 * h


@pytest.mark.parametrize(("hair", "colour"), [("bobcut hairstyle", "red hair"), ("bobcut hairstyle", ""), ("", "red hair")])
def test_hairclip_gives_the_numbers_of_its_file(hair: str, colour: str, tmp_path: Path) -> None:
    saved = _hair()
    torch.save(saved, tmp_path / "hairclip.pt")
    imported = import_file(tmp_path / "hairclip.pt", "editor", f"{hair};{colour}")
    w_plus = torch.randn(2, 10, WIDTH)
    with torch.no_grad():
        tokens = open_clip.SimpleTokenizer(context_length=CONTEXT)
        vectors = {text: _text_model()(tokens([text]))[0] for text in (hair, colour) if text}
        of_group = {"course_mapping": hair, "medium_mapping": hair, "fine_mapping": colour}
        wanted = torch.cat(
            [_hair_answer(saved["state_dict"], name, w_plus[:, part], vectors.get(of_group[name])) for name, part in GROUPS.items()], 1
        )
        moved = _moved(imported, w_plus)
        assert (moved - wanted).abs().max() < 1e-5 < wanted.std()
        editor = build_editor(imported.config)
        editor.load_state_dict(imported.tensors)
        assert (fold(editor, w_plus)(w_plus) - wanted).abs().max() < 1e-5
        editor.scale(0.5)
        assert torch.allclose(editor(w_plus), 0.5 * moved, atol=1e-6)
    assert imported.text == ", ".join(text for text in (hair, colour) if text)


def test_hairclip_of_32_px_has_no_colour(tmp_path: Path) -> None:
    torch.save(_hair(32), tmp_path / "hairclip.pt")
    imported = import_file(tmp_path / "hairclip.pt", "editor", "bobcut hairstyle")
    assert (imported.config.num_ws, imported.config.fine) == (8, False)
    assert imported.report.ignored["state_dict.decoder.input.input"] == "the generator; --decoder imports one"


def test_hairclip_needs_a_text(tmp_path: Path) -> None:
    torch.save(_hair(), tmp_path / "hairclip.pt")
    with pytest.raises(ChoiceNeeded, match="reads a hair style and a colour: name one or both"):
        import_file(tmp_path / "hairclip.pt", "editor")
    with pytest.raises(UserError, match="needs 32 tokens; this model reads 12"):
        import_file(tmp_path / "hairclip.pt", "editor", "a " * 30)
