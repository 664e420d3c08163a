"""The bundled motions: built from their key poses, looping, and as their configurations say."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from bvh_tools.authoring import build_clip
from bvh_tools.bvh import read_bvh
from bvh_tools.bvh_writer import format_bvh
from bvh_tools.check import check
from bvh_tools.clip import Clip
from bvh_tools.info import describe
from bvh_tools.kinematics import fk
from tests.places import ROOT

LIBRARY = ROOT / "animation_server" / "motion" / "library"
NAMES = sorted(path.name.removesuffix(".keys.yaml") for path in LIBRARY.glob("*.keys.yaml"))


def _clip(name: str) -> Clip:
    return read_bvh(LIBRARY / f"{name}.bvh")


def _joint(clip: Clip, name: str) -> np.ndarray:
    return fk(clip)[:, clip.skeleton.names.index(name)]


def test_the_three_that_the_original_promised_are_there() -> None:
    """dab, jumping and zombie."""
    assert {"dab", "jumping", "zombie"} <= set(NAMES)
    assert {path.stem for path in LIBRARY.glob("*.bvh")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_clip_is_what_its_keys_build(name: str) -> None:
    """`bvh-tools build` on the key poses gives the committed file, to the last digit but one."""
    keys = LIBRARY / f"{name}.keys.yaml"
    built = format_bvh(build_clip(keys.read_text(), keys.name)).splitlines()
    committed = (LIBRARY / f"{name}.bvh").read_text().splitlines()
    head = committed.index("MOTION") + 3
    assert built[:head] == committed[:head]
    a, b = (
        np.array([line.split() for line in lines[head:]], dtype=np.float64) for lines in (built, committed)
    )
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_bundled_clips_are_sound_and_loop(name: str) -> None:
    """Three to five seconds at 30 frames a second, no warning, and no jump at the seam, in speed either."""
    clip = _clip(name)
    info = describe(clip)
    assert 3.0 <= info.duration <= 5.0
    assert info.fps == pytest.approx(30.0)
    assert info.up == "+y"
    assert info.loops
    assert [finding for finding in check(clip) if finding.level != "note"] == []
    positions = fk(clip)
    change = np.diff(np.concatenate([positions, positions[:3]]), n=2, axis=0)
    size = np.linalg.norm(change, axis=-1).max(axis=1)
    assert size[-4:].max() <= size[:-4].max()


@pytest.mark.parametrize("name", NAMES)
def test_feet_stay_above_the_ground(name: str) -> None:
    """No ankle sinks into the ground, and some foot touches it at the beginning."""
    clip = _clip(name)
    ankles = np.stack([_joint(clip, "LeftFoot"), _joint(clip, "RightFoot")], axis=1)[..., 1]
    assert ankles.min() > 7.5
    assert ankles[0].min() < 9.5


@pytest.mark.parametrize("name", NAMES)
def test_configurations_name_what_there_is(name: str) -> None:
    """The clip and the retarget file exist, and every joint that either names is in the skeleton."""
    motion = yaml.safe_load((LIBRARY / f"{name}.yaml").read_text())
    clip = read_bvh(LIBRARY / motion["filepath"])
    assert motion["loops"] is True
    named = {motion["groundplane_joint"]}.union(*motion["forward_perp_joint_vectors"])
    retarget = yaml.safe_load((LIBRARY / motion["retarget"]).read_text())
    for group in retarget["bvh_projection_bodypart_groups"]:
        named |= set(group["bvh_joint_names"])
    for pair in retarget["char_joint_bvh_joints_mapping"].values():
        named |= set(pair)
    assert named <= set(clip.skeleton.names)


def test_the_dab_dabs_to_both_sides() -> None:
    """One arm straight out and up, the other folded with its hand by the head; then the mirror image."""
    clip = _clip("dab")
    dabs = {}
    for side, other in (("Left", "Right"), ("Right", "Left")):
        arm = _joint(clip, f"{side}Hand") - _joint(clip, f"{side}Arm")
        straight = np.linalg.norm(arm, axis=1) / 53.0
        near = np.linalg.norm(_joint(clip, f"{other}Hand") - _joint(clip, "Head"), axis=1)
        dabs[side] = (straight > 0.98) & (arm[:, 1] > 20.0) & (near < 30.0)
    assert dabs["Left"].sum() >= 8
    np.testing.assert_array_equal(np.roll(dabs["Left"], clip.n_frames // 2), dabs["Right"])


def test_the_jump_leaves_the_ground_twice_the_second_time_higher() -> None:
    """Both feet are in the air in two stretches, after a crouch each, arms above the head in the second."""
    clip = _clip("jumping")
    lowest = np.minimum(_joint(clip, "LeftToeBase")[:, 1], _joint(clip, "RightToeBase")[:, 1])
    airborne = lowest > 12.0
    starts = np.flatnonzero(airborne[1:] & ~airborne[:-1])
    assert len(starts) == 2
    hips = _joint(clip, "Hips")[:, 1]
    first, second = hips[: starts[1]].max(), hips[starts[1] :].max()
    assert second > first + 15.0
    assert hips[: starts[0]].min() < 72.0
    assert hips[starts[0] : starts[1]].min() < 66.0
    top = int(np.argmax(hips))
    assert _joint(clip, "LeftHand")[top, 1] > _joint(clip, "Head")[top, 1]


def test_the_zombie_shuffles_on_the_spot_with_its_arms_ahead() -> None:
    """Both hands stay ahead of the chest at about its height, feet go to and fro, the root stays about."""
    clip = _clip("zombie")
    for side in ("Left", "Right"):
        reach = _joint(clip, f"{side}Hand") - _joint(clip, f"{side}Arm")
        assert (reach[:, 2] > 35.0).all()
        assert (np.abs(reach[:, 1]) < 35.0).all()
        step = _joint(clip, f"{side}Foot")[:, 2]
        assert np.ptp(step) > 30.0
    assert np.abs(_joint(clip, "Hips")[:, [0, 2]]).max() < 15.0


def test_the_wave_swings_a_raised_hand() -> None:
    """The left hand goes to and fro above its shoulder at least three times."""
    clip = _clip("wave")
    reach = _joint(clip, "LeftHand") - _joint(clip, "LeftArm")
    raised = reach[:, 1] > 20.0
    across = np.diff(reach[raised][:, 0])
    assert raised.sum() > 30
    assert (np.diff(np.sign(across)) != 0).sum() >= 6
