"""What a photo says about itself comes back; what is damaged leaves singly; what shows the old face is renewed or left out."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, IptcImagePlugin
from PIL.ExifTags import IFD

from tests.textedit_core.photos.photo_files import IPTC, SIZE, XMP, edited, exif, photoshop_segment, save, scene
from textedit_core.photos import exif as exif_rules
from textedit_core.photos import open_photo, save_photo
from textedit_core.photos.jpeg_segments import EXIF, split

SOURCE_TYPE = b"http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
ORIENTATION, MODEL, X_RESOLUTION = 0x0112, 0x0110, 0x011A


def _jpeg(path: Path, block: bytes | None = None, **options: object) -> Path:
    stream = io.BytesIO()
    scene().save(stream, "JPEG", quality=90, xmp=XMP, exif=b"Exif\0\0" + (exif() if block is None else block), **options)  # type: ignore[arg-type]
    data = stream.getvalue()
    path.write_bytes(data[:2] + photoshop_segment() + data[2:])
    return path


def _rewritten(source: Path, out: Path, **options: bool) -> list[str]:
    photo = open_photo(source)
    return list(photo.notes) + save_photo(photo, edited(photo.image), out, **options)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_exif_xmp_and_iptc_come_back(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    notes = _rewritten(_jpeg(tmp_path / "photo.jpg"), out)
    with Image.open(out) as written:
        found = written.getexif()
        assert (found[0x010F], found[0x0132], float(found[X_RESOLUTION])) == ("Maker", "2024:01:02 03:04:05", 300.0)
        assert found.get_ifd(IFD.Exif)[0x9003] == "2024:01:02 03:04:05"
        assert found.get_ifd(IFD.Exif)[0x927C] == bytes(range(40))
        assert found.get_ifd(IFD.GPSInfo)[1] == "N"
    packet, resources = open_photo(out).metadata.xmp, open_photo(out).metadata.resources
    assert packet is not None and b"of the test" in packet and SOURCE_TYPE in packet
    if suffix == ".webp":
        assert any("IPTC has no place" in note for note in notes)
    else:
        assert resources is not None and IPTC in resources and b"old face" not in resources
    if suffix in (".jpg", ".tif"):
        with Image.open(out) as written:
            assert IptcImagePlugin.getiptcinfo(written) == {(2, 80): b"Author"}


def test_maker_notes_stay_where_their_offsets_count_from(tmp_path: Path) -> None:
    source, out = _jpeg(tmp_path / "photo.jpg"), tmp_path / "out.jpg"
    _rewritten(source, out)
    places = [_exif_of(path).index(bytes(range(40))) for path in (source, out)]
    assert places[0] == places[1]


def _exif_of(path: Path) -> bytes:
    return next(s.content for s in split(path.read_bytes()).header if s.content.startswith(EXIF))


def test_the_thumbnail_is_drawn_anew(tmp_path: Path) -> None:
    old = Image.new("RGB", (16, 12), (255, 0, 255))
    _rewritten(_jpeg(tmp_path / "photo.jpg", exif(1, old)), tmp_path / "out.jpg")
    block, damaged = exif_rules.read(_exif_of(tmp_path / "out.jpg"))
    assert block is not None and block.thumbnail is not None and damaged == []
    (data,) = block.thumbnail.blobs[0x0201]
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float64)
    assert shown.shape == (*SIZE[::-1], 3)
    assert np.abs(shown - np.asarray(open_photo(tmp_path / "out.jpg").image, np.float64)).mean() < 5


def test_strip_drops_all_but_what_the_picture_needs(tmp_path: Path) -> None:
    source = _jpeg(tmp_path / "photo.jpg", exif(6), comment=b"a comment")
    _rewritten(source, tmp_path / "out.jpg", strip_metadata=True, mark=False)
    data = (tmp_path / "out.jpg").read_bytes()
    for gone in (b"Maker", b"2024:01:02", b"of the test", b"Author", b"a comment", SOURCE_TYPE):
        assert gone in source.read_bytes() + SOURCE_TYPE and gone not in data
    with Image.open(tmp_path / "out.jpg") as written:
        assert dict(written.getexif()) == {ORIENTATION: 6}


def test_no_mark_leaves_the_packet_alone(tmp_path: Path) -> None:
    _rewritten(_jpeg(tmp_path / "photo.jpg"), tmp_path / "out.jpg", mark=False)
    assert open_photo(tmp_path / "out.jpg").metadata.xmp == XMP


def test_a_mark_replaces_an_older_one(tmp_path: Path) -> None:
    _rewritten(_jpeg(tmp_path / "photo.jpg"), tmp_path / "once.jpg")
    once = open_photo(tmp_path / "once.jpg").metadata.xmp
    assert once is not None
    camera = once.replace(b"compositeWithTrainedAlgorithmicMedia", b"digitalCapture")
    save(tmp_path / "camera.jpg", scene(), xmp=camera)
    _rewritten(tmp_path / "camera.jpg", tmp_path / "twice.jpg")
    twice = open_photo(tmp_path / "twice.jpg").metadata.xmp
    assert twice is not None and twice.count(b":DigitalSourceType>") == 2 and b"digitalCapture" not in twice and SOURCE_TYPE in twice


def test_damaged_tags_leave_singly(tmp_path: Path) -> None:
    """A resolution of -1/0 and a model stored as a number, beside sound tags, in a sideways photo."""
    entries = [
        struct.pack("<HHIHH", ORIENTATION, 3, 1, 6, 0),
        struct.pack("<HHI4s", 0x010F, 2, 4, b"Cam\0"),
        struct.pack("<HHII", MODEL, 4, 1, 4711),
        struct.pack("<HHII", X_RESOLUTION, 10, 1, 8 + 2 + 4 * 12 + 4),
    ]
    block = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries) + bytes(4) + struct.pack("<ii", -1, 0)
    source = _jpeg(tmp_path / "photo.jpg", block)
    assert open_photo(source).notes == ("damaged EXIF is left out: Model, XResolution",)
    _rewritten(source, tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as written:
        assert dict(written.getexif()) == {ORIENTATION: 6, 0x010F: "Cam"}
        assert ImageOps.exif_transpose(written).size == SIZE[::-1]


@pytest.mark.parametrize("seed", range(4))
def test_broken_exif_never_stands_in_the_way(tmp_path: Path, seed: int) -> None:
    """Blocks with bytes replaced and cut off: the photo opens, and what is written has EXIF that Pillow can read and write again."""
    rng = np.random.default_rng(seed)
    whole = exif(6)
    for _ in range(25):
        block = bytearray(whole)
        for place in rng.integers(0, len(block), rng.integers(1, 10)):
            block[place] = rng.choice([0, 1, 2, 255, int(rng.integers(0, 256))])
        cut = bytes(block[: rng.integers(1, len(block))] if rng.random() < 0.2 else block)
        _rewritten(_jpeg(tmp_path / "photo.jpg", cut), tmp_path / "out.jpg")
        with Image.open(tmp_path / "out.jpg") as written:
            found = written.getexif()
            for pointer in (IFD.Exif, IFD.GPSInfo):
                found.get_ifd(pointer)
            ImageOps.exif_transpose(written).save(io.BytesIO(), "JPEG", exif=found.tobytes())
        assert not any("damaged" in note for note in open_photo(tmp_path / "out.jpg").notes)


def test_damaged_xmp_is_left_out_and_said(tmp_path: Path) -> None:
    source = save(tmp_path / "photo.jpg", scene(), xmp=b'<!DOCTYPE x [<!ENTITY a "b">]><rdf:RDF></rdf:RDF>')
    assert "its XMP is damaged and left out" in _rewritten(source, tmp_path / "out.jpg")
    packet = open_photo(tmp_path / "out.jpg").metadata.xmp
    assert packet is not None and b"ENTITY" not in packet and SOURCE_TYPE in packet


def test_text_chunks_of_png_are_kept(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("Title", "a title")
    source = save(tmp_path / "photo.png", scene(), pnginfo=text, dpi=(300, 300))
    _rewritten(source, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as written:
        assert written.info["Title"] == "a title" and round(written.info["dpi"][0]) == 300


def test_a_gain_map_is_kept_and_found_again(tmp_path: Path) -> None:
    """Two pictures in one file, with the index of CIPA DC-007 and Adobe's namespace in the first one's XMP."""
    packet = XMP.replace(b"dc:format", b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" dc:format')
    first, second = save(tmp_path / "first.jpg", scene(), xmp=packet).read_bytes(), save(tmp_path / "map.jpg", scene((8, 8))).read_bytes()
    entries = [(0xB000, 7, 4, b"0100"), (0xB001, 4, 1, struct.pack("<I", 2)), (0xB002, 7, 32, struct.pack("<I", 50))]
    index = b"II*\0" + struct.pack("<IH", 8, 3) + b"".join(struct.pack("<HHI", t, k, n) + v for t, k, n, v in entries) + bytes(4)
    size = len(first) + 4 + 4 + len(index) + 32
    index += struct.pack("<IIIHH", 0x030000, size, 0, 0, 0) + struct.pack("<IIIHH", 0, len(second), size - 2 - 4 - 4, 0, 0)
    content = b"MPF\0" + index
    source = tmp_path / "photo.jpg"
    source.write_bytes(first[:2] + b"\xff\xe2" + struct.pack(">H", len(content) + 2) + content + first[2:] + second)
    assert "its HDR gain map is kept as it was" in _rewritten(source, tmp_path / "out.jpg")
    data = (tmp_path / "out.jpg").read_bytes()
    with Image.open(io.BytesIO(data)) as written:
        (index_of_first, index_of_second) = written._getmp()[0xB002]
        start = index_of_second["DataOffset"] + written.info["mpoffset"]
    assert index_of_first["Size"] == start and data[start:] == second


def test_other_pictures_of_a_file_are_left_out_and_said(tmp_path: Path) -> None:
    source = save(tmp_path / "two.tif", scene(), save_all=True, append_images=[scene()])
    animated = save(tmp_path / "moving.webp", scene(), save_all=True, append_images=[edited(scene())], lossless=True)
    for path in (source, animated):
        notes = _rewritten(path, tmp_path / f"out{path.suffix}")
        assert notes[0] == "it holds 2 pictures; the first is edited, the others are left out"
