"""Bare BVH files: finding a figure in any skeleton, and making configurations for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from animation_server.errors import InputError
from animation_server.motion.config import load_motion_config, load_retarget_config
from animation_server.motion.heading import stand_up
from animation_server.motion.humanoid import Humanoid, Limb, find_humanoid, side_and_word
from animation_server.motion.mapping import derive_motion_config, derive_retarget_config, rooted_at_hips
from animation_server.motion.retarget import retarget
from bvh_tools import quaternion as quat
from bvh_tools.bvh import read_bvh
from bvh_tools.clip import Clip, Skeleton
from bvh_tools.kinematics import fk
from tests.motion_clips import (
    TEXTURE_SIZE,
    drawn_skeleton,
    renamed,
    standing,
    turned,
    under_reference,
    wriggle,
)
from tests.places import SHARED

EXAMPLES = SHARED / "animated_drawings" / "examples"

# upper leg, lower leg, foot; upper arm, forearm, hand, collar bone; chest, neck, head
SCHEMES = {
    "FAIR": "LeftUpLeg LeftLeg LeftFoot LeftArm LeftForeArm LeftHand LeftShoulder Spine3 Neck Head",
    "Mixamo": "mixamorig:LeftUpLeg mixamorig:LeftLeg mixamorig:LeftFoot mixamorig:LeftArm "
    "mixamorig:LeftForeArm mixamorig:LeftHand mixamorig:LeftShoulder mixamorig:Spine2 mixamorig:Neck "
    "mixamorig:Head",
    "Rokoko": "LeftThigh LeftShin LeftFoot LeftArm LeftForeArm LeftHand LeftShoulder Spine4 Neck Head",
    "CMU MotionBuilder": "LeftHip LeftKnee LeftAnkle LeftShoulder LeftElbow LeftWrist LeftCollar Chest2 "
    "Neck Head",
    "CMU asf": "lfemur ltibia lfoot lhumerus lradius lwrist lclavicle thorax lowerneck head",
    "Xsens": "LeftUpperLeg LeftLowerLeg LeftFoot LeftUpperArm LeftLowerArm LeftHand LeftShoulder Chest4 "
    "Neck Head",
    "OptiTrack": "LThigh LShin LFoot LUArm LFArm LHand LShoulder Chest Neck Head",
    "Unreal": "thigh_l calf_l foot_l upperarm_l lowerarm_l hand_l clavicle_l spine_03 neck_01 head",
    "Unity": "leftUpperLeg leftLowerLeg leftFoot leftUpperArm leftLowerArm leftHand leftShoulder upperChest "
    "neck head",
    "Biped": "Bip01_L_Thigh Bip01_L_Calf Bip01_L_Foot Bip01_L_UpperArm Bip01_L_Forearm Bip01_L_Hand "
    "Bip01_L_Clavicle Bip01_Spine3 Bip01_Neck Bip01_Head",
    "Poser": "lThigh lShin lFoot lShldr lForeArm lHand lCollar chest neck head",
    "Rigify": "thigh.L shin.L foot.L upper_arm.L forearm.L hand.L shoulder.L spine.003 spine.004 spine.006",
    "SMPL": "L_Hip L_Knee L_Ankle L_Shoulder L_Elbow L_Wrist L_Collar Spine3 Neck Head",
    "numbered": "j1 j2 j3 j4 j5 j6 j7 j8 j9 j10",
}
OWN = (
    "LeftUpLeg",
    "LeftLeg",
    "LeftFoot",
    "LeftArm",
    "LeftForeArm",
    "LeftHand",
    "LeftShoulder",
    "Spine3",
    "Neck",
    "Head",
)


def other_side(name: str) -> str:
    """The right-hand name in any of the schemes."""
    if name.startswith("j"):
        return "r" + name
    for left, right in (("Left", "Right"), ("left", "right"), ("_L_", "_R_"), (".L", ".R"), ("_l", "_r")):
        if left in name:
            return name.replace(left, right)
    return {"L": "R", "l": "r"}[name[0]] + name[1:]


def in_scheme(clip: Clip, scheme: str) -> Clip:
    """The authoring figure under a scheme's names; joints that the scheme does not name get plain ones."""
    names = dict(zip(OWN, SCHEMES[scheme].split(), strict=True))
    names |= {
        own.replace("Left", "Right"): other_side(name)
        for own, name in names.items()
        if own.startswith("Left")
    }
    plain = {n: f"x{k}" for k, n in enumerate(clip.skeleton.names) if n not in names and n != "Hips"}
    return renamed(clip, names | plain)


def expected_figure(skeleton: Skeleton) -> Humanoid:
    index = skeleton.names.index

    def limb(side: str, *joints: str) -> Limb:
        return Limb(*(index(side + joint) for joint in joints))

    arm, leg = ("Arm", "ForeArm", "Hand"), ("UpLeg", "Leg", "Foot")
    return Humanoid(
        hips=index("Hips"),
        chest=index("Spine3"),
        head=index("Head"),
        left_arm=limb("Left", *arm),
        right_arm=limb("Right", *arm),
        left_leg=limb("Left", *leg),
        right_leg=limb("Right", *leg),
    )


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_figure_is_found_under_any_names(scheme: str) -> None:
    """By the names of common tools; by shape where names say nothing."""
    clip = standing(2)
    expected = expected_figure(clip.skeleton)
    other = in_scheme(clip, scheme)
    found = find_humanoid(other.skeleton, fk(other))
    if scheme in {
        "Rigify",
        "numbered",
    }:  # their spines tell no head from neck; any joint above the chest does
        assert found.head in {clip.skeleton.names.index(name) for name in ("Neck", "Head")}
        found = replace(found, head=expected.head)
    assert found == expected


