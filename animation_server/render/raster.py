"""Drawing textured triangles into a picture.

Pictures and textures are (H, W) uint32, one premultiplied RGBA pixel each, red in the lowest byte: the
memory of an (H, W, 4) uint8 array. Two channels are interpolated by one multiplication.

A pixel belongs to a triangle when its centre does, by the same arithmetic on the shared edge of
neighbours, so a mesh leaves no gap and covers no pixel twice. The figure's own edge is smooth because it
lies within the triangles, as the texture's alpha.
"""

from __future__ import annotations

import sys

import numpy as np
from numba import njit
from numpy.typing import NDArray

if sys.byteorder != "little":
    raise ImportError("pictures are packed for little-endian machines")

_FIXED = 20
"""Binary places of texture coordinates while a row is drawn."""

_EVEN = 0x00FF00FF
_ROUND = 0x00800080


def pack(rgba: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """(H, W, 4) uint8 to (H, W) uint32 without copying, if it is contiguous."""
    packed: NDArray[np.uint32] = np.ascontiguousarray(rgba).view(np.uint32)[..., 0]
    return packed


def unpack(picture: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """(H, W) uint32 to (H, W, 4) uint8 without copying, if it is contiguous."""
    return np.ascontiguousarray(picture)[..., None].view(np.uint8)


@njit(nogil=True, cache=True, inline="always")
def _mix(a: int, b: int, share: int) -> int:
    """Two pixels, `share` of 256 parts of the second."""
    even = ((a & _EVEN) * (256 - share) + (b & _EVEN) * share + _ROUND) >> 8
    odd = ((a >> 8) & _EVEN) * (256 - share) + ((b >> 8) & _EVEN) * share + _ROUND
    return (even & _EVEN) | (odd & (_EVEN << 8))


@njit(nogil=True, cache=True, inline="always")
def _sample(texels: NDArray[np.uint32], width: int, u: int, v: int) -> int:
    """Bilinear; u, v in fixed point, texel centres at whole numbers; they must lie in the texture."""
    # unsigned, so that no time goes into asking whether indices count from the end
    above = np.uintp((v >> _FIXED) * width + (u >> _FIXED))
    below = above + np.uintp(width)
    a, b = int(texels[above]), int(texels[above + np.uintp(1)])
    c, d = int(texels[below]), int(texels[below + np.uintp(1)])
    if a == b and a == c and a == d:  # most of a drawing is flat
        return a
    u_share, v_share = (u >> (_FIXED - 8)) & 255, (v >> (_FIXED - 8)) & 255
    return _mix(_mix(a, b, u_share), _mix(c, d, u_share), v_share)


@njit(nogil=True, cache=True, inline="always")
def _span(start: float, step: float, n_steps: int, size: int) -> tuple[int, int]:
    """A texture coordinate along a row in fixed point, start and step, that stays within the texture
    throughout.
    """
    limit = size - 1.001
    end = start + step * (n_steps - 1)
    if not (0.0 <= start <= limit and 0.0 <= end <= limit):  # a sliver: steps are wild, and rounding tells
        start, step = min(max(start, 0.0), limit), 0.0
    return int(start * (1 << _FIXED)), int(step * (1 << _FIXED))


@njit(nogil=True, cache=True, inline="always")
def _over(below: int, above: int) -> int:
    """Premultiplied alpha-over."""
    alpha = above >> 24
    keep = 256 - alpha - (alpha >> 7)
    even = (((below & _EVEN) * keep + _ROUND) >> 8) & _EVEN
    odd = (((below >> 8) & _EVEN) * keep + _ROUND) & (_EVEN << 8)
    return above + (even | odd)


@njit(nogil=True, cache=True, inline="always")
def _edge_x(x_top: float, y_top: float, x_bottom: float, y_bottom: float, y: float) -> float:
    return x_top + (y - y_top) * ((x_bottom - x_top) / (y_bottom - y_top))


@njit(nogil=True, cache=True)
def draw_triangle(
    picture: NDArray[np.uint32],
    texture: NDArray[np.uint32],
    corners: NDArray[np.float64],
    texels: NDArray[np.float64],
) -> None:
    """Draw one triangle over a picture.

    corners : (3, 2) x, y in the picture, pixel centres at halves; any winding.
    texels : (3, 2) x, y of the corners in the texture, texel centres at whole numbers; from 0.5 up to 1.5
    less than its size.
    """
    i, j, k = 0, 1, 2  # by height, topmost first
    if corners[j, 1] < corners[i, 1]:
        i, j = j, i
    if corners[k, 1] < corners[i, 1]:
        i, k = k, i
    if corners[k, 1] < corners[j, 1]:
        j, k = k, j
    x0, y0 = corners[i, 0], corners[i, 1]
    x1, y1 = corners[j, 0], corners[j, 1]
    x2, y2 = corners[k, 0], corners[k, 1]
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    if not (np.abs(area) > 1e-9 and np.abs(area) < 1e12):  # nothing to see, or not a number
        return
    u1, v1 = texels[j, 0] - texels[i, 0], texels[j, 1] - texels[i, 1]
    u2, v2 = texels[k, 0] - texels[i, 0], texels[k, 1] - texels[i, 1]
    u_x, u_y = (u1 * (y2 - y0) - u2 * (y1 - y0)) / area, (u2 * (x1 - x0) - u1 * (x2 - x0)) / area
    v_x, v_y = (v1 * (y2 - y0) - v2 * (y1 - y0)) / area, (v2 * (x1 - x0) - v1 * (x2 - x0)) / area
    height, width = picture.shape
    flat = texture.ravel()
    for row in range(max(0, int(np.ceil(y0 - 0.5))), min(height, int(np.ceil(y2 - 0.5)))):
        y = row + 0.5
        x_a = _edge_x(x0, y0, x2, y2, y)
        x_b = _edge_x(x0, y0, x1, y1, y) if y < y1 else _edge_x(x1, y1, x2, y2, y)
        first = max(0, int(np.ceil(min(x_a, x_b) - 0.5)))
        last = min(width, int(np.ceil(max(x_a, x_b) - 0.5)))
        u_row = texels[i, 0] + u_y * (y - y0) + u_x * (0.5 - x0)
        v_row = texels[i, 1] + v_y * (y - y0) + v_x * (0.5 - x0)
        u, u_step = _span(u_row + u_x * first, u_x, last - first, texture.shape[1])
        v, v_step = _span(v_row + v_x * first, v_x, last - first, texture.shape[0])
        for column in range(first, last):
            pixel = _sample(flat, texture.shape[1], u, v)
            u += u_step
            v += v_step
            alpha = pixel >> 24
            if alpha == 255:
                picture[row, column] = pixel
            elif alpha > 0:
                picture[row, column] = _over(int(picture[row, column]), pixel)


@njit(nogil=True, cache=True)
def draw_mesh(
    picture: NDArray[np.uint32],
    texture: NDArray[np.uint32],
    vertices: NDArray[np.float64],
    texels: NDArray[np.float64],
    triangles: NDArray[np.int64],
    part_starts: NDArray[np.int64],
    part_order: NDArray[np.int64],
) -> None:
    """Draw a mesh part by part, back to front.

    vertices : (V, 2) x, y in the picture. texels : (V, 2) x, y in the texture, bounded as for draw_triangle.
    triangles : (T, 3), those of part p in rows part_starts[p] to part_starts[p + 1].
    part_order : parts from back to front.
    """
    corners, corner_texels = np.zeros((3, 2)), np.zeros((3, 2))
    for part in part_order:
        for triangle in range(part_starts[part], part_starts[part + 1]):
            for corner in range(3):
                vertex = triangles[triangle, corner]
                corners[corner, 0], corners[corner, 1] = vertices[vertex, 0], vertices[vertex, 1]
                corner_texels[corner, 0], corner_texels[corner, 1] = texels[vertex, 0], texels[vertex, 1]
            draw_triangle(picture, texture, corners, corner_texels)
