"""Holding a mesh together for deformation where its triangles do not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree


def glue_together(vertices: NDArray[np.float64], triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """Triangles that make one stiff piece of a mesh.

    vertices : (V, 2) float64. triangles : (T, 3) int64.

    Two pieces that meet in a mere vertex could turn freely about it; pieces that do not meet could go
    anywhere. Returns (G, 3) int64, for most figures none.
    """
    return np.concatenate((_glue_fans(triangles, len(vertices)), _glue_pieces(vertices, triangles)))


def edge_keys(a: NDArray[np.int64], b: NDArray[np.int64], n_vertices: int) -> NDArray[np.int64]:
    """One number for each edge between vertices a and b, whichever way it runs."""
    return np.minimum(a, b) * n_vertices + np.maximum(a, b)


def _glue_fans(triangles: NDArray[np.int64], n_vertices: int) -> NDArray[np.int64]:
    """Triangles (G, 3) that join the fans around each vertex where there is more than one."""
    n_corners = triangles.size
    vertex = triangles.ravel()
    following = np.roll(triangles, -1, axis=1).ravel()
    corner = np.arange(n_corners)
    following_corner = np.roll(corner.reshape(-1, 3), -1, axis=1).ravel()
    # the two triangles on an edge share a corner at either end: they belong to one fan
    order = np.argsort(edge_keys(vertex, following, n_vertices), kind="stable")
    keys = edge_keys(vertex, following, n_vertices)[order]
    same = np.flatnonzero(keys[1:] == keys[:-1])
    first, second = order[same], order[same + 1]
    # corners at the start of one half-edge and at the end of its twin, which runs the other way
    links = (
        np.concatenate((first, following_corner[first])),
        np.concatenate((following_corner[second], second)),
    )
    graph = coo_array((np.ones(len(links[0]), dtype=bool), links), shape=(n_corners, n_corners))
    _, fan = connected_components(graph, directed=False)
    _, one_corner = np.unique(fan, return_index=True)
    one_corner = one_corner[np.argsort(vertex[one_corner], kind="stable")]
    split = np.flatnonzero(vertex[one_corner][1:] == vertex[one_corner][:-1])
    a, b = one_corner[split], one_corner[split + 1]
    return np.stack((vertex[a], following[a], following[b]), axis=1)


def _glue_pieces(vertices: NDArray[np.float64], triangles: NDArray[np.int64]) -> NDArray[np.int64]:
    """Triangles (G, 3) that join each piece of a mesh to the rest over the shortest way, two for each so that
    it cannot turn.
    """
    n_vertices = len(vertices)
    edges = np.concatenate((triangles[:, [0, 1]], triangles[:, [1, 2]]))
    graph = coo_array((np.ones(len(edges), dtype=bool), edges.T), shape=(n_vertices, n_vertices))
    n_pieces, piece = connected_components(graph, directed=False)
    neighbour = np.zeros(n_vertices, dtype=np.int64)
    neighbour[edges[:, 0]], neighbour[edges[:, 1]] = edges[:, 1], edges[:, 0]
    glue = np.zeros((0, 3), dtype=np.int64)
    for _ in range(n_pieces - 1):
        own, others = np.flatnonzero(piece == piece[0]), np.flatnonzero(piece != piece[0])
        distance, nearest = map(np.asarray, cKDTree(vertices[own]).query(vertices[others]))
        closest = int(distance.argmin())
        a, b = own[nearest[closest]], others[closest]
        glue = np.concatenate((glue, [[a, neighbour[a], b], [b, neighbour[b], a]]))
        piece[piece == piece[b]] = piece[0]
    return glue
