"""Pictures of a real rendering, small: aligned, dressed, repeatable, and changed only where the scene was changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from textedit_core.synthetic.sampler import sample_identity, sample_view
from textedit_core.synthetic.scene import HAIRS, SceneParameters, neutral_scene
from textedit_core.synthetic.stylize import stylised

if TYPE_CHECKING:
    from textedit_core.synthetic.renderer import Renderer

SIDE = 96


@pytest.fixture(scope="module")
def renderer(packed_assets: Path, graphics: None) -> Renderer:
    """One renderer for all tests: a process has one graphics context."""
    from textedit_core.synthetic.renderer import Renderer

    return Renderer(packed_assets, resolution=SIDE)


def _people(count: int) -> list[SceneParameters]:
    return [sample_view(np.random.default_rng([1, k]), sample_identity(np.random.default_rng([0, k]))) for k in range(count)]


def test_faces_are_aligned(renderer: Renderer) -> None:
    for scene in _people(8):
        points = renderer.draw(scene).landmarks
        # The crop puts the middle of the eyes at the image centre, level.
        assert points[:2].mean(axis=0) == pytest.approx([SIDE / 2, SIDE / 2], abs=4.5)
        assert points[0, 1] == pytest.approx(points[1, 1], abs=2.5)
        assert (points > 0).all() and (points < SIDE).all()


def test_drawing_again_gives_the_same_pixels(renderer: Renderer) -> None:
    first, other = _people(2)
    drawn = renderer.draw(first)
    # Neither the scene drawn in between nor its glasses and hair may leave a trace.
    renderer.draw(replace(other, glasses=3, hair=HAIRS.index("bob")))
    again = renderer.draw(first)
    assert np.array_equal(drawn.photo, again.photo) and np.array_equal(drawn.depth, again.depth)


def test_drawn_styles_share_the_figure_of_the_photo(renderer: Renderer) -> None:
    drawn = renderer.draw(neutral_scene())
    backdrop = np.isinf(drawn.depth)
    sketch = stylised(drawn.photo, drawn.depth, "sketch")
    # Paper is 250, 247, 240; contours touch the border of the background only.
    assert np.median(sketch[backdrop]) > 230 > np.median(drawn.photo[backdrop])
    comic = stylised(drawn.photo, drawn.depth, "cartoon")
    assert np.unique(comic[:6, :6].reshape(-1, 3), axis=0).shape[0] == 1


def test_glasses_change_the_picture_around_the_eyes_only(renderer: Renderer) -> None:
    scene = replace(neutral_scene(), hair=HAIRS.index("ponytail01"))
    plain, worn = renderer.draw(scene), renderer.draw(replace(scene, glasses=3))
    changed = np.abs(plain.photo.astype(int) - worn.photo).max(axis=2) > 12
    rows = np.flatnonzero(changed.any(axis=1))
    eyes, mouth = plain.landmarks[:2, 1].mean(), plain.landmarks[3:, 1].mean()
    assert changed[int(eyes) - 2 : int(eyes) + 3].any()
    # Rims end well above the mouth; their shadow falls on the cheeks.
    assert rows.min() > eyes - 0.2 * SIDE and rows.max() < mouth
    assert np.array_equal(plain.landmarks, worn.landmarks)


def test_a_bald_head_shows_skin_where_hair_was(renderer: Renderer) -> None:
    scene = replace(neutral_scene(), gender=1.0, hair=HAIRS.index("short01"), hair_color=(0.014, 0.011, 0.010))
    above = slice(int(0.14 * SIDE), int(0.2 * SIDE)), slice(SIDE // 2 - 4, SIDE // 2 + 4)
    with_hair, bald = renderer.draw(scene), renderer.draw(replace(scene, hair=HAIRS.index("bald")))
    assert with_hair.photo[above].mean() + 60 < bald.photo[above].mean()


def test_everybody_is_dressed(renderer: Renderer) -> None:
    shown = []
    for scene in _people(6):
        # Bright green clothes, which no skin and no backdrop here is.
        drawn = renderer.draw(replace(scene, cloth=(0.02, 0.6, 0.02), background=(0.3, 0.3, 0.3), hair=HAIRS.index("short01")))
        bottom = drawn.photo[-1].astype(int)
        green = bottom[:, 1] > bottom[:, [0, 2]].max(axis=1) + 30
        shown.append(green.mean() > 0.05)
    # An open mouth may push the collar of one of them below the crop.
    assert sum(shown) >= 5


def test_a_collar_leaves_the_chin_free(renderer: Renderer) -> None:
    for scene in _people(6):
        for age in (5.0, 30.0, 80.0):
            green = replace(scene, age_years=age, cloth=(0.02, 0.6, 0.02), background=(0.3, 0.3, 0.3), eyes_closed=1.0, glasses=0)
            drawn = renderer.draw(green)
            photo = drawn.photo.astype(int)
            cloth = photo[..., 1] > photo[..., [0, 2]].max(axis=2) + 30
            mouth = drawn.landmarks[3:]
            # Below the mouth, half the way that the mouth is below the nose, is still the chin.
            chin_row = int(mouth[:, 1].mean() + 0.5 * (mouth[:, 1].mean() - drawn.landmarks[2, 1]))
            assert not cloth[:chin_row, int(mouth[0, 0]) : int(mouth[1, 0])].any()
