"""Packs what the renderer reads of the MakeHuman CC0 assets into one file, after checking every file against its known hash.

The hashes (asset_hashes.json) are those of the upstream commits that docs/faces.md names, and of the trimmed copy of them (skins blanked
outside the head, other textures at most 1024 px), which draws the same faces. A large upstream texture is known by its git object id,
written "git:...", every other file by its sha256.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from textedit_core.atomic import replacing_file, write_text
from textedit_core.errors import UserError
from textedit_core.hashing import sha256_of, sha256_of_file
from textedit_core.synthetic.assets import PACKED_TARGETS, AssetTree, load_targets, targets_archive
from textedit_core.synthetic.wardrobe import Wardrobe

HASHES_PATH = Path(__file__).with_name("asset_hashes.json")
_ASSET_SUFFIXES = (".obj", ".mhclo", ".target", ".png")
_LICENCE = "Creative Commons CC0 1.0 Universal; from makehumancommunity/makehuman a8bc2d54, makehumancommunity/makehuman-assets 8cf9645b, "
_LICENCE += "brighter-ai/makehuman e181c534"


def pack_assets(tree: Path, out: Path) -> None:
    """Writes one file with all that the renderer reads; `Renderer` and `render --assets` take it in place of the tree.

    Morph targets are stored parsed and textures no larger than they are drawn, so that a renderer starts sooner and draws the same.

    Args:
        tree: asset folder in the upstream layout.
        out: the file to write, atomically.

    Raises:
        UserError: a file of the tree is missing, a git-lfs pointer or not the upstream one, or `out` cannot be written.
    """
    if Path(tree).is_file():
        raise UserError(f"{tree} is a file already; pack the asset folder in the upstream layout")
    recorder = _Recorder(tree)
    with tempfile.TemporaryDirectory(prefix="textedit-targets-") as cache:
        Wardrobe(recorder, Path(cache))
        targets = load_targets(recorder, Path(cache) / "targets.npz")
    target_files = recorder.target_files().values()
    check_hashes(recorder, [*recorder.texts, *recorder.images, *target_files])
    entries = {relative: recorder.read(relative) for relative in sorted(recorder.texts - set(target_files))}
    entries |= {relative: _shrunk(recorder.read(relative), size) for relative, size in sorted(recorder.images.items())}
    entries[PACKED_TARGETS] = targets_archive(targets)
    entries["LICENCE.txt"] = _LICENCE.encode()
    _write_pack(Path(out), entries)


class _Recorder(AssetTree):
    """An asset tree that remembers what was read, and the largest size of each texture."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.texts: set[str] = set()
        self.images: dict[str, int] = {}

    def file(self, relative: str) -> Path | zipfile.Path:
        if not relative.endswith(".png"):
            self.texts.add(relative)
        return super().file(relative)

    def image(self, relative: str, size: int) -> NDArray[np.uint8]:
        self.images[relative] = max(size, self.images.get(relative, 0))
        return super().image(relative, size)


def check_hashes(tree: AssetTree, files: Iterable[str]) -> None:
    """Compares files of a tree with the hashes that ship with this package.

    Raises:
        UserError: a file is missing, a git-lfs pointer, unknown or different.
    """
    known: dict[str, list[str]] = json.loads(HASHES_PATH.read_text("utf8"))
    for relative in files:
        if relative not in known:
            raise UserError(f"no hash is known of the asset {relative}; add it with asset_pack.write_hashes")
        data = tree.read(relative)
        digest = sha256_of(data)
        if digest not in known[relative] and _git_id(data) not in known[relative]:
            raise UserError(
                f"the asset {tree.path / relative} is not the upstream file: sha256 {digest[:12]}..., not {known[relative][0][:12]}...;"
                " check out the commits that docs/faces.md names"
            )


def _git_id(data: bytes) -> str:
    return "git:" + hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def write_hashes(root: Path, path: Path = HASHES_PATH) -> None:
    """Adds the sha256 of every mesh, fitting, morph target and texture of a trusted asset tree to the accepted ones.

    Args:
        root: asset folder in the upstream layout, complete or in part.
        path: asset_hashes.json; hashes that it holds already are kept.
    """
    known: dict[str, list[str]] = json.loads(path.read_text("utf8")) if path.is_file() else {}
    for file in sorted(Path(root).rglob("*")):
        if file.suffix in _ASSET_SUFFIXES:
            digest = sha256_of_file(file)
            accepted = known.setdefault(file.relative_to(root).as_posix(), [])
            accepted += [digest] * (digest not in accepted)
    write_text(path, json.dumps(dict(sorted(known.items())), indent=0) + "\n")


def _shrunk(data: bytes, size: int) -> bytes:
    picture = Image.open(BytesIO(data))
    if picture.width <= size:
        return data
    # Resized as AssetTree.image does it, so that the pack draws the same pixels as the tree.
    resized = picture.convert("RGBA").resize((size, size), Image.Resampling.LANCZOS)
    stream = BytesIO()
    resized.save(stream, format="PNG", compress_level=6)
    return stream.getvalue()


def _write_pack(out: Path, entries: dict[str, bytes]) -> None:
    with replacing_file(out) as draft, zipfile.ZipFile(draft, "w") as archive:
        for name, data in entries.items():
            # A fixed date: the same assets make the same bytes.
            info: Any = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
