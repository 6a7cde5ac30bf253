"""Renderable meshes: triangles with texture seams resolved, smooth normals, proxies fitted to the base mesh."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from textedit_core.errors import UserError
from textedit_core.synthetic.assets import ProxyFitting, Wavefront
from textedit_core.synthetic.subdivision import subdivide

Points = NDArray[np.float32]


class RenderMesh:
    """Turns moving control vertices into an interleaved vertex buffer for the GPU."""

    def __init__(self, mesh: Wavefront, keep: NDArray[np.bool_], *, smooth: bool) -> None:
        """Prepares the constant parts.

        Args:
            mesh: control mesh.
            keep: [F] faces to render.
            smooth: apply one level of Catmull-Clark subdivision.
        """
        faces, texture_faces, uv = mesh.faces[keep], mesh.texture_faces[keep], mesh.texture_coordinates
        used, compact = np.unique(faces, return_inverse=True)
        faces = compact.reshape(faces.shape)
        self.source = used
        self.subdivision: sp.csr_matrix | None = None
        count = len(used)
        if smooth:
            matrix, texture_quads = subdivide(texture_faces, len(uv), smooth=False)
            self.subdivision, faces = subdivide(faces, count)
            texture_faces, uv = texture_quads, matrix @ uv
            count = self.subdivision.shape[0]
        self._triangulate(faces, texture_faces, uv, count)

    def _triangulate(
        self, faces: NDArray[np.int64], texture_faces: NDArray[np.int64], uv: NDArray[np.float64], count: int
    ) -> None:
        triangles = np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]])
        corners = np.concatenate([texture_faces[:, [0, 1, 2]], texture_faces[:, [0, 2, 3]]])
        proper = (triangles[:, 0] != triangles[:, 2]) & (triangles[:, 1] != triangles[:, 2])
        self.triangles, corners = triangles[proper], corners[proper]
        key = self.triangles.ravel() * np.int64(len(uv) + 1) + corners.ravel()
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        self.vertex_of = self.triangles.ravel()[first]
        self.texture_coordinates = uv[corners.ravel()[first]].astype(np.float32)
        self.indices = inverse.reshape(-1, 3).astype(np.uint32)
        entries = (np.ones(self.triangles.size, np.float32), (self.triangles.ravel(), np.repeat(
            np.arange(len(self.triangles)), 3)))
        self.faces_around = sp.csr_matrix(entries, shape=(count, len(self.triangles)))

    def attribute(self, values: Points) -> Points:
        """Returns [N, C] values per row of the vertex buffer for values [V, C] of all control vertices."""
        moved = values[self.source]
        if self.subdivision is not None:
            moved = self.subdivision @ moved
        return np.ascontiguousarray(moved[self.vertex_of], np.float32)

    def buffer(self, points: Points) -> Points:
        """Returns [N, 8] float32 rows: position, unit normal, texture coordinate.

        Args:
            points: [V, 3] positions of all control vertices.
        """
        moved = points[self.source]
        if self.subdivision is not None:
            moved = self.subdivision @ moved
        first, second, third = (moved[self.triangles[:, k]] for k in range(3))
        normals = self.faces_around @ np.cross(second - first, third - first)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
        rows = np.empty((len(self.vertex_of), 8), np.float32)
        rows[:, :3] = moved[self.vertex_of]
        rows[:, 3:6] = normals[self.vertex_of]
        rows[:, 6:] = self.texture_coordinates
        return rows


class Proxy:
    """A mesh that follows the base mesh: eyes, teeth, brows, lashes, hair."""

    def __init__(self, mesh: Wavefront, fitting: ProxyFitting, name: str) -> None:
        """Checks that mesh and fitting belong together.

        Raises:
            UserError: their vertex counts differ.
        """
        if len(mesh.vertices) != len(fitting.vertices):
            raise UserError(
                f"proxy {name}: the mesh has {len(mesh.vertices)} vertices, its fitting {len(fitting.vertices)};"
                " restore both files from the same commit"
            )
        self.mesh = RenderMesh(mesh, np.ones(len(mesh.faces), bool), smooth=False)
        self._fitting = fitting
        self._weights = fitting.weights.astype(np.float32)[..., None]

    def fit(self, base: Points) -> Points:
        """Returns the proxy's [N, 3] positions for base positions [V, 3]."""
        fitting = self._fitting
        position = (base[fitting.vertices] * self._weights).sum(axis=1)
        scale = np.ones(3, np.float32)
        for axis, (start, end, reference) in fitting.scales.items():
            scale[axis] = abs(base[start, axis] - base[end, axis]) / reference
        return (position + fitting.offsets * scale).astype(np.float32)

    def buffer(self, base: Points) -> Points:
        """Returns the vertex buffer [N, 8] for base positions [V, 3]."""
        return self.mesh.buffer(self.fit(base))
