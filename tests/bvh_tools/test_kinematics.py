"""Forward kinematics against a peer's numbers on real clips."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import yaml

from bvh_tools import quaternion as quat
from bvh_tools.bvh import read_bvh
from bvh_tools.convert import change_up
from bvh_tools.kinematics import fk, fk_with_rotations
from tests.bvh_clips import random_clip
from tests.places import SHARED

_CASES = {
    "char1_dab_fair1_ppf": "fair1/dab",
    "char1_zombie_fair1_spf": "fair1/zombie",
    "char2_jumping_fair1_ppf": "fair1/jumping",
    "char6_wave_hello_four_legs": "fair1/wave_hello",
    "char1_jumping_jacks_cmu1_pfp": "cmu1/jumping_jacks",
    "char2_jesse_dance_mixamo_fff": "rokoko/jesse_dance",
}


@pytest.mark.parametrize("case", _CASES)
def test_joints_stand_where_the_peer_puts_them(case: str) -> None:
    """FAIR, CMU and Rokoko clips, seen from the root, agree with AnimatedDrawings to its float32."""
    motions = SHARED / "animated_drawings" / "examples" / "config" / "motion"
    numbers = SHARED / "reference" / f"{case}.npz"
    bvh = SHARED / "animated_drawings" / "examples" / "bvh" / f"{_CASES[case]}.bvh"
    if not (numbers.exists() and bvh.exists() and motions.exists()):
        pytest.skip("the reference numbers and clips are not here")
    config: dict[str, Any] = yaml.safe_load((motions / f"{bvh.stem}.yaml").read_text())
    reference = np.load(numbers)
    assert json.loads(str(reference["meta"]))["motion"] == bvh.stem
    clip = change_up(read_bvh(bvh), config["up"], "+y")
    frames = reference["frames"] + config["start_frame_idx"]
    positions = fk(clip)[frames] * config["scale"]
    positions -= positions[:, :1]
    names = reference["bvh_joint_names"].tolist()
    shared = [name for name in names if name in clip.skeleton.names]
    assert len(shared) >= 25
    ours = positions[:, [clip.skeleton.names.index(name) for name in shared]]
    theirs = reference["bvh_joints_normalized"][:, [names.index(name) for name in shared]]
    # The peer turns every frame to face +x: find the turn about y that fits best. A mirror image fits none.
    a = theirs[..., 0] - 1j * theirs[..., 2]
    b = ours[..., 0] - 1j * ours[..., 2]
    turn = np.sum(a * b.conj(), axis=1, keepdims=True)
    np.testing.assert_allclose(b * turn / np.abs(turn), a, atol=3e-6)
    np.testing.assert_allclose(ours[..., 1], theirs[..., 1], atol=3e-6)


def test_bones_keep_their_length_and_turning_the_root_turns_everything() -> None:
    """Distances to the parent are the local translations'; a turn of the root carries over to all joints."""
    clip = random_clip(np.random.default_rng(4), n_joints=9)
    positions, rotations = fk_with_rotations(clip)
    parents = clip.skeleton.parents[1:]
    bones = np.linalg.norm(positions[:, 1:] - positions[:, parents], axis=-1)
    np.testing.assert_allclose(bones, np.linalg.norm(clip.translations[:, 1:], axis=-1), atol=1e-9)
    turn = quat.from_euler([40.0, -20.0, 70.0], "ZXY")
    turned = clip.rotations.copy()
    turned[:, 0] = quat.mul(turn, turned[:, 0])
    about_root = positions - positions[:, :1]
    after = fk_with_rotations(type(clip)(clip.skeleton, clip.translations, turned, clip.frame_time))
    np.testing.assert_allclose(after[0] - positions[:, :1], quat.mul_vec(turn, about_root), atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(rotations, axis=-1), 1.0)
