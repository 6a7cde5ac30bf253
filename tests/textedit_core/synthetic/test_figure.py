"""Heads of the asset tree in numbers: where spectacles sit, when eyes are closed, what a bald head draws, where beards grow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from textedit_core.synthetic import shaders
from textedit_core.synthetic.assets import AssetTree
from textedit_core.synthetic.eyewear import FRAME_STYLES, FrameStyle
from textedit_core.synthetic.figure import brow_color, parts
from textedit_core.synthetic.sampler import sample_identity, sample_view
from textedit_core.synthetic.scene import BROWS, GLASSES, HAIR_SHADES, HAIRS, SceneParameters, neutral_scene
from textedit_core.synthetic.wardrobe import Wardrobe

AGES = (5.0, 11.0, 25.0, 75.0)


@pytest.fixture(scope="module")
def wardrobe(packed_assets: Path) -> Wardrobe:
    """Meshes and targets of the asset tree."""
    return Wardrobe(AssetTree(packed_assets))


def _people(count: int) -> list[SceneParameters]:
    return [sample_view(np.random.default_rng([1, k]), sample_identity(np.random.default_rng([0, k]))) for k in range(count)]


def test_there_is_a_frame_for_every_name() -> None:
    assert len(FRAME_STYLES) == len(GLASSES) - 1


@pytest.mark.parametrize("style", FRAME_STYLES)
@pytest.mark.parametrize("age", AGES)
def test_glasses_sit_before_the_eyes_and_reach_the_ears(wardrobe: Wardrobe, style: FrameStyle, age: float) -> None:
    for scene in _people(6):
        points = wardrobe.points(replace(scene, age_years=age))
        frame, lenses = wardrobe.eyewear.fit(style, points)
        eyes = wardrobe.finder.landmarks(points)[:2]
        between = float(np.linalg.norm(eyes[1] - eyes[0]))
        # Before the pupils, but no farther than half a distance between the eyes (about 3 cm).
        assert eyes[:, 2].max() < lenses[:, 2].min() + 0.2 * between
        assert frame[:, 2].max() - eyes[:, 2].max() < 0.6 * between
        for ear in (points[side[2]] for side in wardrobe.eyewear.sides):
            # A temple passes within a centimetre of the top of the ear, and ends behind it.
            assert np.linalg.norm(frame - ear, axis=1).min() < 0.1
            assert frame[:, 2].min() < ear[2] - 0.1


@pytest.mark.parametrize("style", FRAME_STYLES)
def test_rims_stay_out_of_the_face(wardrobe: Wardrobe, style: FrameStyle) -> None:
    for scene in _people(8):
        points = wardrobe.points(scene)
        face = points[wardrobe.eyewear.orbit]
        lenses = wardrobe.eyewear.fit(style, points)[1]
        middle, unit = _eyes(wardrobe, points)
        aside = np.abs(lenses[:, 0] - middle) > 0.3 * unit
        behind = face[cKDTree(face[:, :2]).query(lenses[:, :2])[1], 2]
        assert (lenses[aside, 2] > behind[aside] - 0.02).all()


def _eyes(wardrobe: Wardrobe, points: np.ndarray) -> tuple[float, float]:
    eyes = wardrobe.finder.landmarks(points)[:2]
    return float(eyes[:, 0].mean()), float(eyes[1, 0] - eyes[0, 0])


def test_glasses_are_drawn_when_worn_only(wardrobe: Wardrobe) -> None:
    worn = parts(replace(neutral_scene(), glasses=1), wardrobe)
    assert [part.name for part in worn][-2:] == ["glasses", "lenses"]
    assert not {"glasses", "lenses"} & {part.name for part in parts(neutral_scene(), wardrobe)}


def test_closed_eyes_close(wardrobe: Wardrobe) -> None:
    for scene in _people(12):
        opened = wardrobe.points(replace(scene, eyes_closed=0.0, smile_closed=0.0, smile_toothy=0.0))
        closed = wardrobe.points(replace(scene, eyes_closed=1.0))
        for side in ("left", "right"):
            # Base mesh units are decimetres: open by at least 2 mm, and no gap left.
            assert wardrobe.eyelids.gap(opened, side).max() > 0.02
            assert wardrobe.eyelids.gap(closed, side).max() <= 0.0


def test_half_closed_eyes_are_half_open(wardrobe: Wardrobe) -> None:
    gaps = [wardrobe.eyelids.gap(wardrobe.points(replace(neutral_scene(), eyes_closed=e)), "left").max() for e in (0.0, 0.5, 1.0)]
    # Targets add linearly; the lids overlap a little when closed.
    assert gaps[1] == pytest.approx((gaps[0] + gaps[2]) / 2, abs=0.005)


def test_a_bald_head_draws_no_hair(wardrobe: Wardrobe) -> None:
    kinds = [part.kind for part in parts(replace(neutral_scene(), hair=HAIRS.index("bald")), wardrobe)]
    assert shaders.HAIR not in kinds
    assert shaders.HAIR in [part.kind for part in parts(neutral_scene(), wardrobe)]


def test_every_choice_of_the_sampler_can_be_drawn(wardrobe: Wardrobe) -> None:
    for hair in range(len(HAIRS)):
        for brow in range(len(BROWS)):
            for part in parts(replace(neutral_scene(), hair=hair, brow=brow), wardrobe):
                assert wardrobe.mesh(part.name).indices.size
                assert not part.texture or part.texture in wardrobe.textures


@pytest.mark.parametrize("shade", [*HAIR_SHADES.values(), (0.30, 0.29, 0.27)])
def test_brows_are_dark_and_never_bluish(shade: tuple[float, float, float]) -> None:
    red, green, blue = brow_color(replace(neutral_scene(), hair_color=shade))
    assert red <= 0.0751 and red > green > blue


def test_zones_lie_where_their_names_say(wardrobe: Wardrobe) -> None:
    rows = wardrobe.buffer("body", neutral_scene(), wardrobe.points(neutral_scene()))
    five = wardrobe.finder.landmarks(wardrobe.points(neutral_scene()))
    middles = [np.average(rows[:, :3], axis=0, weights=wardrobe.zones[:, k]) for k in range(4)]
    lips, freckles, stubble, scalp = middles
    mouth, eyes = five[3:].mean(axis=0), five[:2].mean(axis=0)
    assert np.linalg.norm(lips - mouth) < 0.3
    assert mouth[1] < freckles[1] < eyes[1] and stubble[1] < five[2, 1] and scalp[1] > eyes[1]
    assert wardrobe.zones.min() >= 0.0 and wardrobe.zones.max() <= 1.001
