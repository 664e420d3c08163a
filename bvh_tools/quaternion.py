"""Unit quaternions as arrays: (..., 4) float64, component order w, x, y, z, with any leading batch shape.

A quaternion rotates column vectors: `mul_vec(mul(a, b), v)` rotates by b first, then by a. Euler angles
are intrinsic, in the order their axes are named, as BVH channels are: "ZXY" means Rz @ Rx @ Ry.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_AXES = {"X": 0, "Y": 1, "Z": 2}
_GIMBAL_COS = 1e-8  # below this cosine of the middle angle, the outer two turn about one axis
_LERP_DOT = 1.0 - 1e-12  # above this cosine, slerp divides by a vanishing sine


def _batch(values: ArrayLike, size: int) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != size:
        raise ValueError(f"expected an array of shape (..., {size}), got {array.shape}")
    return array


def identity(*shape: int) -> Array:
    """Quaternions of shape (*shape, 4) that turn nothing."""
    q = np.zeros((*shape, 4))
    q[..., 0] = 1.0
    return q


def normalize(q: ArrayLike) -> Array:
    """Scale (..., 4) to unit length. A quaternion of length zero is refused."""
    q = _batch(q, 4)
    norm = np.linalg.norm(q, axis=-1, keepdims=True)
    if not np.all(norm > 0.0):
        raise ValueError("a quaternion of length zero is no rotation")
    unit: Array = q / norm
    return unit


def inverse(q: ArrayLike) -> Array:
    """Inverse of unit quaternions (..., 4): their conjugate."""
    conjugate: Array = _batch(q, 4) * np.array([1.0, -1.0, -1.0, -1.0])
    return conjugate


def mul(a: ArrayLike, b: ArrayLike) -> Array:
    """Hamilton product of (..., 4) and (..., 4): b is applied first."""
    a, b = _batch(a, 4), _batch(b, 4)
    aw, ax, ay, az = np.moveaxis(a, -1, 0)
    bw, bx, by, bz = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def mul_vec(q: ArrayLike, v: ArrayLike) -> Array:
    """Rotate vectors (..., 3) by unit quaternions (..., 4)."""
    q, v = _batch(q, 4), _batch(v, 3)
    t = 2.0 * np.cross(q[..., 1:], v)
    rotated: Array = v + q[..., :1] * t + np.cross(q[..., 1:], t)
    return rotated


def from_axis_angle(axis: ArrayLike, angle_rad: ArrayLike) -> Array:
    """Rotation by angles (...) in radians about unit axes (..., 3)."""
    half = np.asarray(angle_rad, dtype=np.float64)[..., None] / 2.0
    axis = _batch(axis, 3)
    return np.concatenate(
        [np.broadcast_to(np.cos(half), (*axis.shape[:-1], 1)), np.sin(half) * axis], axis=-1
    )


def from_euler(angles_deg: ArrayLike, order: str) -> Array:
    """Intrinsic Euler angles to quaternions.

    angles_deg : (..., K) degrees; column k turns about axis `order[k]`.
    order : K letters out of "XYZ", such as "ZXY"; fewer than three and repeated axes are fine.
    Returns (..., 4).
    """
    angles = _batch(angles_deg, len(order))
    q = identity(*angles.shape[:-1])
    for k, letter in enumerate(order):
        half = np.radians(angles[..., k]) / 2.0
        turn = np.zeros((*half.shape, 4))
        turn[..., 0] = np.cos(half)
        turn[..., 1 + _AXES[letter]] = np.sin(half)
        q = mul(q, turn)
    return q


def to_euler(q: ArrayLike, order: str) -> Array:
    """Intrinsic Euler angles of unit quaternions, the inverse of `from_euler`.

    q : (..., 4).  order : a permutation of "XYZ".
    Returns (..., 3) degrees, the middle one within +-90. In gimbal lock the last angle is 0.
    """
    if sorted(order) != ["X", "Y", "Z"]:
        raise ValueError(f"expected a rotation order with X, Y and Z once each, got {order!r}")
    m = to_matrix(q)
    i, j, k = (_AXES[letter] for letter in order)
    sign = 1.0 if order in {"XYZ", "YZX", "ZXY"} else -1.0
    cos_middle = np.hypot(m[..., i, i], m[..., i, j])
    locked = cos_middle < _GIMBAL_COS
    first = np.where(
        locked,
        np.arctan2(sign * m[..., k, j], m[..., j, j]),
        np.arctan2(-sign * m[..., j, k], m[..., k, k]),
    )
    middle = np.arctan2(sign * m[..., i, k], cos_middle)
    last = np.where(locked, 0.0, np.arctan2(-sign * m[..., i, j], m[..., i, i]))
    angles_deg: Array = np.degrees(np.stack([first, middle, last], axis=-1))
    return angles_deg


def to_matrix(q: ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) of unit quaternions (..., 4)."""
    w, x, y, z = np.moveaxis(_batch(q, 4), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def from_matrix(matrix: ArrayLike) -> Array:
    """Unit quaternions (..., 4), w >= 0, of rotation matrices (..., 3, 3).

    Shepperd's method (1978): of the four ways to divide, the one with the largest divisor.
    """
    m = np.asarray(matrix, dtype=np.float64)
    if m.shape[-2:] != (3, 3):
        raise ValueError(f"expected an array of shape (..., 3, 3), got {m.shape}")
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    # row c holds 4 * component c * (w, x, y, z)
    ways = np.stack(
        [
            np.stack([1 + xx + yy + zz, wx, wy, wz], axis=-1),
            np.stack([wx, 1 + xx - yy - zz, xy, xz], axis=-1),
            np.stack([wy, xy, 1 - xx + yy - zz, yz], axis=-1),
            np.stack([wz, xz, yz, 1 - xx - yy + zz], axis=-1),
        ],
        axis=-2,
    )
    best = np.argmax(np.diagonal(ways, axis1=-2, axis2=-1), axis=-1)
    q = normalize(np.take_along_axis(ways, best[..., None, None], axis=-2)[..., 0, :])
    positive: Array = np.where(q[..., :1] < 0.0, -q, q)
    return positive


def slerp(a: ArrayLike, b: ArrayLike, t: ArrayLike) -> Array:
    """Spherical interpolation from a to b, both (..., 4), by the shorter way.

    t : (...) share of the way, 0 gives a and 1 gives b (or -b, the same rotation).
    """
    a, b = _batch(a, 4), _batch(b, 4)
    t = np.asarray(t, dtype=np.float64)[..., None]
    dot = np.sum(a * b, axis=-1, keepdims=True)
    b = np.where(dot < 0.0, -b, b)
    dot = np.minimum(np.abs(dot), 1.0)
    angle = np.arccos(dot)
    near = dot > _LERP_DOT
    sin = np.where(near, 1.0, np.sin(angle))
    weight_a = np.where(near, 1.0 - t, np.sin((1.0 - t) * angle) / sin)
    weight_b = np.where(near, t, np.sin(t * angle) / sin)
    return normalize(weight_a * a + weight_b * b)


def unroll(q: ArrayLike, axis: int = 0) -> Array:
    """Flip signs along an axis so that neighbours lie in one hemisphere; the rotations stay the same.

    q : (..., 4); `axis` is the time axis and not the last.
    """
    q = np.moveaxis(_batch(q, 4).copy(), axis, 0)
    if len(q) > 1:
        flips = np.where(np.sum(q[1:] * q[:-1], axis=-1) < 0.0, -1.0, 1.0)
        q[1:] *= np.cumprod(flips, axis=0)[..., None]
    return np.moveaxis(q, 0, axis)


def angle_between(a: ArrayLike, b: ArrayLike) -> Array:
    """Angle in radians, 0 to pi, that leads from a to b; both (..., 4)."""
    d = mul(inverse(a), b)
    angle: Array = 2.0 * np.arctan2(np.linalg.norm(d[..., 1:], axis=-1), np.abs(d[..., 0]))
    return angle
