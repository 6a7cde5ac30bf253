"""Each photo comes back in its own form: colour space, depth, transparency, orientation; outside the edit nothing has changed."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from tests.textedit_core.photos.photo_files import BOX, SIZE, display_p3, edited, exif, grey_gamma, outside, press_cmyk, save, scene, srgb
from textedit_core.photos import Photo, open_photo, save_photo
from textedit_core.photos.colour import ColourSpace


def _deep() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 257, (*SIZE[::-1], 3))
    return (np.asarray(scene(), np.uint16) * 256 + noise).astype(np.uint16)


def _with_alpha(mode: str) -> Image.Image:
    image = scene().convert(mode)
    image.putalpha(Image.linear_gradient("L").resize(SIZE))
    return image


def _made(folder: Path, kind: str) -> Path:
    """One file of each kind that must keep every untouched value."""
    if kind in ("rgb16.png", "grey16.png"):
        path = folder / kind
        path.write_bytes(imagecodecs.png_encode(_deep() if kind == "rgb16.png" else _deep()[..., 0].copy()))
        return path
    if kind.endswith("16.tif"):
        deep = {"rgb16.tif": _deep(), "grey16.tif": _deep()[..., 0], "cmyk16.tif": np.dstack([_deep(), _deep()[..., :1] // 2])}[kind]
        photometric = {"rgb": "rgb", "grey": "minisblack", "cmyk": "separated"}[kind[:-6]]
        tifffile.imwrite(folder / kind, deep, photometric=photometric, compression="zlib", predictor=True, byteorder=">")
        return folder / kind
    p3, grey = display_p3(), grey_gamma(1.8)
    makers = {
        "p3.png": (scene(), {"icc_profile": p3}),
        "p3.tif": (scene(), {"icc_profile": p3, "compression": "tiff_lzw"}),
        "grey.png": (scene().convert("L"), {"icc_profile": grey}),
        "grey.tif": (scene().convert("L"), {}),
        "cmyk.tif": (scene().convert("CMYK"), {"icc_profile": press_cmyk()}),
        "plain_cmyk.tif": (scene().convert("CMYK"), {}),
        "alpha.png": (_with_alpha("RGB"), {}),
        "grey_alpha.png": (_with_alpha("L"), {}),
        "alpha.tif": (_with_alpha("RGB"), {}),
        "alpha.webp": (_with_alpha("RGB"), {"lossless": True, "exact": True}),
        "turned.png": (scene(SIZE[::-1]), {"exif": exif(6)}),
        "turned.tif": (scene(SIZE[::-1]), {"exif": exif(8)}),
    }
    image, options = makers[kind]
    return save(folder / kind, image, **options)


KINDS = (
    *("p3.png", "p3.tif", "grey.png", "grey.tif", "cmyk.tif", "plain_cmyk.tif", "alpha.png", "grey_alpha.png", "alpha.tif", "alpha.webp"),
    *("turned.png", "turned.tif", "rgb16.png", "grey16.png", "rgb16.tif", "grey16.tif", "cmyk16.tif"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_comes_back_in_its_own_form(tmp_path: Path, kind: str) -> None:
    photo = open_photo(_made(tmp_path, kind))
    assert photo.image.mode == "RGB" and photo.image.size == SIZE and photo.notes == ()
    out = tmp_path / f"out{Path(kind).suffix}"
    assert save_photo(photo, edited(photo.image), out) == []
    back = open_photo(out)
    same = (photo.mode, photo.bit_depth, photo.orientation, photo.metadata.icc)
    assert (back.mode, back.bit_depth, back.orientation, back.metadata.icc) == same
    changed = np.any(back.stored.reshape(*back.stored.shape[:2], -1) != photo.stored.reshape(*photo.stored.shape[:2], -1), axis=-1)
    assert changed.any()
    # Exactly what the edit has left alone is exactly what it was.
    assert not (np.asarray(back.image) != np.asarray(photo.image))[outside(SIZE[::-1])].any()
    assert changed.sum() <= (BOX[2] - BOX[0]) * (BOX[3] - BOX[1])


@pytest.mark.parametrize("kind", ["p3.png", "rgb16.png", "rgb16.tif", "plain_cmyk.tif", "turned.png"])
def test_what_is_painted_is_seen(tmp_path: Path, kind: str) -> None:
    photo = open_photo(_made(tmp_path, kind))
    wanted = edited(photo.image)
    save_photo(photo, wanted, tmp_path / f"out{Path(kind).suffix}")
    back = open_photo(tmp_path / f"out{Path(kind).suffix}").image
    # Two roundings to 8 bits and the rounding of the profile's own curves.
    assert np.abs(np.asarray(back, np.int16) - np.asarray(wanted, np.int16)).max() <= 3


def test_display_p3_is_seen_as_a_colour_manager_sees_it(tmp_path: Path) -> None:
    tagged = ImageCms.profileToProfile(scene(), ImageCms.createProfile("sRGB"), _opened(display_p3()), renderingIntent=1)
    photo = open_photo(save(tmp_path / "p3.png", tagged, icc_profile=display_p3()))
    assert np.abs(np.asarray(photo.image, np.int16) - np.asarray(scene(), np.int16)).max() <= 3
    save_photo(photo, edited(photo.image), tmp_path / "out.webp")
    with Image.open(tmp_path / "out.webp") as written:
        assert written.info["icc_profile"] == display_p3()


def _opened(icc: bytes) -> ImageCms.ImageCmsProfile:
    import io

    return ImageCms.ImageCmsProfile(io.BytesIO(icc))


def test_colours_outside_srgb_survive_a_small_change(tmp_path: Path) -> None:
    pure = Image.new("RGB", SIZE, (0, 255, 0))
    photo = open_photo(save(tmp_path / "green.png", pure, icc_profile=display_p3()))
    slightly = photo.image.copy()
    slightly.paste((2, 255, 2), BOX)
    save_photo(photo, slightly, tmp_path / "out.png")
    back = open_photo(tmp_path / "out.png").stored[BOX[1], BOX[0]].astype(int)
    # sRGB's green is (117, 251, 76) in Display P3 (Apple's own converter); the photo's, far outside, must not fall back to it.
    assert np.abs(back - [0, 255, 0]).max() < 12


def test_a_profile_of_one_direction_is_inverted() -> None:
    space = ColourSpace("CMYK", press_cmyk())
    greys = Image.fromarray(np.repeat(np.linspace(60, 200, 8).round().astype(np.uint8)[None, :, None], 3, axis=2))
    reached = space.to_srgb(space.from_srgb(greys))
    assert np.abs(np.asarray(reached, np.int16) - np.asarray(greys, np.int16)).max() <= 8


def test_a_profile_that_does_not_fit_is_left_out(tmp_path: Path) -> None:
    photo = open_photo(save(tmp_path / "grey.png", scene().convert("L"), icc_profile=display_p3()))
    assert photo.metadata.icc is None
    assert photo.notes == ("its ICC profile is for RGB pixels, the picture is L; the profile is left out",)
    save_photo(photo, edited(photo.image), tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as written:
        assert written.mode == "L" and "icc_profile" not in written.info


def test_srgb_profiles_move_nothing() -> None:
    assert ColourSpace("RGB", srgb()).is_srgb and not ColourSpace("RGB", display_p3()).is_srgb


@pytest.mark.parametrize(
    ("kind", "suffix", "form", "note"),
    [
        ("cmyk.tif", ".png", ("RGB", 8), "PNG has no CMYK; the photo is converted to sRGB"),
        ("alpha.png", ".jpg", ("RGB", 8), "JPEG has no such transparency; it is laid over white"),
        ("rgb16.png", ".jpg", ("RGB", 8), "JPEG holds 8 bits a channel; the photo's 16 are rounded"),
        ("rgb16.tif", ".png", ("RGB", 16), None),
        ("turned.png", ".tif", ("RGB", 8), None),
    ],
)
def test_another_format_takes_what_it_can_and_says_the_rest(
    tmp_path: Path, kind: str, suffix: str, form: tuple[str, int], note: str | None
) -> None:
    photo = open_photo(_made(tmp_path, kind))
    wanted = edited(photo.image)
    notes = save_photo(photo, wanted, tmp_path / f"out{suffix}")
    assert notes == ([] if note is None else [note])
    back = open_photo(tmp_path / f"out{suffix}")
    assert (back.mode, back.bit_depth) == form
    assert back.image.size == SIZE and back.orientation == 1
    assert np.abs(np.asarray(back.image, np.int16) - np.asarray(wanted, np.int16)).mean() < 2.5


def test_heic_and_avif_go_in_and_out(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(scene((96, 64))).save(tmp_path / "photo.heic", quality=95, exif=exif(1))
    save(tmp_path / "photo.avif", scene((96, 64)), quality=95, exif=exif(1))
    for name in ("photo.heic", "photo.avif"):
        photo = open_photo(tmp_path / name)
        save_photo(photo, edited(photo.image), tmp_path / f"out_{name}")
        back: Photo = open_photo(tmp_path / f"out_{name}")
        assert back.format == photo.format and back.image.size == (96, 64)
        assert back.metadata.exif is not None and back.metadata.exif.main.fields[0x010F].data == b"Maker\0"
        difference = np.abs(np.asarray(back.image, np.int16) - np.asarray(photo.image, np.int16))
        assert difference[outside((64, 96))].mean() < 3


def test_heic_of_ten_bits_stays_so(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_bytes(mode="RGB;16", size=SIZE, data=_deep().tobytes()).save(tmp_path / "photo.heic", quality=95)
    photo = open_photo(tmp_path / "photo.heic")
    save_photo(photo, edited(photo.image), tmp_path / "out.heic")
    for path in (tmp_path / "photo.heic", tmp_path / "out.heic"):
        assert pillow_heif.open_heif(path, convert_hdr_to_8bit=False).info["bit_depth"] == 10


def test_bits_that_a_rare_tiff_loses_are_said(tmp_path: Path) -> None:
    rare, plain = tmp_path / "rare.tif", tmp_path / "plain.tif"
    deep = np.full((8, 8, 4), 40_000, np.uint16)
    # Colours multiplied by their alpha are a kind that Pillow alone reads, in eight bits.
    tifffile.imwrite(rare, deep, photometric="rgb", extrasamples=["assocalpha"])
    tifffile.imwrite(plain, deep, photometric="rgb", extrasamples=["unassalpha"])
    assert [note for note in open_photo(rare).notes if "16 bits a channel are read as 8" in note]
    assert not open_photo(plain).notes and open_photo(plain).stored.dtype == np.uint16
