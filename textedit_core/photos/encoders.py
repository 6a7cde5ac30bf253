"""One encoder per file format: an outgoing photo becomes the bytes of a file."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from PIL import Image

from textedit_core.errors import UserError
from textedit_core.photos import exif, jpeg_segments, photoshop, png_chunks, tiff_writing
from textedit_core.photos.jpeg_writing import jpeg
from textedit_core.photos.outgoing import Outgoing, Pixels

_QUALITY = 95
# Below this, HEVC shows in the untouched parts of a photo.
_HEIF_QUALITY = 95
_ALL = ("L", "LA", "RGB", "RGBA", "CMYK")
_LOSSLESS_WEBP = b"VP8L"


def encode(going: Outgoing, name: str) -> bytes:
    """Encodes a photo in the format of this name (Pillow's).

    Raises:
        UserError: a part that is not installed is needed.
        OSError, ValueError: the format cannot hold this picture.
    """
    if going.photo.format == "JPEG" and name != "JPEG" and jpeg_segments.has_gain_map(jpeg_segments.split(going.photo.source)):
        going.notes.append("its HDR gain map is left out: the picture is shown in standard range")
    return _ENCODERS.get(name, _other)(going, name)


def _png(going: Outgoing, name: str) -> bytes:
    import imagecodecs

    photo = going.photo
    same = photo.format == "PNG"
    pixels = going.pixels_for(name, ("L", "LA", "RGB", "RGBA"), 16, turned=not same)
    others = png_chunks.kept(png_chunks.split(photo.source), strip=going.strip, colour=_keeps_colour(going, pixels)) if same else []
    if not same:
        others = [png_chunks.profile_chunk(pixels.icc)] if pixels.icc else []
        others += [png_chunks.resolution_chunk(photo.metadata.dpi)] if photo.metadata.dpi else []
        others += [png_chunks.iptc_chunk(going.resources)] if going.resources and photoshop.iptc_of(going.resources) else []
    turn = photo.orientation if same else 1
    encoded = bytes(imagecodecs.png_encode(pixels.array, level=6))
    return png_chunks.assemble(encoded, others, _plain_exif(going, turn), going.packet(turn))


def _keeps_colour(going: Outgoing, pixels: Pixels) -> bool:
    """Whether the source's statements about colour fit the pixels: not where a wrong profile was found."""
    return pixels.icc is not None or not any(kind == b"iCCP" for kind, _ in png_chunks.split(going.photo.source))


def _plain_exif(going: Outgoing, orientation: int) -> bytes | None:
    return exif.serialise(going.exif_block(orientation))


def _tiff(going: Outgoing, name: str) -> bytes:
    same = going.photo.format == "TIFF"
    pixels = going.pixels_for(name, _ALL, 16, turned=not same)
    turn = going.photo.orientation if same else 1
    block = going.exif_block(turn)
    return tiff_writing.write(
        pixels.array, pixels.mode, block, going.packet(turn), going.resources, pixels.icc, None if going.strip else going.photo.metadata.dpi
    )


def _webp(going: Outgoing, name: str) -> bytes:
    same = going.photo.format == "WEBP"
    pixels = going.pixels_for(name, ("RGB", "RGBA"), 8, turned=not same)
    turn = going.photo.orientation if same else 1
    lossless = same and going.photo.source[12:16] == _LOSSLESS_WEBP or _LOSSLESS_WEBP in going.photo.source[30:4096] and same
    if not lossless:
        going.notes.append("WebP is coded anew as a whole, at quality 95; .png keeps every untouched pixel")
    options: dict[str, Any] = {"lossless": True, "exact": True} if lossless else {"quality": _QUALITY}
    return _saved(pixels.image(), "WEBP", options | _descriptions(going, turn, pixels.icc))


def _avif(going: Outgoing, name: str) -> bytes:
    same = going.photo.format == "AVIF"
    pixels = going.pixels_for(name, ("RGB", "RGBA"), 8, turned=not same)
    turn = going.photo.orientation if same else 1
    going.notes.append("AVIF is coded anew as a whole, at quality 95; .png keeps every untouched pixel")
    return _saved(pixels.image(), "AVIF", {"quality": _QUALITY, "subsampling": "4:4:4"} | _descriptions(going, turn, pixels.icc))


def _descriptions(going: Outgoing, orientation: int, icc: bytes | None) -> dict[str, Any]:
    """EXIF, XMP and profile as the arguments of Pillow's writers; IPTC has no place there."""
    if going.resources and photoshop.iptc_of(going.resources):
        going.notes.append("IPTC has no place in this format and is left out; EXIF and XMP are kept")
    block, packet = _plain_exif(going, orientation), going.packet(orientation)
    parts = {"exif": exif.PREFIX + block if block else None, "xmp": packet, "icc_profile": icc}
    return {key: value for key, value in parts.items() if value}


def _heif(going: Outgoing, name: str) -> bytes:
    try:
        import pillow_heif
    except ImportError:
        raise UserError("HEIC is written by another package; pip install pillow-heif, or end the name in .jpg or .png") from None
    pixels = going.pixels_for(name, ("RGB", "RGBA"), 16, turned=True)
    going.notes.append("HEIC is coded anew as a whole, at quality 95; .png keeps every untouched pixel")
    if pixels.array.dtype.itemsize == 2:
        size = (pixels.array.shape[1], pixels.array.shape[0])
        file = pillow_heif.from_bytes(mode=f"{pixels.mode};16", size=size, data=pixels.array.tobytes())
    else:
        file = pillow_heif.from_pillow(pixels.image())
    described = _descriptions(going, 1, pixels.icc)
    if "icc_profile" in described:
        file[0].info["icc_profile"] = described["icc_profile"]
        file[0].info["icc_profile_type"] = "prof"  # type: ignore[assignment]
    stream = io.BytesIO()
    file.save(stream, quality=_HEIF_QUALITY, exif=described.get("exif"), xmp=described.get("xmp"))
    return stream.getvalue()


def _other(going: Outgoing, name: str) -> bytes:
    """Formats that carry pixels alone."""
    metadata = going.photo.metadata
    if not going.strip and (metadata.exif or metadata.xmp or metadata.resources):
        going.notes.append(f"{name} carries no metadata; .png, .jpg and .tif do")
    if going.photo.mode == "L" and going.photo.metadata.icc is None:
        return _saved(going.pixels_for(name, ("L",), 8, turned=True).image(), name, {})
    if going.photo.mode.endswith("A"):
        going.notes.append(f"transparency is laid over white for {name}")
    return _saved(going.edited, name, {})


def _saved(image: Image.Image, name: str, options: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    image.save(stream, name, **options)
    return stream.getvalue()


_ENCODERS: dict[str, Callable[[Outgoing, str], bytes]] = {
    "JPEG": jpeg,
    "MPO": jpeg,
    "PNG": _png,
    "TIFF": _tiff,
    "WEBP": _webp,
    "AVIF": _avif,
    "HEIF": _heif,
}
