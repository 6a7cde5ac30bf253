"""From the bytes of a file to pixels as they are stored, and to what the file says about them."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from textedit_core.errors import UserError
from textedit_core.photos import exif, jpeg_segments, photoshop
from textedit_core.photos.limits import check_pixels, own_pixel_limit
from textedit_core.photos.tiff_block import TiffBlock

MODES = ("L", "LA", "RGB", "RGBA", "CMYK")
_CHANNELS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_JPEG = b"\xff\xd8"
_PNG = b"\x89PNG\r\n\x1a\n"
_BITS_PER_SAMPLE = 258
_TIFF = (b"II*\0", b"MM\0*")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_XMP_TAG, _IPTC_TAG, _RESOURCES_TAG, _ICC_TAG = 0x02BC, 0x83BB, 0x8649, 0x8773
_LAYERS = 0x935C


@dataclass
class Decoded:
    """A file's first picture; `exif_block` and the others are as found, not yet judged."""

    stored: NDArray[Any]
    mode: str
    format: str
    exif_block: TiffBlock | None = None
    damaged: list[str] = field(default_factory=list)
    xmp: bytes | None = None
    resources: bytes | None = None
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    # The decoder has turned the picture already.
    is_upright: bool = False
    notes: list[str] = field(default_factory=list)


def decode(data: bytes, path: Any) -> Decoded:
    """Decodes the first picture of a file.

    Raises:
        UserError: it has too many pixels, or a part that is not installed is needed.
        OSError, ValueError, and what else decoders raise on damaged files.
    """
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS and b"avif" not in data[8:64]:
        return _heif(data, path)
    if data.startswith(_JPEG):
        return _jpeg(data, path)
    with _opened(data, path) as picture:
        if data.startswith(_TIFF):
            return _tiff(data, picture)
        decoded = _with_pillow(picture)
    if data.startswith(_PNG) and data[24] == 16:
        import imagecodecs

        # Pillow keeps the upper eight of sixteen bits.
        decoded.stored = imagecodecs.png_decode(data)
        decoded.mode = _CHANNELS[1 if decoded.stored.ndim == 2 else decoded.stored.shape[2]]
    return decoded


def _opened(data: bytes, path: Any) -> Image.Image:
    """The header's reading of a picture that is not too large."""
    with own_pixel_limit():
        picture = Image.open(io.BytesIO(data))
    check_pixels(picture.size, path)
    return picture


def _jpeg(data: bytes, path: Any) -> Decoded:
    file = jpeg_segments.split(data)
    with _opened(jpeg_segments.without_metadata(file), path) as picture:
        decoded = _with_pillow(picture)
    decoded.exif_block, decoded.damaged = _plain_exif(jpeg_segments.content_of(file, jpeg_segments.EXIF))
    decoded.xmp = jpeg_segments.content_of(file, jpeg_segments.XMP)
    decoded.resources = jpeg_segments.photoshop_resources(file)
    decoded.dpi = decoded.dpi or exif.resolution(decoded.exif_block)
    if jpeg_segments.is_multi_picture(file):
        decoded.notes.append("it holds several pictures; the first is edited, the others are left out")
    return decoded


def _with_pillow(picture: Image.Image) -> Decoded:
    frames = getattr(picture, "n_frames", 1)
    picture.load()
    info = picture.info
    stored, mode = _plain_mode(picture)
    decoded = Decoded(stored, mode, str(picture.format), icc=info.get("icc_profile"), dpi=_dpi(info.get("dpi")))
    decoded.exif_block, decoded.damaged = _plain_exif(_exif_bytes(info))
    decoded.xmp = _as_bytes(info.get("xmp") or info.get("XML:com.adobe.xmp"))
    decoded.resources = _resources(info)
    if frames > 1:
        decoded.notes.append(f"it holds {frames} pictures; the first is edited, the others are left out")
    return decoded


def _plain_exif(data: bytes | None) -> tuple[TiffBlock | None, list[str]]:
    """EXIF as every format but TIFF carries it: without a picture of its own."""
    block, damaged = exif.read(data)
    if block is not None:
        exif.without_image_layout(block)
    return block, damaged


def _plain_mode(picture: Image.Image) -> tuple[NDArray[Any], str]:
    """The pixels in one of MODES: palettes, bilevel pictures and rare modes in the smallest one that holds them."""
    if picture.mode in ("I;16", "I;16B", "I;16L", "I;16N"):
        return np.asarray(picture).astype(np.uint16), "L"
    if picture.mode == "I":
        return np.asarray(picture).clip(0, 65535).astype(np.uint16), "L"
    if "transparency" in picture.info and picture.mode in ("1", "L", "P", "RGB"):
        picture = picture.convert("LA" if picture.mode in ("1", "L") else "RGBA")
    elif picture.mode in ("PA", "RGBa", "La"):
        picture = picture.convert("LA" if picture.mode == "La" else "RGBA")
    elif picture.mode == "LAB":
        picture = _lab_as_rgb(picture)
    elif picture.mode not in MODES:
        picture = picture.convert("L" if picture.mode in ("1", "F") else "RGB")
    return np.asarray(picture), picture.mode


def _lab_as_rgb(picture: Image.Image) -> Image.Image:
    transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
    converted = ImageCms.applyTransform(picture, transform)
    assert converted is not None
    converted.info.pop("icc_profile", None)
    return converted


