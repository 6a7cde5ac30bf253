"""save_photo: the edited photo goes back into a file of its own kind, whole or not at all."""

from __future__ import annotations

import io
import struct
from pathlib import Path

from PIL import Image

from textedit_core.atomic import write_bytes
from textedit_core.errors import UserError
from textedit_core.photos.compositing import composite
from textedit_core.photos.encoders import encode
from textedit_core.photos.limits import check_output
from textedit_core.photos.outgoing import Outgoing
from textedit_core.photos.photo import Photo


def save_photo(
    photo: Photo, edited: Image.Image, out: str | Path, *, strip_metadata: bool = False, mark: bool = True
) -> list[str]:
    """Writes an edited photo with its own colour space, depth, transparency, orientation and metadata, atomically.

    Into a file of the photo's own format, JPEG blocks and PNG and TIFF pixels that the edit left alone keep their values.

    Args:
        photo: from `open_photo`.
        edited: RGB, of the size of `photo.image`, equal to it wherever the edit changes nothing.
        out: the file; its suffix selects the format.
        strip_metadata: drop EXIF, XMP, IPTC and comments. The colour profile stays, and an orientation other than upright.
        mark: say in XMP that a trained model changed part of the picture (IPTC digital source type); not if nothing was changed.

    Returns:
        One line for each thing that the written file has lost against the photo.

    Raises:
        UserError: the suffix names no format, the folder is missing, the picture is too large for the format, or the disk is full.
        ValueError: `edited` has another mode or size.
    """
    out = Path(out)
    name = check_output(out, photo.image.size)
    going = Outgoing(photo, edited, composite(photo, edited), strip_metadata, mark)
    try:
        data = encode(going, name)
    except (OSError, ValueError, RuntimeError, struct.error) as error:
        raise UserError(f"cannot write {str(out)!r} as {name}: {error}; end the name in .png") from None
    write_bytes(out, data)
    return going.notes


def save_image(image: Image.Image, path: str | Path) -> None:
    """Writes a picture that is no photo (a sheet, a graph), atomically; the suffix selects the format.

    Raises:
        UserError: the suffix names no image format, or the folder cannot be written (missing, read-only, full disk).
    """
    path = Path(path)
    name = check_output(path, image.size)
    try:
        data = _encoded(image, name)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {str(path)!r}: {error}") from None
    write_bytes(path, data)


def _encoded(image: Image.Image, name: str) -> bytes:
    stream = io.BytesIO()
    # Pillow's default for JPEG, quality 75 with halved chroma, shows on faces.
    image.save(stream, name, **({"quality": 95, "subsampling": 0} if name == "JPEG" else {}))
    return stream.getvalue()
