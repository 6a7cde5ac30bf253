"""StyleCLIP's mappers and directions: files of their format give their numbers, and what does not fit is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from textedit_core.checkpoints.importers.contract import Imported
from textedit_core.checkpoints.importers.detect import detect, open_source
from textedit_core.checkpoints.importers.editor_fit import fit_editor
from textedit_core.editor import build_editor
from textedit_core.errors import UserError

WIDTH, LEVELS = 16, 8  # 2 * log2(32) - 2, of a generator of 32 px
GROUPS = {"course_mapping": slice(0, 4), "medium_mapping": slice(4, 8), "fine_mapping": slice(8, LEVELS)}


def _mapper(prefix: str) -> dict[str, Tensor]:
    # Layer 0 is the norm, which has no weights; a multiplier of 0.01 asks for weights of deviation 100.
    layers = range(1, 5)
    weights = {f"{prefix}.mapping.{i}.weight": torch.randn(WIDTH, WIDTH) * 100 for i in layers}
    return weights | {f"{prefix}.mapping.{i}.bias": torch.randn(WIDTH) * 30 for i in layers}


def _content(names: tuple[str, ...], **options: Any) -> dict[str, Any]:
    torch.manual_seed(0)
    state = {key: value for name in names for key, value in _mapper(f"mapper.{name}").items()}
    state["decoder.input.input"] = torch.zeros(1, 4, 4, 4)
    return {"state_dict": state, "opts": {"mapper_type": "LevelsMapper", "stylegan_size": 32, "description": "an angry face", **options}}


def _answer(saved: dict[str, Any], name: str, x: Tensor) -> Tensor:
    # The norm runs over axis 1, which for w_plus holds the levels.
    h = x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()
    for i in range(1, 5):
        weight, bias = (saved["state_dict"][f"mapper.{name}.mapping.{i}.{leaf}"] for leaf in ("weight", "bias"))
        h = F.leaky_relu(F.linear(h, weight * 0.01 / WIDTH**0.5, bias * 0.01), 0.2) * 2**0.5
    return 0.1 * h


def _imported(path: Path, saved: Any) -> Imported:
    torch.save(saved, path / "editor.pt")
    source = open_source(path / "editor.pt")
    return detect(source, "editor").read(source, "angry")


def _moved(imported: Imported, w_plus: Tensor) -> Tensor:
    editor = build_editor(imported.config)
    editor.load_state_dict(imported.tensors)
    with torch.no_grad():
        return editor(w_plus)


def test_levels_mapper_gives_the_numbers_of_its_file(tmp_path: Path) -> None:
    saved = _content(("course_mapping", "medium_mapping"), no_fine_mapper=True)
    imported = _imported(tmp_path, saved)
    w_plus = torch.randn(2, LEVELS, WIDTH)
    wanted = torch.cat([_answer(saved, name, w_plus[:, GROUPS[name]]) for name in ("course_mapping", "medium_mapping")], 1)
    assert (_moved(imported, w_plus) - wanted).abs().max() < 1e-5 < wanted.abs().max()
    assert (imported.config.coarse, imported.config.medium, imported.config.fine) == (True, True, False)
    assert imported.text == "an angry face"


def test_group_that_is_off_stays(tmp_path: Path) -> None:
    imported = _imported(tmp_path, _content(("medium_mapping",), no_coarse_mapper=True, no_fine_mapper=True))
    moved = _moved(imported, torch.randn(1, LEVELS, WIDTH))
    assert not moved[:, :4].any() and moved[:, 4:].abs().min() > 0


def test_single_mapper_gives_the_numbers_of_its_file(tmp_path: Path) -> None:
    saved = _content(("mapping",), mapper_type="SingleMapper")
    w_plus = torch.randn(2, LEVELS, WIDTH)
    wanted = _answer(saved, "mapping", w_plus)
    assert (_moved(_imported(tmp_path, saved), w_plus) - wanted).abs().max() < 1e-5


def test_keys_are_accounted_for(tmp_path: Path) -> None:
    saved = _content(("course_mapping", "medium_mapping"), no_fine_mapper=True)
    report = _imported(tmp_path, saved).report
    assert len(report.used) == 16  # two groups of four layers with a weight and a bias
    assert set(report.ignored) == {"state_dict.decoder.input.input", "opts"}


def test_missing_group_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lacks state_dict.mapper.medium_mapping.mapping.1.weight"):
        _imported(tmp_path, _content(("course_mapping",), no_fine_mapper=True))


def test_wrong_shape_is_named(tmp_path: Path) -> None:
    saved = _content(("course_mapping", "medium_mapping"))
    saved["state_dict"]["mapper.medium_mapping.mapping.2.bias"] = torch.zeros(3)
    with pytest.raises(UserError, match=r"state_dict.mapper.medium_mapping.mapping.2.bias has the shape \[3\], not \[16\]"):
        _imported(tmp_path, saved)


def test_mapper_of_styles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a mapper in StyleSpace; .*LevelsMapper, SingleMapper"):
        _imported(tmp_path, _content(("course_mapping",), work_in_stylespace=True))


def test_mapper_scales_and_rests_by_group(tmp_path: Path) -> None:
    imported = _imported(tmp_path, _content(("course_mapping", "medium_mapping")))
    editor = build_editor(imported.config)
    editor.load_state_dict(imported.tensors)
    w_plus = torch.randn(1, LEVELS, WIDTH)
    before = editor(w_plus)
    editor.scale(0.3)
    assert torch.allclose(editor(w_plus), 0.3 * before, atol=1e-6)
    editor.move_only(("coarse",))
    assert {name: next(group.parameters()).requires_grad for name, group in editor.groups.items()} == {"coarse": True, "medium": False}


@pytest.mark.parametrize("shape", [(WIDTH,), (1, WIDTH), (LEVELS, WIDTH), (1, LEVELS, WIDTH)])
@pytest.mark.parametrize("suffix", ["npy", "pt"])
def test_direction_is_the_same_for_every_face(tmp_path: Path, shape: tuple[int, ...], suffix: str) -> None:
    direction = np.random.default_rng(0).normal(size=shape)
    path = tmp_path / f"smile.{suffix}"
    if suffix == "npy":
        np.save(path, direction)
    else:
        torch.save(torch.from_numpy(direction), path)
    source = open_source(path)
    fitted = fit_editor(detect(source, "editor").read(source, "smile"), LEVELS, WIDTH, "smile")
    moved = _moved(fitted, torch.randn(3, LEVELS, WIDTH))
    wanted = torch.from_numpy(direction).float().reshape(-1, WIDTH).expand(LEVELS, WIDTH)
    assert torch.equal(moved, wanted.expand(3, LEVELS, WIDTH))


def test_table_of_style_channels_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "fs3.npy", np.zeros((6048, 512), np.float32))
    source = open_source(tmp_path / "fs3.npy")
    with pytest.raises(UserError, match="holds 6048 rows.*StyleSpace"):
        detect(source, "editor").read(source, "smile")


def test_editor_of_another_generator_is_refused(tmp_path: Path) -> None:
    imported = _imported(tmp_path, _content(("course_mapping", "medium_mapping")))
    assert fit_editor(imported, LEVELS, WIDTH, "angry") is imported
    with pytest.raises(UserError, match="editor 'angry' moves latents of 16 numbers; the generator's have 512"):
        fit_editor(imported, LEVELS, 512, "angry")
    with pytest.raises(UserError, match="editor 'angry' was made for 8 levels; the generator has 18"):
        fit_editor(imported, 18, WIDTH, "angry")
