"""What cannot be read or written is said in one line before any work; what is written is written whole."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.textedit_core.photos.photo_files import edited, save, scene
from textedit_core.errors import UserError
from textedit_core.photos import open_photo, save_image, save_photo
from textedit_core.photos.limits import MAX_PHOTO_PIXELS, check_output, own_pixel_limit


def _claimed_png(path: Path, width: int, height: int) -> Path:
    """A PNG whose header claims a size; nobody may believe it so far as to make room for it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(8))), (b"IEND", b""))
    written = [struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content)) for kind, content in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(written))
    return path


def test_the_own_limit_is_the_only_one(tmp_path: Path) -> None:
    over = _claimed_png(tmp_path / "over.png", 20_000, 10_001)
    with pytest.raises(UserError, match=f"20000x10001 pixels; the limit is {MAX_PHOTO_PIXELS}"):
        open_photo(over)
    enormous = _claimed_png(tmp_path / "enormous.png", 60_000, 60_000)
    with pytest.raises(UserError, match=f"60000x60000 pixels; the limit is {MAX_PHOTO_PIXELS}"):
        open_photo(enormous)
    # Pillow alone refuses from 178,956,970 pixels on (Image.MAX_IMAGE_PIXELS doubled); this one is refused for its missing rows.
    with own_pixel_limit(), Image.open(_claimed_png(tmp_path / "under.png", 20_000, 10_000)) as picture:
        assert picture.size == (20_000, 10_000)
    assert Image.MAX_IMAGE_PIXELS is not None


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("out.webp", (16_384, 10), "WEBP holds at most 16383 pixels a side, the photo has 16384x10"),
        ("out.jpg", (10, 65_501), "JPEG holds at most 65500 pixels a side, the photo has 10x65501"),
        ("out.xyz", None, "end the name in .png, .jpg"),
        ("out.psd", None, "end the name in .png, .jpg"),
        ("missing/out.png", None, "folder .*missing.* does not exist"),
    ],
)
def test_a_file_that_cannot_be_is_refused_before_any_work(tmp_path: Path, name: str, size: tuple[int, int] | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_output(tmp_path / name, size)
    assert list(tmp_path.iterdir()) == []


def test_a_wide_webp_leaves_nothing_behind(tmp_path: Path) -> None:
    photo = open_photo(save(tmp_path / "wide.png", Image.new("RGB", (16_384, 2))))
    with pytest.raises(UserError, match="16383"):
        save_photo(photo, photo.image, tmp_path / "out.webp")
    assert [path.name for path in tmp_path.iterdir()] == ["wide.png"]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "photo.bmp"
    path.write_bytes(b"old")
    with pytest.raises(UserError, match="photo.bmp"):
        save_image(Image.new("F", (2, 2)), path)  # BMP has no floating-point mode
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_photo_can_be_written_over_itself(tmp_path: Path) -> None:
    path = save(tmp_path / "photo.png", scene())
    photo = open_photo(path)
    save_photo(photo, edited(photo.image), path)
    assert np.array_equal(np.asarray(open_photo(path).image), np.asarray(edited(scene())))
    assert list(tmp_path.iterdir()) == [path]


def test_an_edit_of_another_size_is_a_bug_of_the_caller(tmp_path: Path) -> None:
    photo = open_photo(save(tmp_path / "photo.png", scene()))
    with pytest.raises(ValueError, match="expected an RGB picture"):
        save_photo(photo, scene((10, 10)), tmp_path / "out.png")
