"""Counterfactual groups: partners that differ in one attribute only, and a set that is read as it was written or not at all."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from textedit_core.errors import UsageError, UserError
from textedit_core.synthetic.attributes import attributes
from textedit_core.synthetic.counterfactual_edits import AGED_AGES, CHILD_AGES, EDITS, SHIPPED_EDITS, SOURCE_AGES
from textedit_core.synthetic.counterfactual_release import MAX_BYTES, ship
from textedit_core.synthetic.counterfactual_set import CounterfactualSet
from textedit_core.synthetic.counterfactuals import GroupScenes, plan_groups, render_counterfactuals
from textedit_core.synthetic.splits import split_of

SIDE = 64
# What an edit may change in a scene, and in what is said of it.
CHANGES: dict[str, tuple[set[str], set[str]]] = {
    "smile": ({"smile_closed", "smile_toothy"}, {"smile"}),
    "child": ({"age_years", "stubble", "lipstick"}, {"age_years"}),
    "aged": ({"age_years"}, {"age_years", "hair_color"}),
    "sketch": ({"style"}, {"style"}),
    "cartoon": ({"style"}, {"style"}),
    "glasses": ({"glasses", "glasses_color"}, {"glasses"}),
    "blond": ({"hair_color"}, {"hair_color"}),
    "grey": ({"hair_grey"}, {"hair_color"}),
    "surprised": ({"brow_raise", "mouth_open"}, {"brow_raise", "mouth_open"}),
    "sad": ({"sad"}, {"sad"}),
    "angry": ({"angry"}, {"angry"}),
    "eyes_closed": ({"eyes_closed"}, {"eyes_closed"}),
}


@pytest.fixture(scope="module")
def planned() -> list[GroupScenes]:
    return plan_groups(60, seed=0, edits=tuple(EDITS))


@pytest.fixture(scope="module")
def folder(graphics: None, packed_assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three groups with the shipped edits and closed eyes at 64 px."""
    out = tmp_path_factory.mktemp("counterfactuals")
    render_counterfactuals(packed_assets, out, 3, resolution=SIDE, workers=1, edits=(*SHIPPED_EDITS, "eyes_closed"))
    return out


def test_people_are_of_the_test_split_and_once_only(planned: list[GroupScenes]) -> None:
    people = [group.identity for group in planned]
    assert {split_of(identity) for identity in people} == {"test"} and len(set(people)) == len(people)
    assert plan_groups(20, seed=0, edits=tuple(EDITS)) == planned[:20]


def test_sources_can_be_edited_in_every_way(planned: list[GroupScenes]) -> None:
    for group in planned:
        shown = attributes(group.scenes["source"])
        assert SOURCE_AGES[0] <= float(shown["age_years"]) <= SOURCE_AGES[1]
        assert shown["style"] == "photo" and shown["glasses"] == 0 and shown["hair_color"] in ("black", "brown", "red")
        assert {shown[name] for name in ("smile", "brow_raise", "mouth_open", "sad", "angry", "eyes_closed")} == {0.0}


@pytest.mark.parametrize("edit", EDITS)
def test_a_partner_differs_in_the_named_attribute_only(planned: list[GroupScenes], edit: str) -> None:
    may_change, may_say = CHANGES[edit]
    for group in planned:
        source, partner = group.scenes["source"], group.scenes[edit]
        changed = {field.name for field in fields(source) if getattr(source, field.name) != getattr(partner, field.name)}
        assert changed and changed <= may_change
        before, after = attributes(source), attributes(partner)
        said = {name for name in before if before[name] != after[name]}
        assert said and said <= may_say


def test_edits_reach_what_their_names_say(planned: list[GroupScenes]) -> None:
    scenes = {name: [attributes(group.scenes[name]) for group in planned] for name in EDITS}
    assert all(float(shown["smile"]) >= 0.8 for shown in scenes["smile"])
    assert all(CHILD_AGES[0] <= float(shown["age_years"]) <= CHILD_AGES[1] for shown in scenes["child"])
    assert all(AGED_AGES[0] <= float(shown["age_years"]) <= AGED_AGES[1] for shown in scenes["aged"])
    assert {shown["hair_color"] for shown in scenes["blond"]} == {"blond"}
    assert {shown["hair_color"] for shown in scenes["grey"]} == {"grey"}
    # Both kinds of smile and every frame occur among 60 people.
    assert {group.scenes["smile"].smile_toothy > 0 for group in planned} == {True, False}
    assert {group.scenes["glasses"].glasses for group in planned} == {1, 2, 3, 4}


