"""Find the joints of a human figure in any BVH skeleton, by their names or else by the skeleton's shape.

Names cover CMU's, Mixamo's, Rokoko's, FAIR's, Xsens', OptiTrack's, Unreal's, Unity's, Biped's, Poser's,
Rigify's and SMPL's. Where they do not, legs and arms are the first two mirrored pairs of limbs on the way
up from the root.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from animation_server.errors import InputError
from bvh_tools.clip import Skeleton

_LEG = (
    ("upleg", "upperleg", "thigh", "femur", "uleg", "hip", "leg"),
    ("lowerleg", "lowleg", "shin", "calf", "tibia", "knee", "leg"),
    ("ankle", "foot"),
)
_ARM = (
    ("upperarm", "uparm", "uarm", "humerus", "shldr", "arm", "shoulder"),
    ("forearm", "lowerarm", "lowarm", "farm", "radius", "elbow"),
    ("wrist", "hand"),
)
"""Names of a limb's three joints from the body outward, the least ambiguous first."""
_WORDS = {word for table in (*_LEG, *_ARM) for word in table}
_MIRROR_TOLERANCE = 0.1  # relative difference of bone lengths, left to right, in one figure
_LONG = 0.8  # of the longest: bones that count as long too


@dataclass(frozen=True)
class Limb:
    """Indices of a limb's joints: where it meets the body, where it bends, where hand or foot begins."""

    start: int
    bend: int
    end: int


@dataclass(frozen=True)
class Humanoid:
    """Joint indices of a figure in a BVH skeleton; left and right are the figure's own.

    hips : where the legs meet.  chest : where the arms meet.  head : the head, or else the neck.
    """

    hips: int
    chest: int
    head: int
    left_arm: Limb
    right_arm: Limb
    left_leg: Limb
    right_leg: Limb


def find_humanoid(skeleton: Skeleton, joints_xyz: NDArray[np.float64]) -> Humanoid:
    """Find a figure's joints.

    joints_xyz : (N, J, 3) world positions of typical frames; they tell left from right where names do not.
    Raises InputError when the skeleton has no two arms, two legs and head.
    """
    legs = _named_pair(skeleton, _LEG)
    arms = _named_pair(skeleton, _ARM)
    if legs is None or arms is None:
        legs, arms = _mirrored_pairs(skeleton, joints_xyz)
    hips = _meeting(skeleton, legs[0].start, legs[1].start)
    chest = _meeting(skeleton, arms[0].start, arms[1].start)
    head = _find_head(skeleton, hips, chest, arms)
    return Humanoid(hips, chest, head, *arms, *legs)


# -- by name --------------------------------------------------------------------------------------------


