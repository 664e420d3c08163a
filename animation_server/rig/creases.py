"""Finding where two parts of a figure merely touch, and cutting the mesh there.

An arm drawn along the body is one piece with it in the mask, and would drag it along. Where parts meet though
the way between their bones along the skeleton is much longer than the way across, and a line is drawn between
them, they only touch. J joints, B pairs of neighbouring pixels.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from animation_server.rig.working_mask import WorkingMask

_DETOUR = 1.8
"""How much longer the way along the skeleton must be than the way across."""

_LINE = 0.35
"""Line strength that counts as a drawn line."""

_SHORTEST_CREASE = 20
"""Working pixels; shorter ones are accidents."""

_ATTACHED_SHARE = 0.15
"""Beside this share of a limb's first bone, counted from its start, the limb is attached to the trunk."""

_WIDEST_GAP = 9
"""Working pixels between two lines beyond which the paper between them belongs to the figure."""

_LIMB_SHARE = 0.4
"""Of the length between two lines: where a bone runs that far, they are the sides of one limb."""

_REACH = 2
"""Working pixels that a crease may be off a line, and that gaps in the line are bridged over."""


def line_strength(texture: NDArray[np.uint8], working: WorkingMask) -> NDArray[np.float32]:
    """Where thin lines darker than both of their sides are drawn: (H', W') float32, 0 to 1, at working size.

    texture : (H, W, 3) uint8 RGB.
    """
    padding = round(float(working.from_texture([-0.5, -0.5])[0] + 0.5))
    height, width = (side - 2 * padding for side in working.pixels.shape)
    small = cv2.resize(texture, (width, height), interpolation=cv2.INTER_AREA).min(axis=2)
    grey = np.pad(small, padding, mode="edge")
    closed = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    contrast = closed.astype(np.float32) - grey
    return np.clip((contrast - 15.0) / 60.0, 0.0, 1.0)


def narrow_gaps(
    lines: NDArray[np.float32],
    working: WorkingMask,
    parents: NDArray[np.int64],
    joints_px: ArrayLike,
) -> NDArray[np.int32]:
    """Where lines run so close beside each other that what is between them may be neither part's.

    lines : see line_strength. Returns (H', W') int32 at working size, a number of its own for each gap, 0
    elsewhere. A gap opens to the outside of the figure; what does not is a part's own pattern. One that a
    bone runs along is a thin limb.
    """
    drawn = (lines > _LINE).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_WIDEST_GAP, _WIDEST_GAP))
    closed = cv2.morphologyEx(drawn, cv2.MORPH_CLOSE, disc)
    between = (closed > 0) & (drawn == 0) & (working.pixels > 0)
    _, gaps, stats, _ = cv2.connectedComponentsWithStats(between.astype(np.uint8), connectivity=4)
    length = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    joints = working.from_texture(joints_px)
    bones = np.zeros_like(drawn)
    for joint, parent in enumerate(parents.tolist()):
        if parent >= 0 and working.contains(joints[[joint, parent]]).all():
            start, end = np.rint(joints[[joint, parent]]).astype(int).tolist()
            cv2.line(bones, start, end, 1)
    outside = 1 - working.pixels
    for _ in range(_REACH + 1):  # the mask reaches a little beyond the lines' ends
        outside = cv2.dilate(outside, np.ones((3, 3), np.uint8)).astype(np.uint8) & (1 - drawn)
    is_gap = np.zeros(len(stats), dtype=bool)
    is_gap[np.unique(gaps[outside > 0])] = True
    is_gap &= np.bincount(gaps[bones > 0], minlength=len(stats)) < _LIMB_SHARE * length
    return np.where(is_gap[gaps], gaps, 0).astype(np.int32)


