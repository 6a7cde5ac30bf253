"""Reads the MakeHuman CC0 assets, as a tree or as a pack: meshes, morph targets, proxy fittings and textures."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from textedit_core.atomic import write_bytes
from textedit_core.errors import UserError

_LFS_HEADER = b"version https://git-lfs"
PACKED_TARGETS = "targets.npz"
_TARGETS = "makehuman/data/targets"
_TARGET_FOLDERS = ("head", "mouth", "nose", "eyes", "cheek", "chin", "forehead", "eyebrows", "macrodetails")


@dataclass(frozen=True)
class Wavefront:
    """A polygon mesh; triangles are stored as quads whose last corner is repeated.

    Attributes:
        vertices: [V, 3] float64 positions.
        texture_coordinates: [T, 2] float64, at least one row.
        faces: [F, 4] int64 vertex indices.
        texture_faces: [F, 4] int64 texture coordinate indices.
        groups: [F] group name of every face.
    """

    vertices: NDArray[np.float64]
    texture_coordinates: NDArray[np.float64]
    faces: NDArray[np.int64]
    texture_faces: NDArray[np.int64]
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """A sparse morph: offsets `delta` [N, 3] float32 of the vertices `index` [N] int32."""

    index: NDArray[np.int32]
    delta: NDArray[np.float32]


@dataclass(frozen=True)
class ProxyFitting:
    """How a proxy mesh follows the base mesh (one row per proxy vertex).

    Attributes:
        obj_file: file name of the proxy mesh, beside the fitting file.
        vertices: [N, 3] int64 base vertices.
        weights: [N, 3] float64 barycentric weights.
        offsets: [N, 3] float64 offsets in units of the base mesh, scaled by `scales`.
        scales: axis (0, 1, 2) -> (first vertex, second vertex, reference distance).
    """

    obj_file: str
    vertices: NDArray[np.int64]
    weights: NDArray[np.float64]
    offsets: NDArray[np.float64]
    scales: dict[int, tuple[int, int, float]]


def _corner(token: str) -> tuple[int, int]:
    parts = token.split("/")
    texture = int(parts[1]) - 1 if len(parts) > 1 and parts[1] else 0
    return int(parts[0]) - 1, texture


def parse_obj(lines: Iterable[str]) -> Wavefront:
    """Parses Wavefront text of triangles and quads.

    Raises:
        UserError: a face has fewer than 3 or more than 4 corners.
    """
    vertices: list[list[float]] = []
    coordinates: list[list[float]] = []
    corners: list[list[tuple[int, int]]] = []
    groups: list[str] = []
    group = ""
    for line in lines:
        words = line.split()
        if not words:
            continue
        if words[0] == "v":
            vertices.append([float(x) for x in words[1:4]])
        elif words[0] == "vt":
            coordinates.append([float(x) for x in words[1:3]])
        elif words[0] == "g":
            group = words[1] if len(words) > 1 else ""
        elif words[0] == "f":
            face = [_corner(token) for token in words[1:]]
            if len(face) not in (3, 4):
                raise UserError(f"a face has {len(face)} corners; only triangles and quads are supported")
            corners.append(face if len(face) == 4 else [*face, face[2]])
            groups.append(group)
    table = np.array(corners, dtype=np.int64).reshape(-1, 4, 2)
    uv = np.array(coordinates or [[0.0, 0.0]], dtype=np.float64)
    return Wavefront(np.array(vertices, dtype=np.float64), uv, table[..., 0], table[..., 1], tuple(groups))


def parse_target(lines: Iterable[str]) -> Target:
    """Parses morph target text: one `index dx dy dz` row per moved vertex."""
    rows = [line.split()[:4] for line in lines if line.strip() and not line.startswith("#")]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Target(table[:, 0].astype(np.int32), table[:, 1:].astype(np.float32))


def _fitting_row(words: list[str]) -> list[float]:
    if len(words) == 1:
        return [float(words[0]), 0, 0, 1, 0, 0, 0, 0, 0]
    row = [float(x) for x in words[:9]]
    return row + [0.0] * (9 - len(row))


def parse_mhclo(lines: Iterable[str]) -> ProxyFitting:
    """Parses a proxy fitting: three base vertices, three weights and an offset per proxy vertex."""
    scales: dict[int, tuple[int, int, float]] = {}
    rows: list[list[float]] = []
    obj_file = ""
    in_vertices = False
    for line in lines:
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "obj_file":
            obj_file = words[1]
        elif words[0] in ("x_scale", "y_scale", "z_scale"):
            scales["xyz".index(words[0][0])] = (int(words[1]), int(words[2]), float(words[3]))
        elif words[0] == "verts":
            in_vertices = True
        elif words[0] in ("delete_verts", "weights"):
            in_vertices = False
        elif in_vertices and words[0].isdigit() and len(words) in (1, 6, 9):
            rows.append(_fitting_row(words))
    table = np.array(rows, dtype=np.float64).reshape(-1, 9)
    return ProxyFitting(obj_file, table[:, :3].astype(np.int64), table[:, 3:6], table[:, 6:9], scales)


class AssetTree:
    """The face assets: a folder in the upstream layout, or the one file that `pack_assets` makes of it."""

    def __init__(self, root: Path) -> None:
        """Validates the layout.

        Args:
            root: a folder that holds `makehuman`, `makehuman-assets` and `makehuman-fork`, or a packed file.

        Raises:
            UserError: a part of the tree is missing, or the file is not a pack of assets.
        """
        self.path = Path(root)
        self.root: Path | zipfile.Path = self.path if not self.path.is_file() else _opened_pack(self.path)
        for part in ("makehuman/data", "makehuman-assets/base", "makehuman-fork/data"):
            if not (self.root / part).is_dir():
                raise UserError(f"the asset folder {self.path} has no {part}; clone the MakeHuman repositories there")

    def file(self, relative: str) -> Path | zipfile.Path:
        """Returns an existing, real (not git-lfs pointer) file below the root.

        Raises:
            UserError: the file is missing, or it is a git-lfs pointer.
        """
        path = self.root / relative
        if not path.is_file():
            raise UserError(f"the asset {path} is missing; clone the MakeHuman repositories completely, or pack them again")
        with path.open("rb") as stream:
            if stream.read(len(_LFS_HEADER)) == _LFS_HEADER:
                raise UserError(f"{path} is a git-lfs pointer; run `git lfs pull` in its repository")
        return path

    def read(self, relative: str) -> bytes:
        """Returns the bytes of an asset.

        Raises:
            UserError: as `file`, or the pack is damaged.
        """
        try:
            return self.file(relative).read_bytes()
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise UserError(f"the asset pack {self.path} is damaged at {relative} ({error}); pack the assets again") from None

    def text(self, relative: str) -> list[str]:
        """Returns the lines of a text asset."""
        return self.read(relative).decode("utf-8", errors="ignore").splitlines()

    def image(self, relative: str, size: int) -> NDArray[np.uint8]:
        """Returns a texture as [H, W, 4] uint8 sRGB with straight alpha, no larger than `size`, bottom row first."""
        picture = Image.open(BytesIO(self.read(relative))).convert("RGBA")
        if picture.width > size:
            picture = picture.resize((size, size), Image.Resampling.LANCZOS)
        return np.ascontiguousarray(np.asarray(picture)[::-1])

    def target_files(self) -> dict[str, str]:
        """Returns the path below the root of every morph target, by name."""
        files = {f"{folder}/{name[:-7]}": f"{_TARGETS}/{folder}/{name}" for folder in _TARGET_FOLDERS for name in self._targets(folder)}
        units = self.root / _TARGETS / "expression/units"
        for group in sorted(path.name for path in units.iterdir()) if units.is_dir() else ():
            folder = f"expression/units/{group}"
            files |= {f"expression/{group}/{name[:-7]}": f"{_TARGETS}/{folder}/{name}" for name in self._targets(folder)}
        return files

    def _targets(self, folder: str) -> list[str]:
        path = self.root / _TARGETS / folder
        return sorted(entry.name for entry in path.iterdir() if entry.name.endswith(".target")) if path.is_dir() else []


def _opened_pack(path: Path) -> zipfile.Path:
    try:
        root = zipfile.Path(path)
    except zipfile.BadZipFile:
        raise UserError(f"{path} is not a pack of assets; give the asset folder, or make one of it with pack-assets") from None
    if not (root / PACKED_TARGETS).is_file():
        raise UserError(f"{path} is a zip file but holds no face assets; give the asset folder, or make one of it with pack-assets")
    return root


def load_targets(tree: AssetTree, cache: Path | None = None) -> dict[str, Target]:
    """Reads every morph target, keeping a parsed copy in `cache` (an .npz file) when given; a pack holds them parsed.

    Raises:
        UserError: the tree has no targets.
    """
    if isinstance(tree.root, zipfile.Path):
        return _unpacked(BytesIO(tree.read(PACKED_TARGETS)))
    files = tree.target_files()
    if not files:
        raise UserError(f"{tree.path / _TARGETS} holds no .target files; clone makehuman with git-lfs")
    if cache is not None and cache.is_file():
        targets = _unpacked(cache)
        if list(targets) == list(files):
            return targets
    targets = {name: parse_target(tree.text(path)) for name, path in files.items()}
    if cache is not None:
        write_bytes(cache, targets_archive(targets))
    return targets


def _unpacked(archive_file: Path | BytesIO) -> dict[str, Target]:
    with np.load(archive_file, allow_pickle=False) as archive:
        names, lengths, index, delta = (archive[key] for key in ("names", "lengths", "index", "delta"))
    ends = np.cumsum(lengths)
    return {
        str(name): Target(index[end - size : end], delta[end - size : end])
        for name, end, size in zip(names, ends, lengths, strict=True)
    }


def targets_archive(targets: dict[str, Target]) -> bytes:
    """Returns the .npz file from which `load_targets` reads parsed targets."""
    stream = BytesIO()
    np.savez(
        stream,
        names=np.array(list(targets)),
        lengths=np.array([len(t.index) for t in targets.values()], dtype=np.int64),
        index=np.concatenate([t.index for t in targets.values()]),
        delta=np.concatenate([t.delta for t in targets.values()]),
    )
    return stream.getvalue()
