"""The compositor: what it leaves alone, and how an edit is drawn on a photo."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image

from textedit_core.alignment import CropTransform
from textedit_core.compositor import Compositor, composition, guides_of
from textedit_core.compositor.composition import Overlay, bilinear, compose, cubic, overlay
from textedit_core.compositor.network import DETAIL, FLOW, FLOW_UNIT, MASK, PAINT, PLANES, SHARE
from textedit_core.config import preset
from textedit_core.pixels import LUMA

SIDE = 32


@pytest.fixture(scope="module")
def network() -> Compositor:
    torch.manual_seed(0)
    network = Compositor(preset("tiny").compositor).eval()
    # Fresh heads say next to nothing; these speak up.
    torch.nn.init.normal_(network.out.weight, std=1.0)
    return network


def _pictures(*seeds: int) -> list[torch.Tensor]:
    return [torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed)) * 2 - 1 for seed in seeds]


def _photo(width: int = 90, height: int = 70) -> Image.Image:
    return Image.fromarray(np.random.default_rng(4).integers(0, 256, (height, width, 3), np.uint8))


def _drawn(content: float = 0.0, **planes: np.ndarray) -> Overlay:
    """An overlay that does nothing but what is given; `content` is the grey level of what is painted."""
    zero = np.zeros((SIDE, SIDE), np.float32)
    still = {
        "flow": np.zeros((SIDE, SIDE, 2), np.float32),
        "mask": zero,
        "detail": zero,
        "share": zero,
        "paint": np.full((SIDE, SIDE, 3), content / 127.5 - 1.0, np.float32),
        "after": np.zeros((SIDE, SIDE, 3), np.float32),
        "low": zero,
    }
    return Overlay(**{**still, **planes})


# The whole photo's pixels 10 to 59 and 5 to 54.
CROP = CropTransform((10.0, 5.0), (50.0, 0.0))


def test_no_edit_is_exactly_no_change(network: Compositor) -> None:
    photo, decode = _pictures(1, 2)
    fields = network(guides_of(photo, decode, decode, SIDE))
    assert not fields[:, FLOW].any() and not fields[:, MASK].any()
    drawn = overlay(fields[:1].detach(), decode[:1], Image.new("RGB", (SIDE, SIDE)))
    assert compose(_photo(), drawn, CROP).tobytes() == _photo().tobytes()


def test_an_edit_changes_something_but_nothing_at_the_rim(network: Compositor) -> None:
    fields = network(guides_of(*_pictures(1, 2, 3), SIDE))
    flow, mask = fields[:, FLOW], fields[:, MASK]
    assert flow.abs().max() * FLOW_UNIT > 0.01 and mask.max() > 0.1
    for plane in (flow, mask):
        assert not plane[..., 0, :].any() and not plane[..., -1].any()


def test_shapes_and_ranges(network: Compositor) -> None:
    fields = network(guides_of(*_pictures(1, 2, 3), SIDE))
    assert fields.shape == (2, PLANES, SIDE, SIDE)
    assert fields[:, FLOW].abs().max() * FLOW_UNIT <= network.config.max_flow
    for plane, low, high in ((MASK, 0, 1), (DETAIL, 0, 2), (SHARE, 0, 1), (PAINT, -1, 1)):
        assert low <= fields[:, plane].min() and fields[:, plane].max() <= high


def test_guides_are_box_means_of_what_a_screen_would_show() -> None:
    photo, after = torch.full((1, 3, 64, 64), 0.5), torch.full((1, 3, 128, 128), 3.0)
    guides = guides_of(photo, -after, after, SIDE)
    assert guides.shape == (1, 9, SIDE, SIDE)
    assert (guides[:, :3] == 0.5).all() and (guides[:, 3:6] == -1).all() and (guides[:, 6:] == 1).all()


def test_a_motion_by_whole_pixels_moves_bytes() -> None:
    # 3 and -2 of the crop's 50 pixels.
    flow = np.broadcast_to(np.array([3 / 50, -2 / 50], np.float32), (SIDE, SIDE, 2))
    before, after = np.asarray(_photo()), np.asarray(compose(_photo(), _drawn(flow=np.ascontiguousarray(flow)), CROP))
    assert np.array_equal(after[10:50, 15:55], before[8:48, 18:58])
    outside = np.ones(before.shape[:2], bool)
    outside[5:55, 10:60] = False
    assert np.array_equal(after[outside], before[outside])


def test_a_turned_crop_turns_the_motion() -> None:
    # The crop's x axis points down the photo: a motion to its right reads from below.
    turned = CropTransform((60.0, 5.0), (0.0, 50.0))
    flow = np.broadcast_to(np.array([4 / 50, 0], np.float32), (SIDE, SIDE, 2))
    before, after = np.asarray(_photo()), np.asarray(compose(_photo(), _drawn(flow=np.ascontiguousarray(flow)), turned))
    assert np.array_equal(after[10:45, 15:55], before[14:49, 15:55])


def test_paint_covers_and_detail_of_the_photo_lies_on_it() -> None:
    photo = _photo()
    cover = np.ones((SIDE, SIDE), np.float32)
    plain = np.asarray(compose(photo, _drawn(90.0, mask=cover), CROP))
    assert (plain[5:55, 10:60] == 90).all()
    luma = np.asarray(photo, np.float32) @ np.array(LUMA, np.float32)
    detail = np.full((SIDE, SIDE), 0.5, np.float32)
    low = np.full((SIDE, SIDE), 120.0, np.float32)
    detailed = np.asarray(compose(photo, _drawn(90.0, mask=cover, detail=detail, low=low), CROP))
    expected = np.floor(90.0 + 0.5 * (luma - 120.0) + 0.5)[5:55, 10:60].clip(0, 255)
    assert np.abs(detailed[5:55, 10:60] - expected[..., None]).max() <= 1


def test_the_decode_has_its_share_in_what_is_painted() -> None:
    cover, share = np.ones((SIDE, SIDE), np.float32), np.full((SIDE, SIDE), 0.25, np.float32)
    after, paint = np.full((SIDE, SIDE, 3), 0.8, np.float32), np.full((SIDE, SIDE, 3), 0.1, np.float32)
    drawn = np.asarray(compose(_photo(), _drawn(mask=cover, share=share, after=after, paint=paint), CROP))
    # A quarter of 0.8 and 0.1 is 0.3, which is the level 1.3 * 127.5.
    assert np.abs(drawn[5:55, 10:60] - 1.3 * 127.5).max() <= 0.51


def test_half_a_mask_is_half_of_each() -> None:
    mask = np.full((SIDE, SIDE), 0.5, np.float32)
    drawn = np.asarray(compose(_photo(), _drawn(200.0, mask=mask), CROP))[5:55, 10:60]
    before = np.asarray(_photo(), np.float32)[5:55, 10:60]
    assert np.abs(drawn - (before + 200.0) / 2).max() <= 0.51


def test_bands_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    drawn = _drawn(flow=rng.normal(0, 0.03, (SIDE, SIDE, 2)).astype(np.float32), mask=rng.random((SIDE, SIDE), np.float32))
    whole = compose(_photo(), drawn, CROP)
    monkeypatch.setattr(composition, "_BAND_PIXELS", 50)
    assert compose(_photo(), drawn, CROP).tobytes() == whole.tobytes()


def test_a_crop_beyond_the_photo_is_composed_where_the_photo_is() -> None:
    mask = np.ones((SIDE, SIDE), np.float32)
    drawn = np.asarray(compose(_photo(), _drawn(7.0, mask=mask), CropTransform((-20.0, -30.0), (60.0, 0.0))))
    assert (drawn[:30, :40] == 7).all() and np.array_equal(drawn[30:], np.asarray(_photo())[30:])
    away = CropTransform((500.0, 500.0), (60.0, 0.0))
    assert compose(_photo(), _drawn(mask=mask), away).tobytes() == _photo().tobytes()


def test_the_cubic_reproduces_parabolas() -> None:
    # Catmull-Rom's cubic interpolates polynomials of degree two exactly (Keys 1981).
    x, y = np.meshgrid(np.arange(30), np.arange(20))
    surface = (0.1 * x * x + 0.2 * y * y + 2 * x + y).astype(np.float32)
    photo = surface.round().clip(0, 255).astype(np.uint8)
    assert np.abs(surface - photo).max() <= 0.5
    places = np.array([[10.25, 7.5], [3.0, 4.0], [15.9, 12.1]])
    expected = 0.1 * places[:, 0] ** 2 + 0.2 * places[:, 1] ** 2 + 2 * places[:, 0] + places[:, 1]
    read = cubic(np.repeat(photo[..., None], 3, 2), places)
    # The photo is rounded by up to half a level, which the cubic's weights can enlarge by a quarter per axis.
    assert np.abs(read[:, 0] - expected).max() <= 0.5 * 1.25**2


def test_the_bilinear_grid_has_its_values_at_the_middles_of_its_cells() -> None:
    grid = np.arange(16, dtype=np.float32).reshape(4, 4)
    places = np.array([[0.125, 0.125], [0.25, 0.125], [0.875, 0.875], [0.0, 0.0], [1.0, 1.0]])
    assert bilinear(grid, places).tolist() == [0.0, 0.5, 15.0, 0.0, 15.0]


def test_memory_is_bounded_by_bands() -> None:
    photo = Image.new("RGB", (2400, 2000), (90, 100, 110))
    drawn = _drawn(flow=np.full((SIDE, SIDE, 2), 0.011, np.float32), mask=np.ones((SIDE, SIDE), np.float32))
    crop = CropTransform((100.0, 100.0), (1800.0, 0.0))
    tracemalloc.start()
    try:
        compose(photo, drawn, crop)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The photo as an array, the result and its picture, and what one band takes.
    assert peak < 3 * 2400 * 2000 * 3 + 40_000_000
