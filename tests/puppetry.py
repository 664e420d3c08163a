"""Characters and motions for tests of meshing, deforming, drawing and encoding."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from animation_server.character import Character, CharacterSkeleton
from animation_server.motion.rig_motion import RigMotion
from animation_server.rig.mesh import px_to_rig
from tests.figures import draw_figure
from tests.motion_clips import drawn_skeleton


def drawn_character() -> Character:
    """The drawn figure of tests.figures."""
    figure = draw_figure()
    return Character(figure.rgb, figure.mask, drawn_skeleton())


def swaying(character: Character, n_frames: int = 6, amount: float = 0.05, seed: int = 0) -> RigMotion:
    """Joints wander about their rest places, in world units; frame 0 is the rest pose."""
    rng = np.random.default_rng(seed)
    rest = px_to_rig(character.skeleton.joints_px, *character.mask.shape)
    joints = np.zeros((n_frames, len(rest), 3))
    joints[..., :2] = rest + np.cumsum(rng.normal(0.0, amount, (n_frames, *rest.shape)), axis=0)
    joints[0, :, :2] = rest
    order = np.argsort(rng.random((n_frames, len(rest))), axis=1)
    return RigMotion(character.skeleton.names, joints, joints[:, 0].copy(), order, 0.04, loops=False)


@st.composite
def odd_characters(draw: st.DrawFn) -> Character:
    """Characters whose masks and joints are as unlike a figure as can be."""
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    mask = draw(st.sampled_from(_ODD_MASKS))(height, width, rng)
    n_joints = draw(st.integers(1, 7))
    parents = np.array([-1, *(int(rng.integers(joint)) for joint in range(1, n_joints))])
    joints = rng.uniform(-0.3, 1.3, (n_joints, 2)) * (width, height)
    if draw(st.booleans()):
        joints[:] = joints[0]
    if draw(st.booleans()):
        joints = joints.clip(0, (width - 1, height - 1)).round()
    texture = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    names = tuple(f"joint {k}" for k in range(n_joints))
    return Character(texture, mask, CharacterSkeleton(names, parents, joints))


def _empty(height: int, width: int, _: np.random.Generator) -> NDArray[np.bool_]:
    return np.zeros((height, width), dtype=bool)


def _full(height: int, width: int, _: np.random.Generator) -> NDArray[np.bool_]:
    return np.ones((height, width), dtype=bool)


def _pixel(height: int, width: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    mask = np.zeros((height, width), dtype=bool)
    mask[rng.integers(height), rng.integers(width)] = True
    return mask


def _noise(height: int, width: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    return rng.random((height, width)) < 0.5


def _islands(height: int, width: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    return rng.random((height, width)) < 0.02


def _line(height: int, width: int, _: np.random.Generator) -> NDArray[np.bool_]:
    mask = np.zeros((height, width), dtype=bool)
    mask[height // 2] = True
    return mask


def _chessboard(height: int, width: int, _: np.random.Generator) -> NDArray[np.bool_]:
    return np.add.outer(np.arange(height), np.arange(width)) % 2 == 0


def _ring(height: int, width: int, _: np.random.Generator) -> NDArray[np.bool_]:
    mask = np.ones((height, width), dtype=bool)
    mask[height // 4 : -(height // 4) or None, width // 4 : -(width // 4) or None] = False
    return mask


_ODD_MASKS = (_empty, _full, _pixel, _noise, _islands, _line, _chessboard, _ring)
