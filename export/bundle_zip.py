"""Bundles as zips: stored, so that nothing can expand, checked member by member, and written with the same bytes every time."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

from export.bundle_files import check_budget, walk_files
from export.manifest import is_safe_path
from textedit_core.atomic import replacing_file
from textedit_core.errors import UserError


def extract_stored_zip(archive: Path, root: Path) -> None:
    """Unpacks a stored zip into an empty directory.

    Raises:
        UserError: it is unreadable, compressed, too large, or has unsafe members.
    """
    try:
        with zipfile.ZipFile(archive) as bundle:
            members = [info for info in bundle.infolist() if not info.is_dir()]
            _check_members(members, archive)
            for info in members:
                target = root / info.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(bundle.read(info))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as error:
        raise UserError(f"{str(archive)!r} is not a readable bundle zip: {error}") from None
    except OSError as error:
        raise UserError(f"cannot unpack {str(archive)!r}: {error.strerror or error}") from None


def _check_members(members: list[zipfile.ZipInfo], archive: Path) -> None:
    names = [info.filename for info in members]
    if len({name.casefold() for name in names}) != len(names):
        raise UserError(f"{str(archive)!r} holds a file twice")
    # Stored members cannot expand: their sum exceeds the archive only when entries overlap or lie about their size.
    total = sum(info.file_size for info in members)
    check_budget(len(members), total, str(archive))
    if total > archive.stat().st_size:
        raise UserError(f"{str(archive)!r} announces {total} bytes, more than the archive itself")
    for info in members:
        if not is_safe_path(info.filename):
            raise UserError(f"{str(archive)!r} holds the unsafe path {info.filename!r}")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG) or info.flag_bits & 1:
            raise UserError(f"{str(archive)!r}: {info.filename} is a link, special or encrypted; a bundle holds plain files only")
        if info.compress_type != zipfile.ZIP_STORED:
            raise UserError(f"{str(archive)!r}: {info.filename} is compressed; a bundle zip stores files uncompressed")


def write_zip(root: Path, archive: Path, left_out: frozenset[str] = frozenset()) -> None:
    """Packs a bundle directory as a stored zip with fixed times and modes: the same bundle gives the same bytes.

    Args:
        root: the bundle.
        archive: the zip.
        left_out: paths that the zip does not get, as in an update.

    Raises:
        UserError: the archive cannot be written.
    """
    with replacing_file(archive) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as bundle:
        for path in (path for path in walk_files(root) if path not in left_out):
            info = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            bundle.writestr(info, (root / path).read_bytes())
