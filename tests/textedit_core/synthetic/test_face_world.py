"""The synthetic face world: parsers, geometry and scene codes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textedit_core.errors import UserError
from textedit_core.synthetic.assets import AssetTree, Target, parse_mhclo, parse_obj, parse_target
from textedit_core.synthetic.geometry import apply_targets, macro_weights
from textedit_core.synthetic.meshes import Proxy
from textedit_core.synthetic.sampler import sample_identity, sample_view
from textedit_core.synthetic.scene import (
    HAIRS,
    SCENE_CODE_NAMES,
    SKINS,
    SceneParameters,
    neutral_scene,
    scene_code,
    skin_weights,
)
from textedit_core.synthetic.subdivision import subdivide


def _scenes(count: int) -> list[SceneParameters]:
    return [
        sample_view(np.random.default_rng([1, k]), sample_identity(np.random.default_rng([0, k])))
        for k in range(count)
    ]


def test_parse_obj_repeats_the_last_corner_of_triangles() -> None:
    mesh = parse_obj(["v 0 0 0", "v 1 0 0", "v 0 1 0", "vt 0.5 0.25", "g body", "f 1/1 2/1 3/1"])
    assert mesh.faces.tolist() == [[0, 1, 2, 2]]
    assert mesh.groups == ("body",)


def test_parse_target_skips_comments() -> None:
    target = parse_target(["# a comment", "", "3 0.5 0 -1"])
    assert target.index.tolist() == [3]
    assert target.delta.tolist() == [[0.5, 0.0, -1.0]]


def test_parse_mhclo_ignores_metadata_inside_the_vertex_list() -> None:
    fitting = parse_mhclo(["obj_file a.obj", "x_scale 0 1 2.0", "verts 0", "tag young", "0 1 2 0.5 0.25 0.25 1 0 0"])
    assert fitting.obj_file == "a.obj"
    assert fitting.scales == {0: (0, 1, 2.0)}
    assert fitting.offsets.tolist() == [[1.0, 0.0, 0.0]]


def test_lfs_pointer_is_named(tmp_path: Path) -> None:
    for part in ("makehuman/data", "makehuman-assets/base", "makehuman-fork/data"):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / "makehuman/data/x.png").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UserError, match="git-lfs pointer"):
        AssetTree(tmp_path).file("makehuman/data/x.png")


def test_proxy_offset_scales_with_the_base() -> None:
    text = ["v 0 0 0", "v 0 0 0", "v 0 0 0", "f 1 2 3"]
    fitting = parse_mhclo(["x_scale 0 1 2.0", "verts 0", *["0 1 2 0.5 0.5 0 1 0 0"] * 3])
    base = np.array([[0, 0, 0], [4, 0, 0], [0, 1, 0]], np.float32)
    # The midpoint is x = 2; the base is 4 wide where the fitting expects 2, so the offset 1 becomes 2.
    assert Proxy(parse_obj(text), fitting, "toy").fit(base)[0].tolist() == [4.0, 0.0, 0.0]


def test_targets_add_up_linearly() -> None:
    target = Target(np.array([1], np.int32), np.array([[2.0, 0.0, 0.0]], np.float32))
    moved = apply_targets(np.zeros((2, 3)), {"t": target}, {"t": 0.25})
    assert moved.tolist() == [[0, 0, 0], [0.5, 0, 0]]


def test_subdivision_of_a_square_has_its_centre_and_midpoints() -> None:
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    matrix, quads = subdivide(np.array([[0, 1, 2, 3]]), 4)
    points = matrix @ square
    assert len(points) == 4 + 4 + 1 and len(quads) == 4
    assert points[-1].tolist() == [0.5, 0.5]
    # Boundary vertices keep half of their place and take a quarter of either neighbour (Catmull-Clark crease).
    assert points[0].tolist() == [0.125 * 2 - 0.125, 0.125 * 2 - 0.125]


def test_macro_weights_of_each_family_sum_to_one() -> None:
    weights = macro_weights(replace(neutral_scene(), age_years=17.0, gender=0.3, weight=0.7).build)
    assert sum(v for k, v in weights.items() if "universal" in k) == pytest.approx(1.0)
    assert sum(v for k, v in weights.items() if "universal" not in k) == pytest.approx(1.0)


def test_scene_code_is_named_bounded_and_repeatable() -> None:
    assert len(set(SCENE_CODE_NAMES)) == len(SCENE_CODE_NAMES)
    for scene in _scenes(100):
        code = scene_code(scene)
        assert len(code) == len(SCENE_CODE_NAMES)
        assert max(map(abs, code)) <= 1.5
        assert scene_code(scene) == code


def test_scene_code_tells_the_styles_apart() -> None:
    for style in ("sketch", "cartoon"):
        assert _changed(neutral_scene().with_style(style)) == {style}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"eyes_closed": 1.0}, {"eyes_closed"}),
        ({"freckles": 0.5}, {"freckles"}),
        ({"stubble": 0.5}, {"stubble"}),
        ({"lipstick": 0.5}, {"lipstick"}),
        ({"hair": HAIRS.index("bald")}, {"hair:bald", "hair:long01"}),
        ({"hair_grey": 1.0}, {"hair-color:r", "hair-color:g", "hair-color:b"}),
        ({"backdrop_slope": (0.5, 0.0)}, {"backdrop-slope:x"}),
        ({"glasses": 1}, {"glasses:round", "glasses-color:r", "glasses-color:g", "glasses-color:b"}),
        # The colour of a frame that nobody wears is not in the picture.
        ({"glasses_color": (0.4, 0.1, 0.1)}, set()),
    ],
)
def test_scene_code_holds_what_is_drawn(change: dict[str, Any], names: set[str]) -> None:
    assert _changed(replace(neutral_scene(), **change)) == names


def _changed(scene: SceneParameters) -> set[str]:
    differing = np.flatnonzero(np.array(scene_code(scene)) != np.array(scene_code(neutral_scene())))
    return {SCENE_CODE_NAMES[k] for k in differing}


def test_at_most_four_skins_are_blended() -> None:
    # The shader has four texture units for skins.
    for scene in _scenes(100):
        for age in (4.0, 15.0, 27.0, 35.0, 54.0, 60.0, 85.0):
            weights = skin_weights(replace(scene, age_years=age))
            assert len(weights) == len(SKINS)
            assert sum(weights) == pytest.approx(1.0)
            assert sum(w > 0 for w in weights) <= 4