def test_an_unknown_edit_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown edit 'beard'; the edits are: aged, angry, blond"):
        render_counterfactuals(tmp_path, tmp_path / "out", 1, edits=("beard",))


def test_pixels_differ_where_the_edit_is(folder: Path) -> None:
    groups = CounterfactualSet.open(folder)
    assert len(groups) == 3 and groups.edits == (*SHIPPED_EDITS, "eyes_closed")
    for group in groups:
        source = group.source
        assert source.image.shape == (SIDE, SIDE, 3) and source.image.dtype == np.uint8
        assert source.figure.shape == (SIDE, SIDE) and 0.2 < source.figure.mean() < 0.9
        for name in ("smile", "glasses", "eyes_closed", "blond"):
            partner = group.partners[name]
            # The mouth's corners move in a smile; eyes and nose, and so the crop, do not.
            assert np.abs(source.landmarks[:3] - partner.landmarks[:3]).max() < 0.3, name
            # Brows, eyes and mouth may move; the backdrop may not. An outline is anti-aliased, so what touches it is left out.
            both = ~ndimage.binary_dilation(source.figure | partner.figure, iterations=2)
            assert np.abs(source.image[both].astype(int) - partner.image[both]).max() <= 2, name
            assert (source.image != partner.image).any(), name
        closed = np.abs(source.image.astype(int) - group.partners["eyes_closed"].image).max(axis=2)
        mouth = int(source.landmarks[3:, 1].mean())
        # Closing the eyes leaves mouth and chin as they are.
        assert closed[: SIDE // 2 + 8].max() > 20 and closed[mouth:].max() <= 2


def test_drawings_are_of_the_source(folder: Path) -> None:
    for group in CounterfactualSet.open(folder):
        for name in ("sketch", "cartoon"):
            assert np.array_equal(group.partners[name].figure, group.source.figure)
            assert np.array_equal(group.partners[name].landmarks, group.source.landmarks)
        paper = group.partners["sketch"].image[~group.source.figure]
        assert np.median(paper) > 230


def test_the_small_copy_is_close_and_checked(folder: Path, tmp_path: Path) -> None:
    quality = ship(folder, tmp_path / "small", groups=2)
    # Two tiny groups fit at the best quality that is tried.
    assert quality == 92
    assert sum(path.stat().st_size for path in (tmp_path / "small").rglob("*") if path.is_file()) < MAX_BYTES
    full, small = CounterfactualSet.open(folder), CounterfactualSet.open(tmp_path / "small")
    assert (len(small), small.edits, small.resolution) == (2, full.edits, SIDE)
    # Two of three groups, spread evenly: the first and the last.
    for kept, original in zip(small, (full[0], full[2]), strict=True):
        assert kept.identity == original.identity and kept.source.attributes == original.source.attributes
        assert np.array_equal(kept.partners["child"].figure, original.partners["child"].figure)
        assert np.abs(kept.source.image.astype(float) - original.source.image).mean() < 4
    with pytest.raises(UserError, match="has 3 groups, fewer than 4"):
        ship(folder, tmp_path / "more", groups=4)


def test_damage_is_found(folder: Path, tmp_path: Path) -> None:
    ship(folder, tmp_path, groups=1)
    (shard,) = (tmp_path / "shards").iterdir()
    data = shard.read_bytes()
    shard.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="groups-00000.tar.gz.*damaged"):
        CounterfactualSet.open(tmp_path)
    shard.unlink()
    with pytest.raises(UserError, match="groups-00000.tar.gz.*cannot be read"):
        CounterfactualSet.open(tmp_path)
    index = json.loads((tmp_path / "counterfactuals.json").read_text())
    (tmp_path / "counterfactuals.json").write_text(json.dumps({**index, "complete": False}))
    with pytest.raises(UserError, match="not finished"):
        CounterfactualSet.open(tmp_path)
    with pytest.raises(UserError, match="counterfactuals.json.*missing"):
        CounterfactualSet.open(tmp_path / "nowhere")


def test_more_groups_keep_those_that_are_there(folder: Path, packed_assets: Path) -> None:
    before = CounterfactualSet.open(folder)[1].source.image
    with pytest.raises(UserError, match="holds a rendering with edits"):
        render_counterfactuals(packed_assets, folder, 3, resolution=SIDE, edits=("smile",))
    render_counterfactuals(packed_assets, folder, 3, resolution=SIDE, workers=1, edits=(*SHIPPED_EDITS, "eyes_closed"))
    assert np.array_equal(CounterfactualSet.open(folder)[1].source.image, before)
