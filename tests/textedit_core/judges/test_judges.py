"""What judges answer: shapes, ranges, probabilities, unit embeddings, a distance that is one; and what opening refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from textedit_core.checkpoints.store import save_weights
from textedit_core.errors import UserError
from textedit_core.judges import Judges, open_judges
from textedit_core.judges.config import JudgesConfig
from textedit_core.judges.store import ATTRIBUTES_NAME, IDENTITY_NAME, INDEX_NAME, index_of

SHARES = ("smile", "brow_raise", "mouth_open", "sad", "angry", "eyes_closed", "male", "glasses", "melanin")


def _pictures(count: int = 3, size: int = 48) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2.0 - 1.0


@pytest.fixture
def folder(tiny_judges: Judges, tiny_config: JudgesConfig, tmp_path: Path) -> Path:
    """The tiny judges as a folder that may be damaged."""
    save_weights(tiny_judges.attribute_net.state_dict(), tmp_path / ATTRIBUTES_NAME)
    save_weights(tiny_judges.identity_net.state_dict(), tmp_path / IDENTITY_NAME)
    (tmp_path / INDEX_NAME).write_text(json.dumps(index_of(tmp_path, tiny_config, {"people": 7}, {"attributes": {"stopped": "images"}})))
    return tmp_path


def test_attributes_have_their_shapes_and_ranges(tiny_judges: Judges) -> None:
    values = tiny_judges.attributes(_pictures())
    assert set(values) == {*SHARES, "age_years", "yaw", "pitch", "hair_color", "style"}
    for name in SHARES:
        assert values[name].shape == (3,) and 0.0 <= float(values[name].min()) and float(values[name].max()) <= 1.0
    assert values["age_years"].shape == values["yaw"].shape == values["pitch"].shape == (3,)
    for name, count in (("hair_color", 6), ("style", 3)):
        assert values[name].shape == (3, count)
        torch.testing.assert_close(values[name].sum(dim=1), torch.ones(3))


def test_embeddings_are_of_unit_length(tiny_judges: Judges) -> None:
    embeddings = tiny_judges.identity(_pictures())
    assert embeddings.shape == (3, 8)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(3))


def test_perceptual_distance_is_symmetric_and_zero_for_equal_pictures(tiny_judges: Judges) -> None:
    first, second = _pictures(), _pictures().flip(0)
    assert torch.equal(tiny_judges.perceptual_distance(first, first), torch.zeros(3))
    there, back = tiny_judges.perceptual_distance(first, second), tiny_judges.perceptual_distance(second, first)
    torch.testing.assert_close(there, back)
    assert there[0] > 0.0 and there[1] == 0.0  # the middle of three pictures stays where it is


def test_many_pictures_are_judged_as_few(tiny_judges: Judges) -> None:
    pictures = _pictures(70, 32)  # more than go through at once
    torch.testing.assert_close(tiny_judges.identity(pictures)[68:], tiny_judges.identity(pictures[68:]))
    assert tiny_judges.perceptual_distance(pictures, pictures.flip(0)).shape == (70,)


def test_judges_give_no_gradients(tiny_judges: Judges) -> None:
    pictures = _pictures().requires_grad_()
    assert not tiny_judges.identity(pictures).requires_grad
    assert not tiny_judges.attributes(pictures)["smile"].requires_grad
    assert not tiny_judges.perceptual_distance(pictures, pictures).requires_grad


def test_opened_judges_answer_as_the_saved_ones(folder: Path, tiny_judges: Judges) -> None:
    judges = open_judges(folder)
    assert judges.card == {"people": 7} and judges.image_size == 32
    # Matrices are stored as float16: three digits.
    torch.testing.assert_close(judges.attributes(_pictures())["smile"], tiny_judges.attributes(_pictures())["smile"], rtol=0, atol=5e-3)
    torch.testing.assert_close(judges.identity(_pictures()), tiny_judges.identity(_pictures()), rtol=0, atol=2e-2)


@pytest.mark.parametrize("name", [ATTRIBUTES_NAME, IDENTITY_NAME])
def test_a_flipped_byte_and_a_missing_file_are_named(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(UserError, match=f"{name}' is damaged: its size or sha256 differs"):
        open_judges(folder)
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"{name}' is missing"):
        open_judges(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 9}, "format_version 9; this version reads 1"),
        ({"config": {}}, "damaged: KeyError"),
        ({"files": {}}, "damaged: KeyError"),
        ({"config": {"attributes": {"trunk": "nonesuch"}, "identity": {}}}, "damaged: RuntimeError"),
    ],
)
def test_a_damaged_index_is_one_line(folder: Path, change: dict[str, object], message: str) -> None:
    index = json.loads((folder / INDEX_NAME).read_text())
    (folder / INDEX_NAME).write_text(json.dumps({**index, **change}))
    with pytest.raises(UserError, match=message) as error:
        open_judges(folder)
    assert "\n" not in str(error.value)


def test_no_judges_and_no_json_are_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no judges"):
        open_judges(tmp_path / "nowhere")
    (folder / INDEX_NAME).write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        open_judges(folder)
