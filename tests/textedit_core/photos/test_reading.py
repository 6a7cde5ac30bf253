"""Photos of every mode become upright RGB; damaged ones become one-line errors; pictures are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from textedit_core.errors import UserError
from textedit_core.photos import open_photo, save_image

EXIF_ORIENTATION = 0x0112
ROTATED_CLOCKWISE = 6  # EXIF 2.3, tag 0x0112: the stored picture must be turned 90 degrees clockwise to be upright


def _pixel(path: Path) -> tuple[int, ...]:
    photo = open_photo(path).image
    assert photo.mode == "RGB"
    return photo.getpixel((0, 0))


@pytest.mark.parametrize(
    ("mode", "color", "suffix", "expected"),
    [
        ("L", 100, "png", (100, 100, 100)),
        ("1", 1, "png", (255, 255, 255)),
        ("RGB", (10, 20, 30), "png", (10, 20, 30)),
        # Half-transparent colours over white: c * a + 255 * (1 - a) with a = 128/255.
        ("LA", (100, 128), "png", (177, 177, 177)),
        ("RGBA", (0, 100, 200, 128), "png", (127, 177, 227)),
        ("RGBA", (0, 0, 0, 0), "png", (255, 255, 255)),
        # No ink is white; full cyan takes all red out.
        ("CMYK", (0, 0, 0, 0), "tiff", (255, 255, 255)),
        ("CMYK", (255, 0, 0, 0), "tiff", (0, 255, 255)),
        # 16 bits to 8: 65535 / 257 = 255, 25700 / 257 = 100.
        ("I;16", 25700, "png", (100, 100, 100)),
        ("I;16", 65535, "tiff", (255, 255, 255)),
    ],
)
def test_every_mode_opens_as_rgb(tmp_path: Path, mode: str, color: object, suffix: str, expected: tuple[int, ...]) -> None:
    path = tmp_path / f"photo.{suffix}"
    Image.new(mode, (4, 3), color).save(path)
    assert np.abs(np.subtract(_pixel(path), expected)).max() <= 1


def test_palette_with_transparency_is_laid_over_white(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([200, 10, 20, 0, 0, 0])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "photo.png", transparency=1)
    photo = open_photo(tmp_path / "photo.png").image
    assert [photo.getpixel((x, 0)) for x in (0, 1)] == [(200, 10, 20), (255, 255, 255)]


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    stored = Image.new("RGB", (3, 2), (0, 0, 0))
    stored.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = ROTATED_CLOCKWISE
    stored.save(tmp_path / "photo.png", exif=exif)
    upright = open_photo(tmp_path / "photo.png").image
    # A clockwise quarter turn takes the top-left corner to the top-right one.
    assert upright.size == (2, 3)
    assert upright.getpixel((1, 0)) == (255, 255, 255)


def test_truncated_photo_is_an_error(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / "photo.jpg"
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match="photo.jpg.*cannot be decoded.*complete"):
        open_photo(path)


def test_no_image_and_no_file_are_errors(tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("not a picture")
    with pytest.raises(UserError, match="notes.jpg.*not an image"):
        open_photo(tmp_path / "notes.jpg")
    with pytest.raises(UserError, match="gone.jpg.*does not exist"):
        open_photo(tmp_path / "gone.jpg")


def test_save_replaces_a_file_and_names_bad_targets(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"old")
    save_image(Image.new("RGB", (2, 2), (1, 2, 3)), path)
    assert open_photo(path).image.getpixel((0, 0)) == (1, 2, 3)
    assert list(tmp_path.iterdir()) == [path]
    for name in ("photo.xyz", "photo.psd"):  # Pillow reads .psd but cannot write it
        with pytest.raises(UserError, match=f"{name}.*end the name in"):
            save_image(Image.new("RGB", (2, 2)), tmp_path / name)
    with pytest.raises(UserError, match="cannot write"):
        save_image(Image.new("RGB", (2, 2)), tmp_path / "no-such-folder" / "photo.png")


def test_saved_image_is_readable_by_others(tmp_path: Path) -> None:
    save_image(Image.new("RGB", (2, 2)), tmp_path / "photo.png")
    assert (tmp_path / "photo.png").stat().st_mode & 0o444 == 0o444
