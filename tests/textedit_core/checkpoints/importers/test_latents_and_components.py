"""Latents and directions in the forms that projectors, encoders, PCA and closed-form factorisation leave them in."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.textedit_core.checkpoints.importers.foreign_stylegan2 import W_DIM, rosinality_state, write_rosinality
from textedit_core.checkpoints.import_model import ImportRequest, import_checkpoint, import_file, inspect_file
from textedit_core.checkpoints.importers import numpy_file
from textedit_core.checkpoints.importers.contract import ChoiceNeeded
from textedit_core.checkpoints.importers.editor_fit import fit_editor
from textedit_core.errors import UsageError, UserError

LEVELS = 8  # 2 * log2(32) - 2, of a generator of 32 px
W_PLUS = torch.randn(3, LEVELS, W_DIM, generator=torch.manual_seed(0))


def _projected(latent: Tensor) -> dict[str, Any]:
    """What rosinality's projector saves for one picture."""
    return {"img": torch.zeros(3, 32, 32), "latent": latent, "noise": [torch.zeros(1, 1, 16, 16)]}


@pytest.mark.parametrize(
    "content",
    [
        W_PLUS.unsqueeze(1),
        list(W_PLUS.unsqueeze(1).unsqueeze(1)),
        {f"{i}.jpg": _projected(latent) for i, latent in enumerate(W_PLUS)},
        {"latents": W_PLUS, "names": ["a", "b", "c"]},
        {"w_plus": list(W_PLUS)},
    ],
)
def test_collections_of_w_plus(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "latents.pt")
    assert torch.equal(import_file(tmp_path / "latents.pt", "latents").tensors["w_plus"], W_PLUS)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    # NVIDIA's projector calls its one array w.
    "arrays",
    [{"w": W_PLUS.numpy()}, {"a": W_PLUS[:1].numpy(), "b": W_PLUS[1:].numpy().astype(">f8")}],
)
def test_archives_of_arrays(save: Any, arrays: dict[str, Any], tmp_path: Path) -> None:
    save(tmp_path / "projected_w.npz", **arrays)
    assert torch.equal(import_file(tmp_path / "projected_w.npz", "latents").tensors["w_plus"], W_PLUS)


@pytest.mark.parametrize("content", [_projected(W_PLUS[0, 0]), torch.randn(40, W_DIM), {"w": torch.randn(2, 1, W_DIM)}])
def test_latents_of_w_hold_for_every_level(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "latents.pt")
    w = import_file(tmp_path / "latents.pt", "latents").tensors["w_plus"]
    generator = write_rosinality(tmp_path / "g.pt", rosinality_state())
    words: list[str] = []
    request = ImportRequest(tmp_path / "out", decoder=generator, latents=tmp_path / "latents.pt")
    assert torch.equal(import_checkpoint(request, words.append).load_latents(), w.expand(-1, LEVELS, -1))
    assert "latents: they hold for every level alike, and are repeated for the generator's 8" in words


def _bomb(path: Path) -> None:
    np.savez_compressed(path, w=np.zeros((1000, LEVELS, W_DIM), np.float32))


def _cut_short(path: Path) -> None:
    np.savez(path, w=W_PLUS.numpy())
    path.write_bytes(path.read_bytes()[:-300])


def _objects(path: Path) -> None:
    np.savez(path, w=np.array([print], dtype=object))


def _boastful(path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 16)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w.npy", header.getvalue() + bytes(64))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_bomb, "its arrays claim 512128 bytes, more than 400000"),  # 1000 * 8 * 16 floats and numpy's header
        (_cut_short, "damaged or cut short|neither"),
        (_objects, "'w.npy' holds Python objects, which are pickles"),
        (_boastful, "'w.npy' claims .* bytes, but 64 are there"),
    ],
)
def test_damaged_and_unsafe_archives_are_refused(write: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numpy_file, "MAX_UNPACKED", 400_000)
    write(tmp_path / "a.npz")
    with pytest.raises(UserError, match=message):
        import_file(tmp_path / "a.npz")


COMPONENTS, DEVIATIONS = torch.linalg.qr(torch.randn(W_DIM, W_DIM, generator=torch.manual_seed(1)))[0], torch.arange(1.0, W_DIM + 1)


def _pca(path: Path, form: str) -> Path:
    if form == "GANSpace":
        extra = {"act_comp": np.zeros((W_DIM, 1, W_DIM)), "lat_mean": np.zeros((1, W_DIM))}
        np.savez_compressed(path, lat_comp=COMPONENTS[:, None].numpy(), lat_stdev=DEVIATIONS.numpy(), **extra)
    else:
        torch.save({"comp": COMPONENTS, "std": DEVIATIONS, "mean": torch.zeros(W_DIM)}, path)
    return path


def _moved(path: Path, choice: str) -> Tensor:
    return fit_editor(import_file(path, "editor", choice), LEVELS, W_DIM, "x").tensors["direction"]


