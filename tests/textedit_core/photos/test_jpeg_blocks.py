"""A JPEG photo keeps the coefficients of every block that the edit does not touch, whatever its sampling, scans and colour space."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.textedit_core.photos.photo_files import BOX, SIZE, edited, exif, save, scene
from textedit_core.photos import open_photo, save_photo

jpegio = pytest.importorskip("jpegio")


def _coefficients(path: Path) -> list[np.ndarray]:
    file = jpegio.read(str(path))
    return [part.reshape(part.shape[0] // 8, 8, part.shape[1] // 8, 8).transpose(0, 2, 1, 3).copy() for part in file.coef_arrays]


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {"quality": 88, "subsampling": 0}),
        ("RGB", {"quality": 75}),
        ("RGB", {"quality": 90, "subsampling": 1, "progressive": True}),
        ("RGB", {"quality": 90, "keep_rgb": True}),
        ("RGB", {"quality": 90, "optimize": True, "restart_marker_blocks": 2}),
        ("L", {"quality": 85}),
        ("CMYK", {"quality": 92}),
    ],
)
def test_blocks_outside_the_edit_keep_their_coefficients(tmp_path: Path, mode: str, options: dict[str, Any]) -> None:
    source, out = save(tmp_path / "photo.jpg", scene().convert(mode), **options), tmp_path / "out.jpg"
    photo = open_photo(source)
    wanted = edited(photo.image)
    assert save_photo(photo, wanted, out) == []
    before, after = _coefficients(source), _coefficients(out)
    assert (before[0] != after[0]).any()
    for old, new in zip(before, after, strict=True):
        changed = np.argwhere((old != new).any((-1, -2)))
        step_y, step_x = (8 * -(-size // (8 * count)) for size, count in zip(SIZE[::-1], old.shape[:2], strict=True))
        # A block covers 8 or, where chroma is halved, 16 pixels.
        for y, x in changed:
            assert BOX[0] // step_x <= x <= (BOX[2] - 1) // step_x and BOX[1] // step_y <= y <= (BOX[3] - 1) // step_y
    with Image.open(source) as old_file, Image.open(out) as new_file:
        assert new_file.mode == mode and new_file.quantization == old_file.quantization
        assert bool(new_file.info.get("progressive")) == bool(options.get("progressive"))
    within = np.s_[BOX[1] + 4 : BOX[3] - 4, BOX[0] + 4 : BOX[2] - 4]
    inside = np.asarray(open_photo(out).image, np.float64)[within]
    possible = wanted.convert("L").convert("RGB") if mode == "L" else wanted
    # Flat colour needs few coefficients: the tables' rounding, half of a step of 1 to 10 levels, remains.
    assert np.abs(inside - np.asarray(possible, np.float64)[within]).mean() < 6


def test_an_edit_that_changes_nothing_changes_no_pixel(tmp_path: Path) -> None:
    source, out = save(tmp_path / "photo.jpg", scene(), quality=80), tmp_path / "out.jpg"
    photo = open_photo(source)
    save_photo(photo, photo.image, out)
    # Nothing was made by a model, so nothing is marked either.
    assert out.read_bytes() == source.read_bytes()


def test_a_sideways_photo_keeps_its_blocks_and_its_orientation(tmp_path: Path) -> None:
    source, out = save(tmp_path / "photo.jpg", scene((72, 48)), quality=90, exif=b"Exif\0\0" + exif(6)), tmp_path / "out.jpg"
    photo = open_photo(source)
    assert photo.image.size == (48, 72)
    box = (16, 8, 32, 40)
    save_photo(photo, edited(photo.image, box), out)
    with Image.open(out) as written:
        assert written.size == (72, 48) and written.getexif()[0x0112] == 6
    # Seen upright, (x, y) is stored at (y, 47 - x): x 16..31 is row 16..31, y 8..39 is column 8..39.
    changed = np.argwhere((_coefficients(source)[0] != _coefficients(out)[0]).any((-1, -2)))
    assert {tuple(block) for block in changed} <= {(y, x) for y in (2, 3) for x in (1, 2, 3, 4)}


def test_untouched_regions_lose_nothing_where_pillows_default_loses_much(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    source = save(tmp_path / "photo.jpg", Image.fromarray(noise), quality=95, subsampling=0)
    photo = open_photo(source)
    save_photo(photo, edited(photo.image, (16, 16, 32, 32)), tmp_path / "out.jpg")
    after = np.asarray(open_photo(tmp_path / "out.jpg").image, np.float64)
    before = np.asarray(photo.image, np.float64)
    assert np.array_equal(after[:, 40:], before[:, 40:])
    stream = io.BytesIO()
    photo.image.save(stream, "JPEG")
    assert np.abs(np.asarray(Image.open(stream), np.float64) - before).mean() > 10
