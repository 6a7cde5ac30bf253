"""What is drawn at random, against the shares that the sampler's docstring states."""

from __future__ import annotations

import numpy as np
import pytest

from textedit_core.synthetic.sampler import sample_identity, sample_view
from textedit_core.synthetic.scene import GLASSES, HAIRS, SceneParameters

COUNT = 4000


@pytest.fixture(scope="module")
def views() -> list[SceneParameters]:
    """One view each of many people."""
    return [sample_view(np.random.default_rng([1, k]), sample_identity(np.random.default_rng([0, k]))) for k in range(COUNT)]


# Four standard deviations of a share p among 4000 views are at most 4 * sqrt(0.25 / 4000) = 0.032.
TOLERANCE = 0.032


@pytest.mark.parametrize(
    ("share", "holds"),
    [
        (0.30, lambda s: s.age_years < 13.0),
        (0.45, lambda s: 16.0 <= s.age_years < 40.0),
        (0.25, lambda s: s.age_years >= 40.0),
        (0.50, lambda s: s.gender >= 0.5),
        (0.44, lambda s: s.smile >= 0.5),
        (0.22, lambda s: s.smile_toothy >= 0.5),
        (0.06, lambda s: s.sad > 0.0),
        (0.06, lambda s: s.angry > 0.0),
        (0.06, lambda s: s.brow_raise >= 0.5 and s.mouth_open >= 0.5),
        # 6% closed eyes alone, and 4% of the 44% that smile.
        (0.078, lambda s: s.eyes_closed > 0.5),
        (0.15, lambda s: s.glasses > 0),
    ],
)
def test_shares_are_those_of_the_docstring(views: list[SceneParameters], share: float, holds: object) -> None:
    assert callable(holds)
    assert np.mean([holds(scene) for scene in views]) == pytest.approx(share, abs=TOLERANCE)


def test_beards_baldness_and_lipstick_go_to_whom_they_belong(views: list[SceneParameters]) -> None:
    for scene in views:
        if scene.bald or scene.stubble > 0.0:
            assert scene.gender >= 0.5 and scene.age_years >= 17.9
        if scene.lipstick > 0.0:
            assert scene.gender < 0.5 and scene.age_years >= 16.0
    assert {HAIRS[scene.hair] for scene in views} == set(HAIRS)
    assert {scene.glasses for scene in views} == set(range(len(GLASSES)))


def test_poses_stay_within_the_studio(views: list[SceneParameters]) -> None:
    # Standard deviations of 10 and 4 degrees, cut at 2.2 of them.
    assert max(abs(scene.yaw) for scene in views) <= 22.0
    assert max(abs(scene.pitch) for scene in views) <= 8.8
    assert np.std([scene.yaw for scene in views]) == pytest.approx(10.0, rel=0.06)


def test_the_same_seed_draws_the_same_scene() -> None:
    person = sample_identity(np.random.default_rng(7))
    assert person == sample_identity(np.random.default_rng(7))
    assert sample_view(np.random.default_rng(8), person) == sample_view(np.random.default_rng(8), person)
