"""Where pyjpegio has no build, a JPEG photo is written all the same, and a line says what it lost."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from tests.textedit_core.photos.photo_files import edited, exif, save, scene
from textedit_core.photos import open_photo, save_photo


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_without_the_library_of_blocks_it_is_coded_anew_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setitem(sys.modules, "jpegio", None)  # an import of it now fails as if it were not installed
    source, out = save(tmp_path / "photo.jpg", scene().convert(mode), quality=90, exif=b"Exif\0\0" + exif()), tmp_path / "out.jpg"
    photo = open_photo(source)
    wanted = edited(photo.image).convert("L").convert("RGB") if mode == "L" else edited(photo.image)
    (note,) = save_photo(photo, edited(photo.image), out)
    assert "pyjpegio is not installed" in note and "coded anew as a whole with its own tables" in note
    with Image.open(source) as before, Image.open(out) as after:
        assert after.mode == mode and after.quantization == before.quantization
        assert JpegImagePlugin.get_sampling(after) == JpegImagePlugin.get_sampling(before)
    back = open_photo(out)
    assert back.metadata.exif is not None
    # A second rounding by the tables of quality 90, whose steps are 2 to 24 levels wide; halved chroma on the box's rim.
    assert np.abs(np.asarray(back.image, np.float64) - np.asarray(wanted, np.float64)).mean() < 3
