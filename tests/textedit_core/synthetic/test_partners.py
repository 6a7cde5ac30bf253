"""Partners: people changed, with the motion from one drawing to the other, told exactly."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from textedit_core.errors import UserError
from textedit_core.synthetic.partners import DRAWN, INDEX_NAME, STYLED, PartnerGroup, partner_scenes, plan_partners, render_partners
from textedit_core.synthetic.sampler import sample_identity, sample_view
from textedit_core.synthetic.scene import EXPRESSIONS, SceneParameters
from textedit_core.synthetic.shards import SHARD_FOLDER, unpack_shard
from textedit_core.synthetic.splits import split_of

SIDE = 128


@pytest.fixture(scope="module")
def planned() -> list[PartnerGroup]:
    return plan_partners(40, seed=0)


def test_people_are_of_the_training_split_and_a_longer_plan_begins_alike(planned: list[PartnerGroup]) -> None:
    people = [group.identity for group in planned]
    assert {split_of(identity) for identity in people} == {"train"} and len(set(people)) == len(people)
    assert plan_partners(11, seed=0) == planned[:11]


def test_couples_change_alike(planned: list[PartnerGroup]) -> None:
    for one, other in zip(planned[::2], planned[1::2], strict=True):
        for name in ("smile", "laughing", "surprised", "expression"):
            changes = [{key: getattr(group.scenes[name], key) for key in EXPRESSIONS} for group in (one, other)]
            assert changes[0] == changes[1] and any(changes[0].values())
        assert one.scenes["child"].age_years == other.scenes["child"].age_years or one.scenes["rest"].age_years <= 14
        assert one.scenes["glasses"].glasses == other.scenes["glasses"].glasses > 0


def test_people_at_rest_look_plainly_and_children_have_no_beard(planned: list[PartnerGroup]) -> None:
    for group in planned:
        assert list(group.scenes) == list(DRAWN)
        rest, child = group.scenes["rest"], group.scenes["child"]
        assert not any(getattr(rest, name) for name in EXPRESSIONS) and rest.glasses == 0
        assert child.stubble == child.lipstick == 0.0


@pytest.fixture(scope="module")
def scene() -> SceneParameters:
    rng = np.random.default_rng(5)
    view = sample_view(rng, sample_identity(rng)).with_expression(dict.fromkeys(EXPRESSIONS, 0.0))
    return replace(view, age_years=30.0, glasses=0)


@pytest.mark.parametrize("expression", [{"smile_toothy": 1.0}, {"brow_raise": 0.9, "mouth_open": 0.6}])
def test_the_motion_carries_one_drawing_onto_the_other(
    graphics: None, packed_assets: Path, scene: SceneParameters, expression: dict[str, float]
) -> None:
    from textedit_core.synthetic.renderer import Renderer

    renderer = Renderer(packed_assets, resolution=SIDE)
    changed = scene.with_expression(expression)
    before, after = renderer.draw(scene).photo.astype(float), renderer.draw(changed, scene).photo.astype(float)
    motion = renderer.motion(scene, changed, None, scene)
    lines, columns = np.mgrid[:SIDE, :SIDE]
    places = [lines + motion.flow[..., 1] * SIDE, columns + motion.flow[..., 0] * SIDE]
    moved = np.stack([ndimage.map_coordinates(before[..., band], places, order=1, mode="nearest") for band in range(3)], -1)
    changing = motion.visible & (np.abs(after - before).max(-1) > 20)
    # Light falls otherwise on a face that moves, so it is not the same to the level; but most of the difference is motion.
    assert np.abs(moved - after)[changing].mean() < 0.6 * np.abs(before - after)[changing].mean()
    # What was inside the mouth was not seen before.
    mouth = (~motion.visible)[int(0.7 * SIDE) : int(0.9 * SIDE), int(0.35 * SIDE) : int(0.65 * SIDE)]
    assert mouth.any() and motion.visible.mean() > 0.95


def test_nothing_moves_between_a_scene_and_itself(graphics: None, packed_assets: Path, scene: SceneParameters) -> None:
    from textedit_core.synthetic.renderer import Renderer

    motion = Renderer(packed_assets, resolution=64).motion(scene, scene)
    # Places are stored as fp32 fractions of the side.
    assert np.abs(motion.flow).max() < 1e-5 and motion.visible.all()


def test_a_set_is_resumed_and_not_mixed(graphics: None, packed_assets: Path, tmp_path: Path) -> None:
    render_partners(packed_assets, tmp_path, 2, resolution=64, workers=1)
    index = json.loads((tmp_path / INDEX_NAME).read_text())
    assert index["complete"] and index["people"] == 2
    path = tmp_path / SHARD_FOLDER / index["shards"][0]["name"]
    samples = unpack_shard(path.read_bytes(), path.name)
    assert list(samples) == ["000000", "000001"]
    for sample in samples.values():
        assert all(Image.open(io.BytesIO(sample[f"{name}.png"])).size == (64, 64) for name in DRAWN + STYLED)
        assert np.load(io.BytesIO(sample["flow.npy"])).shape == (len(DRAWN) - 1, 64, 64, 2)
    written = path.stat().st_mtime_ns
    render_partners(packed_assets, tmp_path, 2, resolution=64, workers=1)
    assert path.stat().st_mtime_ns == written
    with pytest.raises(UserError, match="holds a rendering with resolution 64, not 32"):
        render_partners(packed_assets, tmp_path, 2, resolution=32, workers=1)


def test_the_same_draws_change_two_people_alike(scene: SceneParameters) -> None:
    other = replace(scene, gender=1.0 - scene.gender)
    ours, theirs = (partner_scenes(each, np.random.default_rng(3)) for each in (scene, other))
    assert ours["aged"].age_years == theirs["aged"].age_years and ours["hair"].hair_color == theirs["hair"].hair_color
