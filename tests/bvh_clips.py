"""Clips made by code, and how tests compare clips."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from bvh_tools import quaternion as quat
from bvh_tools.clip import Clip, Skeleton

ORDERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
POSITIONS = ("Xposition", "Yposition", "Zposition")


def random_rotations(rng: np.random.Generator, *shape: int) -> NDArray[np.float64]:
    """Rotations spread evenly over all there are, (*shape, 4)."""
    return quat.normalize(rng.normal(size=(*shape, 4)))


def random_clip(rng: np.random.Generator, n_joints: int = 6, n_frames: int = 7) -> Clip:
    """A clip with a random tree, random channel orders and, on some joints, position channels."""
    parents = np.array([-1, *(int(rng.integers(0, j)) for j in range(1, n_joints))], dtype=np.int64)
    order = _depth_first(parents)
    parents = np.array([-1, *(order.index(int(parents[j])) for j in order[1:])], dtype=np.int64)
    offsets = np.round(rng.normal(0.0, 10.0, (n_joints, 3)), 6)
    moving = [joint == 0 or rng.random() < 0.3 for joint in range(n_joints)]
    leaves = sorted(set(range(n_joints)) - set(parents.tolist()))
    skeleton = Skeleton(
        names=tuple(f"Joint {j}: part" for j in range(n_joints)),
        parents=parents,
        offsets=offsets,
        channels=tuple(_random_channels(rng, moves) for moves in moving),
        end_sites={j: (1.5, -2.0, float(j)) for j in leaves if rng.random() < 0.7},
    )
    translations = np.tile(offsets, (n_frames, 1, 1))
    translations[:, moving] = np.round(rng.normal(0.0, 20.0, (n_frames, sum(moving), 3)), 6)
    return Clip(skeleton, translations, quat.unroll(random_rotations(rng, n_frames, n_joints)), 1.0 / 30.0)


def clips() -> st.SearchStrategy[Clip]:
    """Random clips of one to eight joints and one to six frames."""
    return st.builds(
        lambda seed, joints, frames: random_clip(np.random.default_rng(seed), joints, frames),
        st.integers(0, 2**32 - 1),
        st.integers(1, 8),
        st.integers(1, 6),
    )


def assert_same_rotations(a: NDArray[np.float64], b: NDArray[np.float64], atol_rad: float = 1e-7) -> None:
    """The same rotations, whatever the signs."""
    assert a.shape == b.shape
    assert quat.angle_between(a, b).max(initial=0.0) < atol_rad


def assert_same_clip(a: Clip, b: Clip, atol: float = 1e-6) -> None:
    """The same skeleton and, to the digits a file holds, the same motion."""
    assert a.skeleton.names == b.skeleton.names
    assert a.skeleton.channels == b.skeleton.channels
    np.testing.assert_array_equal(a.skeleton.parents, b.skeleton.parents)
    np.testing.assert_allclose(a.skeleton.offsets, b.skeleton.offsets, atol=atol)
    assert a.skeleton.end_sites.keys() == b.skeleton.end_sites.keys()
    for joint, offset in a.skeleton.end_sites.items():
        np.testing.assert_allclose(offset, b.skeleton.end_sites[joint], atol=atol)
    assert a.frame_time == b.frame_time
    np.testing.assert_allclose(a.translations, b.translations, atol=atol)
    assert_same_rotations(a.rotations, b.rotations, 5e-8 + atol * 1e-1)


def _depth_first(parents: NDArray[np.int64]) -> list[int]:
    order: list[int] = []
    stack = [0]
    while stack:
        joint = stack.pop()
        order.append(joint)
        stack += reversed(np.flatnonzero(parents == joint).tolist())
    return order


def _random_channels(rng: np.random.Generator, moves: bool) -> tuple[str, ...]:
    turns = tuple(f"{letter}rotation" for letter in rng.choice(ORDERS))
    if not moves:
        return turns
    positions = tuple(rng.permutation(POSITIONS).tolist())
    return (*positions, *turns) if rng.random() < 0.5 else (*turns, *positions)
