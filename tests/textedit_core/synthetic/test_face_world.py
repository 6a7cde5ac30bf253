"""The synthetic face world: parsers, geometry, scene codes, captions and one real rendering."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from textedit_core.errors import UserError
from textedit_core.synthetic.assets import AssetTree, Target, parse_mhclo, parse_obj, parse_target
from textedit_core.synthetic.captions import captions, vocabulary
from textedit_core.synthetic.geometry import apply_targets, macro_weights
from textedit_core.synthetic.meshes import Proxy
from textedit_core.synthetic.sampler import sample_identity, sample_view
from textedit_core.synthetic.scene import (
    SCENE_CODE_NAMES,
    SKINS,
    SceneParameters,
    neutral_scene,
    scene_code,
    scene_from_dict,
    skin_weights,
)
from textedit_core.synthetic.subdivision import subdivide

ASSETS = Path(os.environ.get("TEXTEDIT_ASSETS", Path(__file__).resolve().parents[4] / "shared/makehuman"))


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
        assert scene_code(scene_from_dict(scene.to_dict())) == code


def test_scene_code_tells_the_styles_apart() -> None:
    scene = neutral_scene()
    differing = np.flatnonzero(np.array(scene_code(scene)) != np.array(scene_code(scene.with_style("sketch"))))
    assert [SCENE_CODE_NAMES[k] for k in differing] == ["sketch"]


def test_at_most_three_skins_are_blended() -> None:
    for scene in _scenes(100):
        weights = skin_weights(scene)
        assert len(weights) == len(SKINS)
        assert sum(weights) == pytest.approx(1.0)
        assert sum(w > 0 for w in weights) <= 3


def test_captions_are_true_and_in_the_vocabulary() -> None:
    words = set(vocabulary())
    for k, scene in enumerate(_scenes(200)):
        for caption in captions(scene, np.random.default_rng(k), 8):
            said = set(caption.split())
            assert said <= words
            if scene.smile == 0:
                assert not said & {"smile", "happy", "laughing"} and ("smiling" not in said or "not" in said)
            if scene.age_years >= 13:
                assert not said & {"child", "kid", "boy"}
            else:
                assert not said & {"woman", "man", "adult", "lady", "person"}


def test_prompt_wordings_occur() -> None:
    smiling = replace(neutral_scene(), smile_toothy=0.9)
    child = replace(neutral_scene(), age_years=7.0)
    seen = {c for k in range(400) for c in captions(smiling, np.random.default_rng(k))}
    seen |= {c for k in range(400) for c in captions(child, np.random.default_rng(k))}
    seen |= {c for k in range(100) for c in captions(child.with_style("sketch"), np.random.default_rng(k))}
    assert {"a girl with smile face", "a girl with neutral face", "a female child", "cartoon sketch"} <= seen


@pytest.mark.skipif(not ASSETS.is_dir(), reason=f"the asset tree {ASSETS} is missing; set TEXTEDIT_ASSETS")
def test_rendering_is_aligned_and_repeatable(tmp_path: Path) -> None:
    moderngl = pytest.importorskip("moderngl", reason="moderngl is missing")
    try:
        moderngl.create_standalone_context(backend="egl").release()
    except Exception as error:  # the driver decides what is raised
        pytest.skip(f"no EGL context: {error}")
    from textedit_core.synthetic.renderer import Renderer

    renderer = Renderer(ASSETS, resolution=64, cache=tmp_path)
    scene = _scenes(1)[0]
    drawn = renderer.draw(scene)
    photo, sketch = renderer.render_scene(scene)
    assert photo.shape == sketch.shape == (64, 64, 3)
    assert np.array_equal(drawn.photo, photo)
    # The crop puts the middle of the eyes at the image centre, level.
    assert drawn.landmarks[:2].mean(axis=0) == pytest.approx([32, 32], abs=3)
    assert drawn.landmarks[0, 1] == pytest.approx(drawn.landmarks[1, 1], abs=1.5)
    assert (drawn.landmarks > 0).all() and (drawn.landmarks < 64).all()
    background = np.isinf(drawn.depth)
    # Paper is 250, 247, 240; contours touch the border of the background only.
    assert np.median(sketch[background]) > 230 > np.median(photo[background])
