"""The triangle mesh that carries a figure, built from its mask.

Outline points follow the mask's contours, closer together where the figure is thin, and a hexagonal lattice
fills the inside. Their Delaunay triangulation is made to contain every outline edge, the triangles outside
are dropped, and the outline is then moved outwards a little, so that the figure's edge is cut by its soft
mask and not by triangles.

Image frame: x (column), y (row, down), a pixel's centre at whole numbers. Rig frame: x = column / dim,
y = (height - row) / dim with dim the larger side, for joints and mesh alike. (AnimatedDrawings' mesh sits one
pixel lower than its joints.)
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import Delaunay, QhullError

from animation_server.rig.mesh_glue import edge_keys, glue_together
from animation_server.rig.working_mask import WorkingMask

_INNER_VERTICES = 320
"""About how many lattice points fill a figure."""

_SPACING_RANGE = (6.0, 14.0)
"""Bounds of the lattice spacing, working pixels."""

_MIN_OUTLINE_SPACING = 2.5
_OUTLINE_PER_WIDTH = 0.7
"""Outline spacing as a share of the local width of the figure: about as many rungs as a ladder needs."""

_OUTLINE_TOLERANCE = 0.9
"""How far the mask may reach beyond the outline, working pixels; less than it is moved outwards by."""

_MARGIN = 1.5
"""How far the outline is moved outwards, working pixels: past the soft edge of the mask."""

_CONFORMING_ROUNDS = 6


@dataclass(frozen=True)
class Mesh:
    """A figure's rest mesh.

    vertices : (V, 2) float64, rig frame.
    triangles : (T, 3) int64, counter-clockwise in the rig frame.
    glue : (G, 3) int64, triangles that are not drawn but hold pieces together that meet in a mere vertex, or
    nowhere. With them the mesh is in one piece.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    glue: NDArray[np.int64]


def px_to_rig(points_px: ArrayLike, height: int, width: int) -> NDArray[np.float64]:
    """Image points (..., 2) x, y in texture pixels to the rig frame."""
    points = np.asarray(points_px, dtype=np.float64)
    return (points * [1.0, -1.0] + [0.0, height]) / max(height, width)


def rig_to_px(points_rig: ArrayLike, height: int, width: int) -> NDArray[np.float64]:
    """Rig points (..., 2) to x, y in texture pixels."""
    points = np.asarray(points_rig, dtype=np.float64) * max(height, width)
    return (points - [0.0, height]) * [1.0, -1.0]


def build_mesh(working: WorkingMask) -> Mesh:
    """Mesh a figure. Some 400 to 800 vertices, whatever the size of its texture; at most 3000."""
    points, triangles = _triangulate(working.pixels)
    vertices = px_to_rig(working.to_texture(points), working.height, working.width)
    triangles = np.ascontiguousarray(triangles[:, ::-1])  # y turns over, and with it the winding
    return Mesh(vertices, triangles, glue_together(vertices, triangles))