@pytest.mark.parametrize(
    ("name", "side", "word"),
    [
        ("mixamorig:LeftUpLeg", "left", "upleg"),
        ("thigh_R", "right", "thigh"),
        ("Bip01 L Toe0", "left", "biptoe"),
        ("rtibia", "right", "tibia"),
        ("LUArm", "left", "uarm"),
        ("Hips", "", "hips"),
        ("Collar", "", "collar"),
        ("Leg", "", "leg"),
    ],
)
def test_names_split_into_side_and_word(name: str, side: str, word: str) -> None:
    """Namespaces, separators and digits fall away; a word that begins with l or r keeps it."""
    assert side_and_word(name) == (side, word)


@pytest.mark.parametrize("up", ["+x", "-x", "+y", "-y", "+z", "-z"])
def test_up_axis_is_found(up: str) -> None:
    """From where the head is, in any of six orientations."""
    clip = standing(3)
    turn = quat.from_matrix(np.stack([stand_up(axis, up) for axis in np.eye(3)], axis=-1).T)
    laid = turned(clip, turn)
    assert derive_motion_config(laid, Path("x.bvh")).up == up


def test_a_bare_clip_moves_as_with_its_configuration_under_any_names() -> None:
    """Configurations made for other names and another up axis lead to one and the same motion."""
    motions = []
    for scheme in ("FAIR", "Unreal", "CMU MotionBuilder"):
        clip = in_scheme(wriggle(8, degrees=20.0), scheme)
        if scheme == "Unreal":
            clip = turned(clip, quat.from_axis_angle([1.0, 0.0, 0.0], np.pi / 2))
        config = derive_motion_config(clip, Path("x.bvh"))
        result = retarget(clip, config, derive_retarget_config(clip), drawn_skeleton(), TEXTURE_SIZE)
        motions.append(result.motion.joints_xyz)
    np.testing.assert_allclose(motions[1], motions[0], atol=1e-9)
    np.testing.assert_allclose(motions[2], motions[0], atol=1e-9)


def test_joints_above_the_hips_are_dropped() -> None:
    """A reference node in the scene is no part of the figure; the rest stays where it was."""
    clip = wriggle(4)
    rooted = rooted_at_hips(under_reference(clip))
    assert rooted.skeleton.names == clip.skeleton.names
    assert rooted.skeleton.end_sites == clip.skeleton.end_sites
    np.testing.assert_allclose(fk(rooted), fk(clip) + 7.0, atol=1e-9)
    assert rooted_at_hips(clip) is clip


def test_what_is_no_figure_is_refused_with_what_to_do() -> None:
    """A chain of joints, and a body without head."""
    n = 6
    rope = Skeleton(
        tuple(f"link{k}" for k in range(n)), np.arange(n) - 1, np.ones((n, 3)), (("Yrotation",),) * n, {}
    )
    clip = Clip(rope, np.tile(rope.offsets, (1, 1, 1)), quat.identity(1, n), 0.1)
    with pytest.raises(InputError, match=r"link0.*Give a retarget configuration") as caught:
        derive_retarget_config(clip)
    assert caught.value.code == "unmappable_skeleton"
    assert caught.value.status == 422


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="needs AnimatedDrawings' examples beside the checkout")
@pytest.mark.parametrize(
    ("bvh", "motion", "config"),
    [
        ("cmu1/jumping_jacks", "jumping_jacks", "cmu1_pfp"),
        ("fair1/dab", "dab", "fair1_ppf"),
        ("fair1/zombie", "zombie", "fair1_ppf"),
        ("rokoko/jesse_dance", "jesse_dance", "mixamo_fff"),
    ],
)
def test_real_files_map_as_by_hand(bvh: str, motion: str, config: str) -> None:
    """What is derived agrees with the configurations that AnimatedDrawings' authors wrote."""
    clip = read_bvh(EXAMPLES / "bvh" / f"{bvh}.bvh")
    derived, by_hand = (
        derive_retarget_config(clip),
        load_retarget_config(EXAMPLES / "config" / "retarget" / f"{config}.yaml"),
    )
    ours, theirs = derived.char_joint_bvh_joints_mapping, by_hand.char_joint_bvh_joints_mapping
    assert ours.keys() == theirs.keys()
    assert {k: v for k, v in ours.items() if k != "neck"} == {k: v for k, v in theirs.items() if k != "neck"}
    assert ours["neck"] == ("Hips", "Head")
    for a, b in zip(derived.char_bodypart_groups, by_hand.char_bodypart_groups, strict=True):
        assert a == b
    stands = load_motion_config(EXAMPLES / "config" / "motion" / f"{motion}.yaml")
    made = derive_motion_config(clip, stands.filepath)
    assert (made.up, made.groundplane_joint) == (stands.up, stands.groundplane_joint)
    # and by shape alone, without a single name
    anonymous = renamed(clip, {name: f"x{k}" for k, name in enumerate(clip.skeleton.names)})
    samples = fk(anonymous)[::10]
    found, named = (find_humanoid(c.skeleton, samples) for c in (anonymous, clip))
    assert replace(found, head=named.head) == named