def side_and_word(name: str) -> tuple[str, str]:
    """Split a joint's name into its side ("left", "right" or "") and the rest in small letters.

    Namespaces, separators and digits are dropped: "mixamorig:LeftUpLeg" is ("left", "upleg"), "thigh_L"
    and "LThigh" are ("left", "thigh"), "rtibia" is ("right", "tibia").
    """
    name = name.rsplit(":", 1)[-1]
    tokens = [t.lower() for t in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
    word = "".join(tokens)
    for side in ("left", "right"):
        if side in word:
            return side, word.replace(side, "", 1)
        if side[0] in tokens:
            tokens.remove(side[0])
            return side, "".join(tokens)
        if word[:1] == side[0] and word[1:] in _WORDS:
            return side, word[1:]
        if word[-1:] == side[0] and word[:-1] in _WORDS:
            return side, word[:-1]
    return "", word


def _named_pair(skeleton: Skeleton, table: tuple[tuple[str, ...], ...]) -> tuple[Limb, Limb] | None:
    split = [side_and_word(name) for name in skeleton.names]
    limbs = []
    for side in ("left", "right"):
        ranked = [
            [
                (_rank(word, words), joint)
                for joint, (its_side, word) in enumerate(split)
                if its_side == side and _rank(word, words) < len(words)
            ]
            for words in table
        ]
        triples = [
            (a[0] + b[0] + c[0], Limb(a[1], b[1], c[1]))
            for a, b, c in product(*ranked)
            if a[1] in _ancestors(skeleton, b[1]) and b[1] in _ancestors(skeleton, c[1])
        ]
        if not triples:
            return None
        limbs.append(min(triples, key=lambda triple: triple[0])[1])
    return limbs[0], limbs[1]


def _rank(word: str, words: tuple[str, ...]) -> int:
    """How good a name a word ends in: 0 is the best, len(words) is none."""
    endings = [rank for rank, ending in enumerate(words) if word.endswith(ending)]
    # the longest ending is the one meant: "upleg" also ends in "leg", "forearm" in "arm"
    longest = max((known for known in _WORDS if word.endswith(known)), key=len, default="")
    return next((rank for rank in endings if words[rank] == longest), len(words))


# -- by shape -------------------------------------------------------------------------------------------


def _mirrored_pairs(
    skeleton: Skeleton, joints_xyz: NDArray[np.float64]
) -> tuple[tuple[Limb, Limb], tuple[Limb, Limb]]:
    """Legs and arms, left then right: the first two mirrored pairs of limbs from the root upward."""
    found = list(_limb_pairs(skeleton))
    if len(found) < 2:
        raise InputError(
            "expected a figure with two legs, two arms and a head; could not find them among the joints "
            f"{', '.join(skeleton.names)}. Give a retarget configuration for this skeleton",
            code="unmappable_skeleton",
            status=422,
        )
    legs, arms = found[:2]
    left = _leftward(skeleton, joints_xyz, legs, arms)
    if (left * (joints_xyz[:, legs[0].start] - joints_xyz[:, legs[1].start])).sum() < 0.0:
        legs = legs[::-1]
    if (left * (joints_xyz[:, arms[0].bend] - joints_xyz[:, arms[1].bend])).sum() < 0.0:
        arms = arms[::-1]
    return legs, arms


def _limb_pairs(skeleton: Skeleton) -> Iterator[tuple[Limb, Limb]]:
    joint = 0
    while True:
        paths = sorted((_longest_path(skeleton, child) for child in _children(skeleton, joint)), key=len)
        paths.reverse()
        limbs = [path for path in paths if len(path) >= 3]
        pair = next(
            ((a, b) for i, a in enumerate(limbs) for b in limbs[i + 1 :] if _mirrored(skeleton, a, b)), None
        )
        if pair is not None:
            yield _limbs_of(skeleton, *pair)
            paths = [path for path in paths if path not in pair]
        if not paths:
            return
        joint = max(paths, key=lambda path: len(_subtree(skeleton, path[0])))[0]


def _mirrored(skeleton: Skeleton, a: list[int], b: list[int]) -> bool:
    if len(a) != len(b):
        return False
    lengths = np.linalg.norm(skeleton.offsets[[a[1:], b[1:]]], axis=-1)
    return bool((np.abs(lengths[0] - lengths[1]) <= _MIRROR_TOLERANCE * lengths.max()).all())


def _limbs_of(skeleton: Skeleton, a: list[int], b: list[int]) -> tuple[Limb, Limb]:
    """The limbs on two mirrored paths: the outermost two bones in a row that are both long.

    Outermost, because a collar bone may be as long as a forearm.
    """
    lengths = np.linalg.norm(skeleton.offsets[[a[1:], b[1:]]], axis=-1).sum(axis=0)
    shorter = np.minimum(lengths[:-1], lengths[1:])
    first = int(np.flatnonzero(shorter >= _LONG * shorter.max())[-1])
    return Limb(*a[first : first + 3]), Limb(*b[first : first + 3])


def _leftward(
    skeleton: Skeleton,
    joints_xyz: NDArray[np.float64],
    legs: tuple[Limb, Limb],
    arms: tuple[Limb, Limb],
) -> NDArray[np.float64]:
    """(N, 3) the figure's left, not of unit length: up × forward. Toes point forward, or else knees do."""
    ankles = joints_xyz[:, [leg.end for leg in legs]]
    up = joints_xyz[:, [arm.start for arm in arms]].mean(axis=1) - ankles.mean(axis=1)
    toes = [_longest_path(skeleton, leg.end)[-1] for leg in legs]
    forward = (joints_xyz[:, toes] - ankles).sum(axis=1)
    if not forward.any():
        knees = joints_xyz[:, [leg.bend for leg in legs]]
        hips = joints_xyz[:, [leg.start for leg in legs]]
        forward = (knees - (hips + ankles) / 2).sum(axis=1)
    left: NDArray[np.float64] = np.cross(up, forward)
    return left


def _find_head(skeleton: Skeleton, hips: int, chest: int, arms: tuple[Limb, Limb]) -> int:
    """The first joint called head, or else neck, or else the first one above the chest."""
    in_arms = {joint for arm in arms for joint in _subtree(skeleton, arm.start)}
    above = [
        joint
        for joint in _subtree(skeleton, chest)
        if joint not in in_arms and joint not in {hips, chest} and not side_and_word(skeleton.names[joint])[0]
    ]
    for word in ("head", "neck"):
        for joint in above:
            if side_and_word(skeleton.names[joint])[1].endswith(word):
                return joint
    if above and chest != hips:
        return above[0]
    if chest != hips:
        return chest
    raise InputError(
        f"expected a joint for the head or neck above {skeleton.names[chest]!r}; the skeleton has "
        f"{', '.join(skeleton.names)}. Give a retarget configuration for it",
        code="unmappable_skeleton",
        status=422,
    )


# -- the tree -------------------------------------------------------------------------------------------


def _children(skeleton: Skeleton, joint: int) -> list[int]:
    return np.flatnonzero(skeleton.parents == joint).tolist()


def _ancestors(skeleton: Skeleton, joint: int) -> list[int]:
    """The joints above one, nearest first."""
    above = []
    while (joint := int(skeleton.parents[joint])) >= 0:
        above.append(joint)
    return above


def _subtree(skeleton: Skeleton, joint: int) -> list[int]:
    """A joint and all below it, parents first."""
    below = {joint: None}
    for candidate in range(joint + 1, skeleton.n_joints):
        if int(skeleton.parents[candidate]) in below:
            below[candidate] = None
    return list(below)


def _longest_path(skeleton: Skeleton, joint: int) -> list[int]:
    """From a joint down to its deepest leaf."""
    depth = {joint: 0}
    for below in _subtree(skeleton, joint)[1:]:
        depth[below] = depth[int(skeleton.parents[below])] + 1
    deepest = max(depth, key=lambda below: depth[below])
    path = [deepest, *_ancestors(skeleton, deepest)]
    return path[: depth[deepest] + 1][::-1]


def _meeting(skeleton: Skeleton, a: int, b: int) -> int:
    """The nearest joint above both."""
    return next(joint for joint in _ancestors(skeleton, a) if joint in _ancestors(skeleton, b))