def _triangulate(working: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vertices (V, 2) in working pixels and triangles (T, 3) of one winding."""
    area = float(working.sum())
    lattice_spacing = float(np.clip(np.sqrt(area / (0.866 * _INNER_VERTICES)), *_SPACING_RANGE))
    contours = _contours(working, lattice_spacing)
    inner = _lattice(working, lattice_spacing)
    for _ in range(_CONFORMING_ROUNDS):
        points, loops = _merge(contours)
        points = np.concatenate((points, inner))
        triangles = _delaunay(points)
        missing = _missing_edges(triangles, loops, len(points))
        if not any(flags.any() for flags in missing):
            break
        contours = [_split(contour, flags) for contour, flags in zip(contours, missing, strict=True)]
    triangles = triangles[_is_inside(points[triangles], contours, working.shape)]
    if not len(triangles):  # an outline without an inside, such as a crack may leave of a speck
        return _rectangle(working)
    points = _push_out(points, triangles)
    used, triangles = np.unique(triangles, return_inverse=True)
    return points[used], triangles.reshape(-1, 3)


def _contours(working: NDArray[np.uint8], largest_spacing: float) -> list[NDArray[np.float64]]:
    """Closed outlines (n, 2) x, y, resampled; the outer ones and those of holes wind opposite ways."""
    found, _ = cv2.findContours(working, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    chains = [chain[:, 0].astype(np.float64) for chain in found if len(chain) >= 3]
    return [
        chain[_refine(chain, _pick(chain, _spacing(chain, working, largest_spacing)))] for chain in chains
    ]


def _spacing(chain: NDArray[np.float64], working: NDArray[np.uint8], largest: float) -> NDArray[np.float64]:
    """Wanted distance (n) between outline points, from the figure's width across each."""
    tangent = np.roll(chain, -3, axis=0) - np.roll(chain, 3, axis=0)
    normal = np.stack((tangent[:, 1], -tangent[:, 0]), axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    steps = np.arange(2, int(largest / _OUTLINE_PER_WIDTH) + 2)
    widths = []
    for side in (normal, -normal):
        across = np.rint(chain[:, None] + steps[:, None] * side[:, None]).astype(np.int64)
        x, y = across[..., 0].clip(0, working.shape[1] - 1), across[..., 1].clip(0, working.shape[0] - 1)
        is_out = working[y, x] == 0
        widths.append(np.where(is_out.any(1), steps[is_out.argmax(1)], steps[-1] + 1))
    # contours wind so that one and the same side is inside; the other mostly leaves the figure at once
    width = max(widths, key=np.mean)
    wanted = np.clip(_OUTLINE_PER_WIDTH * width, _MIN_OUTLINE_SPACING, largest)
    # fine places spread to their surroundings, so that neighbouring triangles differ little
    reach = max(1, int(largest / 2))
    padded = np.concatenate((wanted[-reach:], wanted, wanted[:reach])) if len(wanted) > reach else wanted
    graded = np.lib.stride_tricks.sliding_window_view(padded, len(padded) - len(wanted) + 1).min(axis=1)
    return np.asarray(graded, dtype=np.float64)


def _pick(chain: NDArray[np.float64], spacing: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices, ascending, of points along a closed chain whose distance follows `spacing`; at least three."""
    step = np.linalg.norm(np.roll(chain, -1, axis=0) - chain, axis=1)
    along = np.cumsum(step / spacing)
    n_points = max(3, round(along[-1]))
    wanted = np.arange(n_points) * (along[-1] / n_points)
    return np.unique(np.searchsorted(along, wanted).clip(0, len(chain) - 1))


def _refine(chain: NDArray[np.float64], picked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add the farthest point of every stretch that leaves its chord by more than the tolerance, some times
    over.
    """
    n_points = len(chain)
    for _ in range(4):
        start = np.searchsorted(picked, np.arange(n_points), side="right") - 1  # -1 wraps to the last stretch
        a, b = chain[picked[start]], chain[picked[(start + 1) % len(picked)]]
        chord, offset = b - a, chain - a
        along = (offset * chord).sum(1) / np.maximum((chord**2).sum(1), 1e-9)
        distance = np.linalg.norm(offset - along.clip(0, 1)[:, None] * chord, axis=1)
        order = np.lexsort((distance, start % len(picked)))
        is_farthest = np.append(np.diff(start[order] % len(picked)) != 0, True)
        farthest = order[is_farthest]
        added = farthest[distance[farthest] > _OUTLINE_TOLERANCE]
        if not len(added):
            break
        picked = np.union1d(picked, added)
    return picked


def _lattice(working: NDArray[np.uint8], spacing: float) -> NDArray[np.float64]:
    """Hexagonal lattice points (n, 2) x, y well inside the figure."""
    depth = cv2.distanceTransform(working, cv2.DIST_L2, 5)
    height, width = working.shape
    rows = np.arange(spacing / 2, height - 1, spacing * np.sqrt(3) / 2)
    columns = np.arange(spacing / 2, width - 1, spacing)
    x = columns[None] + np.where(np.arange(len(rows)) % 2, spacing / 2, 0.0)[:, None]
    points = np.stack((x, np.broadcast_to(rows[:, None], x.shape)), axis=-1).reshape(-1, 2)
    points = points[points[:, 0] < width - 1]
    at = np.rint(points).astype(np.int64)
    return points[depth[at[:, 1], at[:, 0]] > 0.65 * spacing]


def _merge(
    contours: list[NDArray[np.float64]],
) -> tuple[NDArray[np.float64], list[NDArray[np.int64]]]:
    """Distinct outline points (n, 2) and each contour as indices into them; contours may touch themselves."""
    points, index = np.unique(np.concatenate(contours).round(6), axis=0, return_inverse=True)
    ends = np.cumsum([len(contour) for contour in contours])[:-1]
    return points, np.split(index.ravel(), ends)


def _delaunay(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Delaunay triangles (T, 3) counter-clockwise in the points' frame, without those of no area."""
    try:
        triangles = Delaunay(points).simplices.astype(np.int64)
    except QhullError:  # all points on one line
        return np.zeros((0, 3), dtype=np.int64)
    area = _signed_area(points[triangles])
    triangles[area < 0] = triangles[area < 0][:, ::-1]
    return triangles[np.abs(area) > 1e-6]


def _signed_area(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    ab, ac = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return (ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]) / 2


def _missing_edges(
    triangles: NDArray[np.int64], loops: list[NDArray[np.int64]], n_points: int
) -> list[NDArray[np.bool_]]:
    """For each loop, which of its edges (from point k to k + 1) the triangulation lacks."""
    present = np.unique(edge_keys(triangles.ravel(), np.roll(triangles, -1, axis=1).ravel(), n_points))
    starts = np.concatenate(loops)
    following = np.concatenate([np.roll(loop, -1) for loop in loops])
    missing = ~np.isin(edge_keys(starts, following, n_points), present) & (starts != following)
    return np.split(missing, np.cumsum([len(loop) for loop in loops])[:-1])


def _split(contour: NDArray[np.float64], flags: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Insert the middle of every flagged edge."""
    middles = (contour + np.roll(contour, -1, axis=0)) / 2
    return np.insert(contour, np.flatnonzero(flags) + 1, middles[flags], axis=0)


def _is_inside(
    corners: NDArray[np.float64], contours: list[NDArray[np.float64]], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Which triangles' (T, 3, 2) centroids lie within the contours (even-odd)."""
    oversampling, shift = 4, 4
    canvas = np.zeros((shape[0] * oversampling, shape[1] * oversampling), np.uint8)
    loops = [np.rint(contour * oversampling * 2**shift).astype(np.int32) for contour in contours]
    cv2.fillPoly(canvas, loops, 1, shift=shift)
    at = np.rint(corners.mean(axis=1) * oversampling).astype(np.int64)
    return canvas[at[:, 1], at[:, 0]] > 0


def _push_out(points: NDArray[np.float64], triangles: NDArray[np.int64]) -> NDArray[np.float64]:
    """Move the outline outwards by the margin, except where a triangle would turn over."""
    a, b = triangles[:, [0, 1, 2]].ravel(), triangles[:, [1, 2, 0]].ravel()
    _, index, count = np.unique(edge_keys(a, b, len(points)), return_inverse=True, return_counts=True)
    on_outline = count[index] == 1
    a, b = a[on_outline], b[on_outline]
    along = points[b] - points[a]
    # triangles are counter-clockwise in a y-up reading: the outside is to the right of their edges
    outward = np.stack((along[:, 1], -along[:, 0]), axis=1)
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    normal = np.zeros_like(points)
    np.add.at(normal, a, outward)
    np.add.at(normal, b, outward)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    # mitred, so that edges move by the margin, not corners; sharp tips move twice as far at most
    shift = _MARGIN * normal / np.maximum(length, 1e-9) * np.minimum(2.0 / np.maximum(length, 1.0), 2.0)
    for _ in range(4):
        moved = points + shift
        turned = _signed_area(moved[triangles]) <= 0.05 * _signed_area(points[triangles])
        if not turned.any():
            return moved
        shift[triangles[turned].ravel()] *= 0.3
    return points


def _rectangle(working: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Two triangles around all pixels."""
    rows, columns = np.nonzero(working)
    left, right = columns.min() - _MARGIN, columns.max() + _MARGIN
    top, bottom = rows.min() - _MARGIN, rows.max() + _MARGIN
    points = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    return points, np.array([[0, 1, 2], [0, 2, 3]])
