"""Odd photographs, whole and damaged: each is edited at its own size, or refused in one line with nothing written."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import warnings
from pathlib import Path

from PIL import Image

from benchmarks.faults.case import Broken, Case, Fault, Outcome, require_one_line
from benchmarks.faults.ground import FIRST, model_in

_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16", "I;16B")
_SIZES = ((1, 1), (1, 300), (300, 1), (2, 3), (31, 33), (257, 64), (640, 480))
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "TGA", "ICO", "JPEG2000", "DDS", "PCX", "AVIF")
_ORIENTATION = 0x0112
# JPEG, PNG and others tell their size in the header, and a decoder may believe it.
_CLAIMED_SIDE = 65_500


def prepare(ground: Path) -> Case:
    """The tiny model, which edits whatever can be opened."""
    return cases_of(model_in(ground))


def cases_of(model: Path) -> Case:
    """What makes an odd photo and has this checkpoint edit it by the command line."""

    def case(rng: random.Random, folder: Path) -> Outcome:
        photo, out = _odd_photo(rng, folder), folder / "edited.png"
        status, errors = _edit(photo, model, out)
        if status == 0:
            return _require_edited(photo, out)
        require_one_line(errors)
        if out.exists() or {path.name for path in folder.iterdir()} != {photo.name}:
            raise Broken(f"refused, and yet something was written: {errors}")
        return Outcome("refused")

    return case


def _edit(photo: Path, model: Path, out: Path) -> tuple[int, str]:
    from textedit_core.__main__ import main

    errors = io.StringIO()
    with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        # Pillow warns of oddities on its own account; the product's errors are what counts here.
        warnings.simplefilter("ignore")
        status = main(["edit", str(photo), "--prompt", FIRST, "--checkpoint", str(model), "--out", str(out)])
    return status, errors.getvalue()


def _require_edited(photo: Path, out: Path) -> Outcome:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(photo) as before, Image.open(out) as after:
            after.load()
            if sorted(after.size) != sorted(before.size):
                raise Broken(f"{photo.name} of {before.size} became {after.size}")
    return Outcome("edited")


def _odd_photo(rng: random.Random, folder: Path) -> Path:
    if rng.random() < 0.1:
        return _no_photo(rng, folder)
    raw, suffix = _encoded(rng)
    damage = rng.choice((_unharmed, _unharmed, _cut, _flipped, _claiming))
    path = folder / f"photo.{rng.choice((suffix, suffix, 'jpg', 'dat'))}"
    path.write_bytes(damage(raw, rng))
    return path


def _no_photo(rng: random.Random, folder: Path) -> Path:
    path = folder / "photo.jpg"
    if rng.random() < 0.3:
        path.mkdir()
    else:
        path.write_bytes(rng.choice((b"", b"not a photo", b"\xff\xd8\xff", b"<svg/>", b"%PDF-1.4", rng.randbytes(500))))
    return path


def _encoded(rng: random.Random) -> tuple[bytes, str]:
    """A photo of an odd mode, size and orientation in the first format that can hold it."""
    size = rng.choice(_SIZES)
    picture = Image.frombytes("RGB", (4, 4), rng.randbytes(48)).resize(size, Image.Resampling.BICUBIC)
    mode = rng.choice(_MODES)
    for name in rng.sample(_FORMATS, len(_FORMATS)):
        stream = io.BytesIO()
        # Not every mode can be made of every other, nor held by every format; some builds of Pillow lack a format.
        with contextlib.suppress(Exception):
            _in_mode(picture, mode).save(stream, name, **_extras(name, rng))
            return stream.getvalue(), name.lower()
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue(), "png"


def _in_mode(picture: Image.Image, mode: str) -> Image.Image:
    if mode.startswith("I;16"):
        return Image.frombytes(mode, picture.size, bytes(2 * picture.width * picture.height))
    return picture.convert(mode)


def _extras(name: str, rng: random.Random) -> dict[str, bytes]:
    if name not in ("JPEG", "PNG", "WEBP", "TIFF") or rng.random() < 0.5:
        return {}
    exif = Image.Exif()
    exif[_ORIENTATION] = rng.choice((1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 65535))
    icc = rng.choice((b"", rng.randbytes(200)))
    return {"exif": rng.choice((exif.tobytes(), b"Exif\0\0" + rng.randbytes(40))), **({"icc_profile": icc} if icc else {})}


def _unharmed(raw: bytes, rng: random.Random) -> bytes:
    return raw


def _cut(raw: bytes, rng: random.Random) -> bytes:
    return raw[: rng.randrange(len(raw))]


def _flipped(raw: bytes, rng: random.Random) -> bytes:
    changed = bytearray(raw)
    for _ in range(rng.choice((1, 4, 32))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _claiming(raw: bytes, rng: random.Random) -> bytes:
    """A header that says the picture is enormous, where it has one of the usual three."""
    changed = bytearray(raw)
    if raw.startswith(b"\x89PNG"):
        changed[16:24] = struct.pack(">II", _CLAIMED_SIDE, _CLAIMED_SIDE)
    elif raw.startswith(b"BM"):
        changed[18:26] = struct.pack("<ii", _CLAIMED_SIDE, _CLAIMED_SIDE)
    elif (start := max(raw.find(b"\xff\xc0"), raw.find(b"\xff\xc2"))) > 0:
        changed[start + 5 : start + 9] = struct.pack(">HH", _CLAIMED_SIDE, _CLAIMED_SIDE)
    return bytes(changed)


FAULT = Fault("photos", "an odd photo is edited at its size, or refused in one line with nothing written", prepare)
