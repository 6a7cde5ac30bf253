"""Catmull-Clark subdivision as a sparse matrix (Catmull and Clark, 1978)."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Faces = NDArray[np.int64]


class _Topology:
    """Edges of a mesh of quads; degenerate edges (repeated corners) have index -1."""

    def __init__(self, faces: Faces) -> None:
        following = np.roll(faces, -1, axis=1)
        pairs = np.sort(np.stack([faces, following], axis=-1).reshape(-1, 2), axis=1)
        valid = pairs[:, 0] != pairs[:, 1]
        self.edges, inverse = np.unique(pairs[valid], axis=0, return_inverse=True)
        flat = np.full(len(pairs), -1, dtype=np.int64)
        flat[valid] = inverse.ravel()
        self.face_edges = flat.reshape(faces.shape)
        self.face_of_edge = np.repeat(np.arange(len(faces)), 4)[valid]
        self.edge_of_face = inverse.ravel()


def _average(columns: NDArray[np.int64], width: int) -> sp.csr_matrix:
    rows = np.repeat(np.arange(len(columns)), columns.shape[1])
    values = np.full(columns.size, 1.0 / columns.shape[1])
    return sp.csr_matrix((values, (rows, columns.ravel())), shape=(len(columns), width))


def _row_normalised(matrix: sp.csr_matrix) -> sp.csr_matrix:
    total = np.asarray(matrix.sum(axis=1)).ravel()
    return sp.diags(1.0 / np.where(total == 0, 1.0, total)) @ matrix


def _vertex_rule(
    faces: Faces, topology: _Topology, count: int, face_points: sp.csr_matrix, boundary: NDArray[np.bool_]
) -> sp.csr_matrix:
    edges = topology.edges
    ends = sp.csr_matrix(
        (np.ones(edges.size), (edges.ravel(), np.repeat(np.arange(len(edges)), 2))), shape=(count, len(edges))
    )
    around = sp.csr_matrix((np.ones(faces.size), (faces.ravel(), np.repeat(np.arange(len(faces)), 4))))
    around.resize((count, len(faces)))
    around.data[:] = 1.0
    midpoints = _average(edges, count)
    valence = np.maximum(np.asarray(ends.sum(axis=1)).ravel(), 1.0)
    border_ends = ends @ sp.diags(boundary.astype(float))
    on_border = np.asarray(border_ends.sum(axis=1)).ravel() > 0
    isolated = np.asarray(ends.sum(axis=1)).ravel() == 0
    inner = ~on_border & ~isolated
    rule = sp.diags(np.where(inner, 1 / valence, 0.0)) @ (_row_normalised(around) @ face_points)
    rule = rule + sp.diags(np.where(inner, 2 / valence, 0.0)) @ (_row_normalised(ends) @ midpoints)
    rule = rule + sp.diags(np.where(on_border, 0.5, 0.0)) @ (_row_normalised(border_ends.tocsr()) @ midpoints)
    return rule + sp.diags(np.where(inner, (valence - 3) / valence, np.where(on_border, 0.5, 1.0)))


def subdivide(faces: Faces, count: int, *, smooth: bool = True) -> tuple[sp.csr_matrix, Faces]:
    """Builds one level of subdivision.

    Args:
        faces: [F, 4] vertex indices; triangles repeat their last corner.
        count: number of vertices.
        smooth: Catmull-Clark; otherwise plain midpoints (for texture coordinates).

    Returns:
        A float32 matrix [count + edges + F, count] that maps old vertices to new ones, and the new quads [Q, 4].
    """
    topology = _Topology(faces)
    face_points = _average(faces, count)
    edge_points = _average(topology.edges, count)
    vertex_points: sp.spmatrix = sp.identity(count)
    if smooth:
        uses = np.bincount(topology.edge_of_face, minlength=len(topology.edges))
        boundary = uses != 2
        neighbours = sp.csr_matrix(
            (np.full(len(topology.edge_of_face), 0.25), (topology.edge_of_face, topology.face_of_edge)),
            shape=(len(topology.edges), len(faces)),
        )
        blend = sp.diags(np.where(boundary, 1.0, 0.5)) @ edge_points
        edge_points = blend + sp.diags(np.where(boundary, 0.0, 1.0)) @ (neighbours @ face_points)
        vertex_points = _vertex_rule(faces, topology, count, face_points, boundary)
    matrix = sp.vstack([vertex_points, edge_points, face_points]).tocsr().astype(np.float32)
    return matrix, _new_quads(faces, topology, count)


def _new_quads(faces: Faces, topology: _Topology, count: int) -> Faces:
    centre = count + len(topology.edges) + np.arange(len(faces))
    quads = []
    for corner in range(4):
        here = topology.face_edges[:, corner]
        before = topology.face_edges[:, corner - 1]
        earlier = topology.face_edges[:, corner - 2]
        before = np.where(before < 0, earlier, before)
        quad = np.stack([faces[:, corner], count + here, centre, count + before], axis=1)
        quads.append(quad[here >= 0])
    return np.concatenate(quads)
