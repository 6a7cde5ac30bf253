"""Drawn styles on a made-up picture: paired pixel by pixel, flat, outlined and unlike each other."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from textedit_core.synthetic.stylize import cartoon, pencil_sketch, stylised

SIDE = 64


def _disc() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A skin-coloured disc, shaded from left to right, 10 units away, before a grey backdrop."""
    y, x = np.mgrid[:SIDE, :SIDE]
    inside = (x - 31.5) ** 2 + (y - 31.5) ** 2 < 20.0**2
    photo = np.full((SIDE, SIDE, 3), 150, np.uint8)
    shade = (0.5 + 0.5 * x / SIDE)[..., None] * np.array([230.0, 170.0, 140.0])
    photo[inside] = shade[inside].astype(np.uint8)
    return photo, np.where(inside, 10.0, np.inf).astype(np.float32)


def test_a_cartoon_has_a_dark_outline_where_the_figure_ends() -> None:
    photo, depth = _disc()
    drawn = cartoon(photo, depth).astype(float).mean(axis=2)
    # The disc's edge is 20 px from the middle.
    assert drawn[32, 10:14].min() < 70.0 < drawn[32, 26:38].min()


def test_a_cartoon_is_flatter_than_its_photo() -> None:
    photo, depth = _disc()
    middle = (slice(24, 40), slice(20, 44))
    tones = np.unique(cartoon(photo, depth)[middle][..., 1] // 4)
    assert len(tones) < len(np.unique(photo[middle][..., 1] // 4))


def test_the_backdrop_of_a_cartoon_is_one_colour() -> None:
    photo, depth = _disc()
    corner = cartoon(photo, depth)[:6, :6].reshape(-1, 3)
    assert (corner == corner[0]).all()


def test_a_cartoon_keeps_the_hue_of_each_surface() -> None:
    photo, depth = _disc()
    # A blue shirt in the lower and grey hair in the upper part of the figure.
    shirt, hair = np.isfinite(depth), np.isfinite(depth)
    shirt[:42], hair[22:] = False, False
    photo[shirt], photo[hair] = (70, 90, 190), (150, 148, 145)
    drawn = cartoon(photo, depth).astype(int)
    assert drawn[47, 32, 2] > drawn[47, 32, 0] + 40
    assert np.ptp(drawn[17, 32]) < 25
    assert drawn[32, 32, 0] > drawn[32, 32, 2] + 40


def test_styles_differ_and_repeat() -> None:
    photo, depth = _disc()
    assert stylised(photo, depth, "photo") is photo
    sketch, comic = stylised(photo, depth, "sketch"), stylised(photo, depth, "cartoon")
    assert np.array_equal(sketch, pencil_sketch(photo, depth)) and np.array_equal(comic, cartoon(photo, depth))
    assert np.abs(sketch.astype(float) - comic).mean() > 20.0
    # Graphite has no colour; a cartoon keeps that of the skin.
    assert np.ptp(sketch[32, 32].astype(int)) < 20 < np.ptp(comic[32, 32].astype(int))


def test_an_unknown_style_is_named() -> None:
    photo, depth = _disc()
    with pytest.raises(ValueError, match="'oil'; there are: photo, sketch, cartoon"):
        stylised(photo, depth, "oil")
