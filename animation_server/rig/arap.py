"""As-rigid-as-possible deformation of a planar mesh, for all frames of a clip at once.

Takeo Igarashi and Yuki Igarashi, "Implementing As-Rigid-As-Possible Shape Manipulation and Surface
Flattening", Journal of Graphics, GPU and Game Tools 14(1), 2009. Two least-squares steps:

1. Edges keep their shape up to a similarity of the plane, fitted to the vertices around the edge.
2. Each edge's similarity is normalised to a rotation, and the vertices are fitted to the rotated edges.

A point (x, y) is handled as the complex number x + iy, of which a similarity is a complex multiple: the
2V real unknowns of step one become V complex ones. With fixed handles step one is linear in the handles, so
the edges' similarities of every frame are one matrix product, and step two is one sparse solve with all
frames as right-hand sides. Nothing is factorised per frame.

Letters: V vertices, T triangles, E edges, H handles, N frames.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu

HANDLE_WEIGHT = 1000.0
"""Weight of a handle against an edge; that of AnimatedDrawings, so that results can be compared."""

_INSIDE_TOLERANCE = 1e-9
"""Barycentric weights down to minus this count as inside; covers rounding on shared edges."""


class ArapSolver:
    """Factorised solver for one rest mesh and one set of handles.

    rest_vertices : (V, 2) float64, any planar frame.
    triangles : (T, 3) integer vertex indices.
    handles : (H, 2) float64 rest positions, same frame. One outside the mesh is ignored, as `pinned` tells.

    A vertex that no triangle uses comes back as NaN. A mesh that fewer than two different handles hold could
    turn freely; it is moved by the handles' mean displacement instead.
    """

    pinned: NDArray[np.bool_]

    def __init__(self, rest_vertices: ArrayLike, triangles: ArrayLike, handles: ArrayLike) -> None:
        self._rest = _as_points(rest_vertices, "rest_vertices")
        self._handles = _as_points(handles, "handles")
        tri = _as_triangles(triangles, len(self._rest))
        self._used = np.unique(tri)
        self.pinned = np.zeros(len(self._handles), dtype=bool)
        compact = np.searchsorted(self._used, tri)
        z = _to_complex(self._rest[self._used])
        pins, self.pinned = _barycentric_rows(self._rest[self._used], compact, self._handles)
        self._is_held = len(np.unique(self._handles[self.pinned].round(12), axis=0)) >= 2
        if self._is_held:
            self._factorise(z, compact, pins)

    def _factorise(
        self, z: NDArray[np.complex128], triangles: NDArray[np.int64], pins: sparse.csr_array[np.float64]
    ) -> None:
        i, j, neighbours = _edges(triangles, len(z))
        n_edges, n_vertices = len(i), len(z)
        rows = np.arange(n_edges)
        difference = sparse.csr_array(
            (np.repeat([1.0, -1.0], n_edges), (np.tile(rows, 2), np.concatenate((j, i)))),
            shape=(n_edges, n_vertices),
        )
        self._edge_vectors = z[j] - z[i]
        similarity = _similarity_rows(z, i, j, neighbours)
        residual = difference - sparse.diags_array(self._edge_vectors) @ similarity

        weighted_pins = HANDLE_WEIGHT**2 * pins.T.tocsc()
        holding = (weighted_pins @ pins).tocsc()
        step_one = _factor(residual.conj().T @ residual + holding)
        moved = step_one.solve(weighted_pins.toarray().astype(np.complex128))
        self._handles_to_similarities = np.asarray(similarity @ moved)  # (E, H pinned)

        step_two = _factor(difference.T @ difference + holding)
        lower, upper = (sparse.csc_array(half).sorted_indices() for half in (step_two.L, step_two.U))
        pin_rows = weighted_pins.tocsr().sorted_indices()
        self._plan = (
            np.ascontiguousarray(self._edge_vectors),
            np.ascontiguousarray(i),
            np.ascontiguousarray(j),
            (pin_rows.indptr, pin_rows.indices, pin_rows.data),
            (lower.indptr, lower.indices, lower.data),
            (upper.indptr, upper.indices, upper.data),
            np.argsort(step_two.perm_r),
            # Copied: a view would keep the factors alive, and SuperLU frees its memory only where the thread
            # that lets go of it is the one that made it.
            np.array(step_two.perm_c),
        )

    def solve(self, handles: ArrayLike) -> NDArray[np.float64]:
        """Deform the rest mesh so that handle h of frame n lands on handles[n, h].

        handles : (N, H, 2) or (H, 2) float64, the frame of the rest mesh.
        Returns (N, V, 2) or (V, 2) float64. Raises ValueError on a wrong shape.
        """
        targets = np.asarray(handles, dtype=np.float64)
        if targets.shape[-2:] != self._handles.shape or targets.ndim not in (2, 3):
            want = f"(N, {len(self._handles)}, 2) or ({len(self._handles)}, 2)"
            raise ValueError(f"handles: want {want}, got {targets.shape}")
        batch = targets.reshape(-1, *self._handles.shape)
        out = np.full((len(batch), *self._rest.shape), np.nan)
        if self._is_held:
            out[:, self._used] = self._solve_held(_to_complex(batch[:, self.pinned]))
        else:
            held = self.pinned if self.pinned.any() else np.ones_like(self.pinned)
            shift = (batch - self._handles)[:, held].mean(axis=1) if held.any() else np.zeros((len(batch), 2))
            out[:, self._used] = self._rest[self._used] + shift[:, None]
        return out.reshape(*targets.shape[:-2], *self._rest.shape)

    def _solve_held(self, targets: NDArray[np.complex128]) -> NDArray[np.float64]:
        """(N, H pinned) complex handles to (N, V used, 2) vertices."""
        solved = _solve_frames(self._handles_to_similarities, np.ascontiguousarray(targets.T), *self._plan)
        return solved.view(np.float64).reshape(*solved.shape, 2).transpose(1, 0, 2)


_Sparse = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]
"""Index pointers, indices and values of a compressed sparse matrix."""


@njit(nogil=True, cache=True)
def _solve_frames(  # noqa: C901 -- one pass after the other, each a plain nest of loops
    handles_to_similarities: NDArray[np.complex128],
    targets: NDArray[np.complex128],
    edge_vectors: NDArray[np.complex128],
    edge_starts: NDArray[np.int64],
    edge_ends: NDArray[np.int64],
    pin_rows: _Sparse,
    lower: _Sparse,
    upper: _Sparse,
    row_order: NDArray[np.int64],
    column_order: NDArray[np.int64],
) -> NDArray[np.complex128]:
    """(H, N) handles to (V, N) vertices: rotate the edges, then solve for the vertices.

    Compiled rather than left to BLAS: the products are small, so BLAS's threads cost more than they give,
    and its results may depend on how many frames are asked for. Here each frame's numbers are its own to
    the last bit.
    """
    n_handles, n_frames = targets.shape
    n_vertices = len(row_order)
    rhs = np.zeros((n_vertices, n_frames), np.complex128)
    rotated = np.zeros(n_frames, np.complex128)
    for edge in range(len(edge_vectors)):
        rotated[:] = 0.0
        for handle in range(n_handles):
            factor = handles_to_similarities[edge, handle]
            for frame in range(n_frames):
                rotated[frame] += factor * targets[handle, frame]
        for frame in range(n_frames):
            size = np.sqrt(rotated[frame].real ** 2 + rotated[frame].imag ** 2)
            # a similarity that shrinks an edge to nothing has no rotation; such an edge is left unturned
            turn = rotated[frame] / size if size > 1e-12 else 1.0 + 0.0j
            vector = turn * edge_vectors[edge]
            rhs[edge_ends[edge], frame] += vector
            rhs[edge_starts[edge], frame] -= vector
    starts, columns, values = pin_rows
    for vertex in range(n_vertices):
        for k in range(starts[vertex], starts[vertex + 1]):
            for frame in range(n_frames):
                rhs[vertex, frame] += values[k] * targets[columns[k], frame]
    # P_r A P_c = L U, so x = P_c U^-1 L^-1 P_r b
    solved = rhs[row_order]
    starts, rows, values = lower
    for column in range(n_vertices):
        for k in range(starts[column] + 1, starts[column + 1]):  # the first entry is the unit diagonal
            for frame in range(n_frames):
                solved[rows[k], frame] -= values[k] * solved[column, frame]
    starts, rows, values = upper
    for column in range(n_vertices - 1, -1, -1):
        last = starts[column + 1] - 1  # the diagonal
        for frame in range(n_frames):
            solved[column, frame] /= values[last]
        for k in range(starts[column], last):
            for frame in range(n_frames):
                solved[rows[k], frame] -= values[k] * solved[column, frame]
    return solved[column_order]


def _to_complex(points: NDArray[np.float64]) -> NDArray[np.complex128]:
    return np.ascontiguousarray(points).view(np.complex128)[..., 0]


def _as_points(values: ArrayLike, name: str) -> NDArray[np.float64]:
    points = np.array(values, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"{name}: want (n, 2), got {points.shape}")
    return points


def _as_triangles(values: ArrayLike, n_vertices: int) -> NDArray[np.int64]:
    triangles = np.asarray(values, dtype=np.int64)
    if triangles.ndim != 2 or triangles.shape[1] != 3:
        raise ValueError(f"triangles: want (n, 3), got {triangles.shape}")
    if triangles.size and not (triangles.min() >= 0 and triangles.max() < n_vertices):
        raise ValueError(f"triangles: want vertex indices below {n_vertices}, got {triangles.max()}")
    return triangles


def _edges(
    triangles: NDArray[np.int64], n_vertices: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], sparse.csr_array[np.bool_]]:
    """Unique edges of a mesh: lower ends (E), higher ends (E), and the common neighbours of both (E, V)."""
    a, b = triangles[:, [0, 1, 2]].ravel(), triangles[:, [1, 2, 0]].ravel()
    linked = np.ones(2 * len(a), dtype=bool)
    adjacency = sparse.csr_array(
        (linked, (np.concatenate((a, b)), np.concatenate((b, a)))), shape=(n_vertices, n_vertices)
    )
    i, j = sparse.triu(adjacency, k=1).nonzero()
    return i.astype(np.int64), j.astype(np.int64), adjacency[i].multiply(adjacency[j]).tocsr()


def _similarity_rows(
    z: NDArray[np.complex128],
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    neighbours: sparse.csr_array[np.bool_],
) -> sparse.csr_array[np.complex128]:
    """(E, V) map from moved vertices to each edge's similarity: the complex a that minimises
    sum |a (z - z_i) - (z' - z_i')|^2 over the far end and the common neighbours of edge (i, j).

    Fitting offsets from one end, as AnimatedDrawings does, weighs the ends unevenly; it is kept so that its
    results are reproduced. Edges run from the lower vertex index to the higher.
    """
    n_edges = len(i)
    rows = np.arange(n_edges)
    neighbour_rows, neighbour_columns = neighbours.nonzero()
    rows, columns = np.concatenate((rows, neighbour_rows)), np.concatenate((j, neighbour_columns))
    offset = z[columns] - z[i[rows]]
    spread = np.bincount(rows, np.abs(offset) ** 2, minlength=n_edges)[rows]
    # coincident vertices have no spread; their similarity is left at zero and normalised to "unturned"
    values = np.divide(offset.conj(), spread, out=np.zeros_like(offset), where=spread > 0)
    rows, columns = np.concatenate((rows, rows)), np.concatenate((columns, i[rows]))
    return sparse.csr_array((np.concatenate((values, -values)), (rows, columns)), shape=(n_edges, len(z)))


def _barycentric_rows(
    vertices: NDArray[np.float64], triangles: NDArray[np.int64], points: NDArray[np.float64]
) -> tuple[sparse.csr_array[np.float64], NDArray[np.bool_]]:
    """Weights of the vertices at each point inside a triangle (H inside, V); which points are inside (H)."""
    weights = barycentric(vertices[triangles], points)  # (H, T, 3)
    worst = weights.min(axis=2) if len(triangles) else np.full((len(points), 1), -1.0)
    best = worst.argmax(axis=1)
    inside = worst[np.arange(len(points)), best] >= -_INSIDE_TOLERANCE
    n_inside = int(inside.sum())
    columns = triangles[best[inside]] if len(triangles) else np.zeros((0, 3), dtype=np.int64)
    values = weights[inside, best[inside]] if len(triangles) else np.zeros((0, 3))
    rows = np.repeat(np.arange(n_inside), 3)
    matrix = sparse.csr_array((values.ravel(), (rows, columns.ravel())), shape=(n_inside, len(vertices)))
    return matrix, inside


def barycentric(corners: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Barycentric weights of every point in every triangle.

    corners : (T, 3, 2) float64. points : (P, 2) float64, same frame.
    Returns (P, T, 3); -inf where a triangle has no area.
    """
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, ac = b - a, c - a
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    is_flat = np.abs(area) <= 1e-12 * ((ab**2).sum(axis=1) + (ac**2).sum(axis=1))
    area = np.where(is_flat, 1.0, area)
    ap = points[:, None] - a
    v = (ap[..., 0] * ac[:, 1] - ap[..., 1] * ac[:, 0]) / area
    w = (ab[:, 0] * ap[..., 1] - ab[:, 1] * ap[..., 0]) / area
    weights = np.stack((1.0 - v - w, v, w), axis=-1)
    weights[:, is_flat] = -np.inf
    return weights


def _factor(matrix: sparse.sparray) -> SuperLU:
    # the matrices are Hermitian and positive definite: order for that, and do not pivot
    return splu(
        sparse.csc_array(matrix),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
