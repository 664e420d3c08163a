"""Quaternions against matrices and against themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bvh_tools import quaternion as quat
from tests.bvh_clips import ORDERS, assert_same_rotations, random_rotations

_seeds = st.integers(0, 2**32 - 1)


def _axis_matrix(letter: str, degrees: float) -> np.ndarray:
    """The textbook's rotation matrix about one axis."""
    i = "XYZ".index(letter)
    j, k = (i + 1) % 3, (i + 2) % 3
    m = np.eye(3)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    m[j, j], m[j, k], m[k, j], m[k, k] = c, -s, s, c
    return m


@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_multiply_their_axis_matrices_in_order(order: str) -> None:
    """Rotating by Euler angles is the product of the three axis rotations as they are named."""
    angles = (25.0, -50.0, 130.0)
    expected = np.linalg.multi_dot([_axis_matrix(a, d) for a, d in zip(order, angles, strict=True)])
    np.testing.assert_allclose(quat.to_matrix(quat.from_euler(angles, order)), expected, atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
@given(seed=_seeds)
def test_euler_angles_come_back(order: str, seed: int) -> None:
    """to_euler undoes from_euler for every rotation and order, over batch dimensions."""
    q = random_rotations(np.random.default_rng(seed), 4, 5)
    assert_same_rotations(quat.from_euler(quat.to_euler(q, order), order), q)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("middle", [90.0, -90.0, 89.9999999])
def test_euler_angles_come_back_from_gimbal_lock(order: str, middle: float) -> None:
    """The rotation survives where the first and last angle turn about one axis."""
    q = quat.from_euler([30.0, middle, -70.0], order)
    assert_same_rotations(quat.from_euler(quat.to_euler(q, order), order), q, 1e-7)


@given(seed=_seeds)
def test_products_and_vectors_agree_with_matrices(seed: int) -> None:
    """Mul is the matrix product, mul_vec the matrix applied, inverse the transpose."""
    rng = np.random.default_rng(seed)
    a, b, v = random_rotations(rng, 3), random_rotations(rng, 3), rng.normal(size=(3, 3))
    ma, mb = quat.to_matrix(a), quat.to_matrix(b)
    np.testing.assert_allclose(quat.to_matrix(quat.mul(a, b)), ma @ mb, atol=1e-12)
    np.testing.assert_allclose(quat.mul_vec(a, v), (ma @ v[..., None])[..., 0], atol=1e-12)
    np.testing.assert_allclose(quat.to_matrix(quat.inverse(a)), np.swapaxes(ma, -1, -2), atol=1e-12)


@given(seed=_seeds)
def test_matrices_come_back(seed: int) -> None:
    """from_matrix undoes to_matrix, half turns included."""
    q = random_rotations(np.random.default_rng(seed), 8)
    half_turns = np.concatenate([np.zeros((3, 1)), np.eye(3)], axis=1)
    q = np.concatenate([q, half_turns])
    assert_same_rotations(quat.from_matrix(quat.to_matrix(q)), q)


@given(seed=_seeds, t=st.floats(0.0, 1.0))
def test_slerp_turns_at_even_speed_by_the_shorter_way(seed: int, t: float) -> None:
    """A share t of the way is a share t of the angle, which never exceeds half a turn."""
    rng = np.random.default_rng(seed)
    a, b = random_rotations(rng, 5), random_rotations(rng, 5)
    angle = quat.angle_between(a, b)
    between = quat.slerp(a, b, np.full(5, t))
    np.testing.assert_allclose(quat.angle_between(a, between), t * angle, atol=1e-7)
    np.testing.assert_allclose(quat.angle_between(between, b), (1.0 - t) * angle, atol=1e-7)


def test_slerp_midpoint_halves_the_turn() -> None:
    """Half way between no turn and 90 degrees are 45, also when a sign differs and when nothing turns."""
    a, b = quat.from_euler([0.0, 0.0, 0.0], "ZXY"), quat.from_euler([90.0, 0.0, 0.0], "ZXY")
    half = quat.from_euler([45.0, 0.0, 0.0], "ZXY")
    assert_same_rotations(quat.slerp(a, b, 0.5), half)
    assert_same_rotations(quat.slerp(a, -b, 0.5), half)
    assert_same_rotations(quat.slerp(b, b, 0.5), b)


@given(seed=_seeds)
def test_unroll_keeps_rotations_and_brings_neighbours_together(seed: int) -> None:
    """Only signs change, and afterwards no two neighbours lie in opposite hemispheres."""
    q = random_rotations(np.random.default_rng(seed), 9, 2)
    unrolled = quat.unroll(q)
    np.testing.assert_array_equal(np.abs(unrolled), np.abs(q))
    assert (np.sum(unrolled[1:] * unrolled[:-1], axis=-1) >= 0.0).all()


def test_wrong_shapes_and_orders_are_refused() -> None:
    """A wrong last dimension, a zero quaternion and a repeated axis are named."""
    with pytest.raises(ValueError, match=r"\(\.\.\., 4\), got \(3,\)"):
        quat.inverse(np.zeros(3))
    with pytest.raises(ValueError, match="length zero"):
        quat.normalize(np.zeros(4))
    with pytest.raises(ValueError, match="'ZXZ'"):
        quat.to_euler(quat.identity(1), "ZXZ")
