"""JPEG out: a JPEG photo keeps every block that the edit does not touch; other photos are coded once, finely."""

from __future__ import annotations

import io

from PIL import Image, JpegImagePlugin

from textedit_core.photos import exif, jpeg_segments
from textedit_core.photos.jpeg_blocks import NoBlocks, with_changed_blocks
from textedit_core.photos.jpeg_segments import JpegFile, Segment
from textedit_core.photos.outgoing import Outgoing
from textedit_core.photos.tiff_block import TiffBlock

_QUALITY = 95
_FULL_CHROMA = 0


def jpeg(going: Outgoing, name: str) -> bytes:
    """Encodes a photo as JPEG; see `encoders.encode`."""
    return _kept(going) if going.photo.format == "JPEG" else _fresh(going, name)


def _kept(going: Outgoing) -> bytes:
    source = jpeg_segments.split(going.photo.source)
    coded = source if going.change.box is None else jpeg_segments.split(_coded_anew(going))
    gain_map = jpeg_segments.has_gain_map(source) and not going.strip
    colour = going.photo.metadata.icc is not None
    kept = jpeg_segments.kept_segments(source.header, strip=going.strip, colour=colour, gain_map=gain_map)
    resources = None if going.strip else jpeg_segments.photoshop_resources(source)
    header = _described(going, kept, going.photo.orientation, resources) + [s for s in coded.header if not s.is_metadata]
    if source.trailer and not gain_map and not jpeg_segments.is_multi_picture(source):
        going.notes.append(f"{len(source.trailer)} bytes behind the picture (a film, an app's data) are left out")
    if not gain_map:
        return bytes(JpegFile(header, coded.scans, b""))
    going.notes.append("its HDR gain map is kept as it was")
    return _with_gain_map(source, header, coded.scans)


def _coded_anew(going: Outgoing) -> bytes:
    photo = going.photo
    try:
        return with_changed_blocks(photo.source, photo.stored, going.change, photo.mode)
    except NoBlocks as reason:
        going.notes.append(f"its blocks cannot be changed singly ({reason}); it is coded anew as a whole with its own tables")
    with Image.open(io.BytesIO(photo.source)) as picture:
        assert isinstance(picture, JpegImagePlugin.JpegImageFile)
        tables, sampling = picture.quantization, JpegImagePlugin.get_sampling(picture)
    stream = io.BytesIO()
    Image.fromarray(going.change.pixels, photo.mode).save(
        stream, "JPEG", qtables=tables, subsampling=_FULL_CHROMA if sampling < 0 else sampling, optimize=True
    )
    return stream.getvalue()


def _with_gain_map(source: JpegFile, header: list[Segment], scans: bytes) -> bytes:
    """Puts the pictures behind the first back, and corrects the index that says where they begin."""
    old_size = len(bytes(source)) - len(source.trailer)
    new_size = len(bytes(JpegFile(header, scans, b"")))
    moved = jpeg_segments.moved_index(
        header, old_size, new_size, jpeg_segments.index_start(source.header), jpeg_segments.index_start(header)
    )
    return bytes(JpegFile(moved, scans, source.trailer))


def _fresh(going: Outgoing, name: str) -> bytes:
    pixels = going.pixels_for(name, ("L", "RGB", "CMYK"), 8, turned=True)
    stream = io.BytesIO()
    density = {} if going.photo.metadata.dpi is None else {"dpi": going.photo.metadata.dpi}
    image = pixels.image()
    image.save(stream, "JPEG", quality=_QUALITY, subsampling=_FULL_CHROMA, optimize=True, icc_profile=pixels.icc, **density)
    file = jpeg_segments.split(stream.getvalue())
    kept = [segment for segment in file.header if segment.is_metadata]
    header = _described(going, kept, 1, going.resources) + [segment for segment in file.header if not segment.is_metadata]
    return bytes(JpegFile(header, file.scans, b""))


def _described(going: Outgoing, kept: list[Segment], orientation: int, resources: bytes | None) -> list[Segment]:
    block = going.exif_block(orientation)
    segments, too_long = jpeg_segments.with_metadata(kept, _fitting(block), going.packet(orientation), resources)
    going.notes.extend(f"its {part} is too long for JPEG and left out" for part in too_long)
    return segments


def _fitting(block: TiffBlock | None) -> bytes | None:
    """The EXIF block; without its thumbnail where it would not fit into one segment."""
    written = exif.serialise(block)
    if block is None or written is None or len(written) + len(exif.PREFIX) <= jpeg_segments.MOST_BYTES:
        return written
    block.thumbnail = None
    return exif.serialise(block)