def _as_bytes(packet: str | bytes | None) -> bytes | None:
    return packet.encode("utf8", "surrogateescape") if isinstance(packet, str) else packet or None


def _exif_bytes(info: dict[Any, Any]) -> bytes | None:
    raw = info.get("exif")
    return raw if isinstance(raw, bytes) else _raw_profile(info.get("Raw profile type exif"))


def _resources(info: dict[Any, Any]) -> bytes | None:
    raw = _raw_profile(info.get("Raw profile type iptc"))
    return photoshop.without_previews(raw) if raw is not None else None


def _raw_profile(text: Any) -> bytes | None:
    """The text chunk in which ImageMagick and ExifTool carry a profile in PNG: a name, a length, hexadecimal lines."""
    lines = str(text or "").strip().split("\n")
    try:
        return bytes.fromhex("".join(lines[2:])) or None
    except ValueError:
        return None


def _dpi(value: Any) -> tuple[float, float] | None:
    try:
        x, y = float(value[0]), float(value[1])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return (x, y) if 0 < x < 1e6 and 0 < y < 1e6 else None


def _tiff(data: bytes, picture: Image.Image) -> Decoded:
    block, damaged = exif.read(data)
    decoded = _tiff_pixels(data, picture)
    if block is not None:
        fields = block.main.fields
        decoded.xmp = fields.pop(_XMP_TAG).data if _XMP_TAG in fields else None
        iptc, resources = fields.pop(_IPTC_TAG, None), fields.pop(_RESOURCES_TAG, None)
        decoded.icc = fields.pop(_ICC_TAG).data if _ICC_TAG in fields else decoded.icc
        decoded.resources = photoshop.without_previews(resources.data) if resources else photoshop.with_iptc(iptc.data) if iptc else None
        if _LAYERS in fields:
            decoded.notes.append("its layers are left out; the flattened picture is edited")
        exif.without_image_layout(block)
        block.thumbnail = None
    decoded.exif_block, decoded.damaged = block, [name for name in damaged if name]
    decoded.dpi = exif.resolution(block)
    return decoded


def _tiff_pixels(data: bytes, picture: Image.Image) -> Decoded:
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as opened:
            page, pages = opened.pages.first, len(opened.pages)
            stored, mode = _plain_page(page)
    except (tifffile.TiffFileError, ValueError, KeyError, IndexError, TypeError, struct.error, RuntimeError, NotImplementedError):
        # Pillow reads the rarer kinds, most in eight bits, and turns them upright by itself.
        decoded = _with_pillow(picture)
        decoded.is_upright = True
        depth = max(getattr(picture, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,)))
        if depth > 8 * decoded.stored.itemsize:
            decoded.notes.append(f"its {depth} bits a channel are read as {8 * decoded.stored.itemsize}: it is a rare kind of TIFF")
        return decoded
    notes = [f"it holds {pages} pictures; the first is edited, the others are left out"] if pages > 1 else []
    return Decoded(stored, mode, "TIFF", notes=notes)


def _plain_page(page: Any) -> tuple[NDArray[Any], str]:
    """The pixels of a page that is grey, RGB or CMYK with 8 or 16 bits.

    Raises:
        ValueError: it is of another kind.
    """
    photometric, extra, count = int(page.photometric), [int(value) for value in page.extrasamples], page.samplesperpixel
    kinds = {(1, 1, 0): "L", (1, 2, 1): "LA", (2, 3, 0): "RGB", (2, 4, 1): "RGBA", (5, 4, 0): "CMYK"}
    mode = kinds.get((photometric, count, len(extra)))
    # Associated alpha (1) has the colours multiplied by it, and compression 7 is JPEG: Pillow converts both.
    if mode is None or 1 in extra or page.dtype not in (np.uint8, np.uint16) or int(page.compression) in (6, 7):
        raise ValueError("another kind of TIFF")
    array = page.asarray()
    if int(page.planarconfig) == 2 and array.ndim == 3:
        array = np.moveaxis(array, 0, -1)
    expected = (page.imagelength, page.imagewidth) + ((count,) if count > 1 else ())
    return np.ascontiguousarray(array).reshape(expected), mode


def _heif(data: bytes, path: Any) -> Decoded:
    try:
        import pillow_heif
    except ImportError:
        raise UserError(f"{str(path)!r} is HEIF; pip install pillow-heif, or save it as JPEG first") from None
    opened = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    picture = opened[opened.primary_index]
    check_pixels(picture.size, path)
    stored = np.asarray(picture)
    mode = picture.mode.removesuffix(";16")
    info: dict[str, Any] = dict(picture.info)
    decoded = Decoded(stored, mode, "HEIF", icc=info.get("icc_profile"), xmp=_as_bytes(info.get("xmp")), is_upright=True)
    decoded.exif_block, decoded.damaged = _plain_exif(info.get("exif"))
    decoded.dpi = exif.resolution(decoded.exif_block)
    if len(opened) > 1:
        decoded.notes.append(f"it holds {len(opened)} pictures; the first is edited, the others are left out")
    if any("hdrgainmap" in str(kind) or "gainmap" in str(kind) for kind in info.get("aux", {})):
        decoded.notes.append("its HDR gain map is left out: the picture is shown in standard range")
    if info.get("depth_images"):
        decoded.notes.append("its depth map is left out")
    return decoded