def split_gaps(gaps: NDArray[np.int32], cracks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The gaps (H', W') that a crack runs through or along; one that it only passes is a part's corner.

    gaps : see narrow_gaps. cracks : (H', W') bool, what `cut_creases` took out.
    """
    n_gaps = int(gaps.max()) + 1
    near = cv2.dilate(cracks.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    length = np.bincount(gaps[near], minlength=n_gaps)
    is_split = length >= np.maximum(3.0, 0.5 * np.sqrt(np.bincount(gaps.ravel(), minlength=n_gaps)))
    is_split[0] = False
    return is_split[gaps]


def cut_creases(
    working: WorkingMask,
    labels: NDArray[np.int16],
    lines: NDArray[np.float32],
    parents: NDArray[np.int64],
    joints_px: ArrayLike,
) -> WorkingMask:
    """Take a crack of one pixel out of the mask along every crease; meshing closes it to the eye.

    labels : (H', W') the bone that owns each pixel, -1 off the figure. lines : see line_strength.
    """
    joints = working.from_texture(joints_px)
    is_limb = _limbs(parents)
    touching = np.zeros(labels.shape, dtype=bool)
    for d_row, d_column in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = labels[: -1 if d_row else None, max(0, -d_column) : labels.shape[1] - max(0, d_column)]
        there = labels[d_row:, max(0, d_column) : labels.shape[1] + min(0, d_column)]
        rows, columns = np.nonzero((here != there) & (here >= 0) & (there >= 0))
        columns = columns + max(0, -d_column)
        if not len(rows):
            continue
        a, b = labels[rows, columns], labels[rows + d_row, columns + d_column]
        points = np.stack((columns, rows), axis=1)
        touches = _merely_touches(points, a, b, parents, joints, is_limb)
        # of each pair the limb's pixel goes
        first = is_limb[a] & (~is_limb[b] | (a > b))
        rows, columns = np.where(first, rows, rows + d_row), np.where(first, columns, columns + d_column)
        touching[rows[touches], columns[touches]] = True
    near = np.ones((2 * _REACH + 1, 2 * _REACH + 1), np.uint8)
    drawn = cv2.dilate((lines > _LINE).astype(np.uint8), near) > 0
    drawn = cv2.morphologyEx(drawn.astype(np.uint8), cv2.MORPH_CLOSE, near) > 0
    crease = (touching & drawn).astype(np.uint8)
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(crease, connectivity=8)
    is_long = stats[:, cv2.CC_STAT_AREA] >= _SHORTEST_CREASE
    is_long[0] = False
    if not is_long.any():
        return working
    pixels = np.where(is_long[pieces], np.uint8(0), working.pixels)
    note = f"{int(is_long.sum())} crease(s) between parts that merely touch were cut."
    return replace(working, pixels=pixels, repairs=(*working.repairs, note))


def _limbs(parents: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which bones (J) belong to a limb that moves by itself: from the second bone after a branching to the
    tip.
    """
    n_children = np.bincount(parents[parents >= 0], minlength=len(parents))
    branches_below = n_children > 1
    for joint in range(len(parents) - 1, 0, -1):  # parents come before children
        branches_below[parents[joint]] |= branches_below[joint]
    is_limb = ~branches_below & (parents >= 0)
    return is_limb & (n_children[parents] == 1)


def _merely_touches(
    points: NDArray[np.int64],
    a: NDArray[np.int16],
    b: NDArray[np.int16],
    parents: NDArray[np.int64],
    joints: NDArray[np.float64],
    is_limb: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Whether two parts, one of them a limb, are joined far from where they meet (B).

    points : (B, 2) x, y, working pixels. a, b : (B,) the joints in which the bones end. joints : (J, 2).
    """
    between = _joint_distances(parents, joints)
    foot_a, along_a, across_a = _foot(points, a, parents, joints)
    foot_b, along_b, across_b = _foot(points, b, parents, joints)
    ways = [
        np.linalg.norm(foot_a - joints[end_a], axis=1)
        + between[end_a, end_b]
        + np.linalg.norm(foot_b - joints[end_b], axis=1)
        for end_a in (a, parents[a])
        for end_b in (b, parents[b])
    ]
    is_detour = np.min(ways, axis=0) > _DETOUR * np.maximum(across_a + across_b, 1.0)
    begins_limb = is_limb & ~is_limb[parents]
    is_attached = begins_limb[a] & (along_a < _ATTACHED_SHARE) & ~is_limb[b]
    is_attached |= begins_limb[b] & (along_b < _ATTACHED_SHARE) & ~is_limb[a]
    return is_detour & ~is_attached & (is_limb[a] | is_limb[b])


def _foot(
    points: NDArray[np.int64],
    bone: NDArray[np.int16],
    parents: NDArray[np.int64],
    joints: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The nearest point (B, 2) on each point's bone, its share of the bone (B), and its distance (B)."""
    start = joints[parents[bone]]
    direction = joints[bone] - start
    length = np.maximum((direction**2).sum(axis=1), 1e-9)
    share = (((points - start) * direction).sum(axis=1) / length).clip(0.0, 1.0)
    foot = start + share[:, None] * direction
    return foot, share, np.linalg.norm(points - foot, axis=1)


def _joint_distances(parents: NDArray[np.int64], joints: NDArray[np.float64]) -> NDArray[np.float64]:
    """(J, J) length of the way along the bones from joint to joint."""
    n_joints = len(parents)
    above = np.zeros((n_joints, n_joints), dtype=bool)  # whether bone k lies between the root and joint j
    for joint, parent in enumerate(parents):
        if parent >= 0:
            above[joint] = above[parent]
            above[joint, joint] = True
    lengths = np.where(parents >= 0, np.linalg.norm(joints - joints[parents], axis=1), 0.0)
    differing = above[:, None] ^ above[None]
    distances: NDArray[np.float64] = differing.astype(np.float64) @ lengths
    return distances
