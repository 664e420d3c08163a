"""Mending a figure's mask before it is meshed: holes, gaps and islands. Masks are (H, W) uint8, 0 or 1."""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

_MAX_ISLANDS = 24
"""More pieces than this are specks: joining them would cost time and show nothing."""

_MIN_ISLAND_SHARE = 2e-4
"""Islands smaller than this share of the figure are specks."""


def fill_small_holes(mask: NDArray[np.uint8], max_area: int) -> NDArray[np.uint8]:
    """Fill background pieces of at most `max_area` pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] <= max_area
    small[0] = False
    return np.where(small[labels], np.uint8(1), mask)


def grow_keeping_gaps(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grow by one pixel all round, but never across a gap or into a hole until it closes.

    Nothing is added within gaps of one or two pixels, and elsewhere only simple points, that is pixels whose
    adding joins nothing and closes nothing: their connectivity number is one (Yokoi, Toriwaki and Fukumura,
    "An Analysis of Topological Properties of Digitized Binary Pictures Using Local Features", 1975; figure
    8-connected, background 4-connected).
    """
    grown = mask.copy()
    border = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > mask
    border[:2] = border[-2:] = border[:, :2] = border[:, -2:] = False
    _add_simple_points(mask, grown, np.argwhere(border))
    return grown


@njit(nogil=True, cache=True)
def _add_simple_points(
    mask: NDArray[np.uint8], grown: NDArray[np.uint8], candidates: NDArray[np.int64]
) -> None:
    """Add to `grown` those candidates, two pixels or more from the border, that keep gaps and topology."""
    # the neighbours in circular order, the first repeated at the end; even places are the 4-neighbours
    d_row = (0, -1, -1, -1, 0, 1, 1, 1, 0)
    d_column = (1, 1, 0, -1, -1, -1, 0, 1, 1)
    for index in range(len(candidates)):
        row, column = candidates[index]
        # filling a gap that is open at an end joins nothing, pixel by pixel: see whether both sides are near
        in_gap = False
        for k in range(8):
            here = mask[row + d_row[k], column + d_column[k]]
            across = mask[row - d_row[k], column - d_column[k]]
            beyond = mask[row - 2 * d_row[k], column - 2 * d_column[k]]
            in_gap |= here == 1 and (across == 1 or beyond == 1)
        number = 0
        for k in range(0, 8, 2):
            here = 1 - grown[row + d_row[k], column + d_column[k]]
            corner = 1 - grown[row + d_row[k + 1], column + d_column[k + 1]]
            after = 1 - grown[row + d_row[k + 2], column + d_column[k + 2]]
            number += here - here * corner * after
        if number == 1 and not in_gap:
            grown[row, column] = 1


def join_islands(
    mask: NDArray[np.uint8], points: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Make one piece of the figure, reaching given points too, by bridges three pixels wide over the
    shortest gaps.

    mask : at least one pixel set. points : (P, 2) x, y in pixels, within the picture.
    Returns the joined mask and what was done, one sentence each. Specks are left out.
    """
    mask = mask.copy()
    notes: list[str] = []
    n_pieces, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    area = stats[1:, cv2.CC_STAT_AREA]
    kept = np.zeros(n_pieces, dtype=bool)
    largest = np.argsort(-area, kind="stable")[:_MAX_ISLANDS]
    kept[1 + largest] = area[largest] >= max(1.0, _MIN_ISLAND_SHARE * area.sum())
    if n_pieces - 1 > kept.sum():
        notes.append(f"{n_pieces - 1 - int(kept.sum())} speck(s) were left out.")
    if kept.sum() > 1:
        notes.append(f"{int(kept.sum()) - 1} island(s) were joined to the figure.")
    mask[~kept[labels]] = 0

    at = np.rint(points).astype(np.int64)
    outside = at[mask[at[:, 1], at[:, 0]] == 0]
    if len(outside):
        notes.append(f"{len(outside)} joint(s) outside the figure were reached by a bridge.")
    for x, y in outside:
        mask[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] = 1
    _bridge(mask)
    return mask, tuple(notes)


def _bridge(mask: NDArray[np.uint8]) -> None:
    """Join all pieces to the largest, nearest first, in place."""
    n_pieces, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    joined = np.zeros(n_pieces, dtype=bool)
    joined[0] = True  # the background takes no part
    joined[1 + stats[1:, cv2.CC_STAT_AREA].argmax()] = True
    while not joined.all():
        tree = joined[labels] & (labels > 0)
        distance, nearest = cv2.distanceTransformWithLabels(
            (~tree).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        rows, columns = np.nonzero(~joined[labels])
        closest = distance[rows, columns].argmin()
        start = rows[closest], columns[closest]
        end_rows, end_columns = np.nonzero(tree & (nearest == nearest[start]))
        cv2.line(mask, (int(start[1]), int(start[0])), (int(end_columns[0]), int(end_rows[0])), 1, 3)
        joined[labels[start]] = True