@pytest.mark.parametrize("form", ["GANSpace", "e4e"])
def test_principal_components_move_by_their_deviation(form: str, tmp_path: Path) -> None:
    path = _pca(tmp_path / "pca.npz", form)
    wanted = (COMPONENTS[3] * DEVIATIONS[3]).expand(LEVELS, -1)
    assert torch.allclose(_moved(path, "3"), wanted)
    some = _moved(path, "3:2-5")
    assert torch.allclose(some[2:6], wanted[2:6]) and not some[:2].any() and not some[6:].any()
    # Levels beyond the generator's are no loss where nothing was to move there.
    assert "left out" not in " ".join(fit_editor(import_file(path, "editor", "3:2-5"), LEVELS, W_DIM, "x").notes)


def test_lists_within_lists_claim_no_latents(tmp_path: Path) -> None:
    inner: Any = [torch.zeros(1, W_DIM)] * 2000
    for _ in range(2):
        inner = [inner] * 2000
    torch.save(inner, tmp_path / "a.pt")
    with pytest.raises(UserError, match="is of no known format"):
        import_file(tmp_path / "a.pt")


def test_one_latent_is_not_many(tmp_path: Path) -> None:
    torch.save([torch.zeros(LEVELS, W_DIM)] * 1000, tmp_path / "a.pt")
    with pytest.raises(UserError, match="claims 512000 bytes of latents, but has"):  # 1000 * 8 * 16 floats
        import_file(tmp_path / "a.pt", "latents")


def test_a_component_is_named_at_import(tmp_path: Path) -> None:
    generator = write_rosinality(tmp_path / "g.pt", rosinality_state())
    path = _pca(tmp_path / "pca.pt", "e4e")
    request = ImportRequest(tmp_path / "out", decoder=generator, editors={"pose": Path(f"{path}#1")})
    checkpoint = import_checkpoint(request)
    moved = checkpoint.load_editor("pose")(torch.zeros(1, LEVELS, W_DIM))
    assert torch.allclose(moved, (COMPONENTS[1] * DEVIATIONS[1]).expand(1, LEVELS, -1))
    assert checkpoint.provenance["imported"]["editors/pose"]["choice"] == "1"


def test_closed_form_factors_are_columns(tmp_path: Path) -> None:
    torch.save({"ckpt": "g.pt", "eigvec": COMPONENTS}, tmp_path / "factor.pt")
    assert torch.equal(_moved(tmp_path / "factor.pt", "2"), COMPONENTS[:, 2].expand(LEVELS, -1))


def test_rows_of_an_array_are_directions(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(30, 32)).astype(np.float32)
    np.save(tmp_path / "boundaries.npy", rows)
    direction = fit_editor(import_file(tmp_path / "boundaries.npy", "editor", "29"), LEVELS, 32, "x").tensors["direction"]
    assert torch.equal(direction, torch.from_numpy(rows[29]).expand(LEVELS, -1))


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        ("", ChoiceNeeded, r"holds 16 directions: name one, --editor ID=FILE#0 to #15"),
        ("16", UserError, "has no component 16; it holds 0 to 15"),
        ("first", UsageError, "#first names no component"),
        ("0:5-2", UsageError, "the levels 5 to 2 are none"),
    ],
)
def test_choices_that_name_nothing(choice: str, error: type[Exception], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        import_file(_pca(tmp_path / "pca.pt", "e4e"), "editor", choice)


def test_inspection_says_how_to_name_a_component(tmp_path: Path) -> None:
    assert "as editor (components): " in (words := inspect_file(_pca(tmp_path / "pca.npz", "GANSpace"))) and "ID=FILE#0" in words


def test_direction_of_more_levels_is_cut_and_said(tmp_path: Path) -> None:
    direction = torch.randn(18, W_DIM, generator=torch.manual_seed(2))
    torch.save(direction, tmp_path / "age.pt")
    generator = write_rosinality(tmp_path / "g.pt", rosinality_state())
    words: list[str] = []
    request = ImportRequest(tmp_path / "out", decoder=generator, editors={"age": tmp_path / "age.pt"})
    moved = import_checkpoint(request, words.append).load_editor("age")(torch.zeros(1, LEVELS, W_DIM))
    assert torch.equal(moved[0], direction[:LEVELS])
    assert "editors/age: it has 18 levels and the generator 8: its first 8 are taken, the others left out" in words


def test_direction_of_fewer_levels_or_of_lost_ones_alone_is_refused(tmp_path: Path) -> None:
    torch.save(torch.randn(6, W_DIM), tmp_path / "a.pt")
    with pytest.raises(UserError, match="made for 6 levels; the generator has 8"):
        _moved(tmp_path / "a.pt", "")
    torch.save(torch.cat([torch.zeros(12, W_DIM), torch.ones(6, W_DIM)]), tmp_path / "b.pt")
    with pytest.raises(UserError, match="moves levels from 8 on alone"):
        _moved(tmp_path / "b.pt", "")
