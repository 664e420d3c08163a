"""Retargeting a clip onto a drawn character."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from animation_server.character import CharacterSkeleton
from animation_server.errors import InputError
from animation_server.motion.config import (
    BodypartGroup,
    MotionConfig,
    ProjectionGroup,
    RetargetConfig,
    RootOffset,
)
from animation_server.motion.dump import dump_arrays
from animation_server.motion.retarget import RetargetResult, retarget
from animation_server.rig.skeleton import angle_from_up_deg
from bvh_tools import quaternion as quat
from bvh_tools.clip import Clip, Skeleton
from tests.motion_clips import (
    TEXTURE_SIZE,
    configs,
    drawn_skeleton,
    mirrored,
    standing,
    swap_sides,
    turned,
    wriggle,
)


def run(
    clip: Clip, motion: MotionConfig | None = None, config: RetargetConfig | None = None, **parts: object
) -> RetargetResult:
    """Retarget onto the drawn figure; by default as `configs` has it."""
    default_motion, default_config = configs(clip)
    skeleton = parts.get("skeleton", drawn_skeleton())
    assert isinstance(skeleton, CharacterSkeleton)
    return retarget(clip, motion or default_motion, config or default_config, skeleton, TEXTURE_SIZE)


def assert_same_motion(a: RetargetResult, b: RetargetResult, atol: float = 1e-9) -> None:
    np.testing.assert_allclose(a.motion.joints_xyz, b.motion.joints_xyz, atol=atol)
    np.testing.assert_array_equal(a.motion.draw_order, b.motion.draw_order)


@pytest.fixture
def arm() -> tuple[Clip, MotionConfig, RetargetConfig, CharacterSkeleton]:
    """A body with one arm, which rises from hanging to pointing left, on a character of three joints."""
    skeleton = Skeleton(
        ("Body", "Elbow", "Hand", "Side"),
        np.array([-1, 0, 1, 0]),
        np.array([[0.0, 0, 0], [0, -2, 0], [0, -2, 0], [0, 0, 1]]),
        (("Xposition", "Yposition", "Zposition"), (), (), ()),
        {},
    )
    turns = quat.identity(3, 4)
    turns[:, 0] = quat.from_axis_angle([[1.0, 0.0, 0.0]] * 3, np.radians([0.0, 45.0, 90.0]))
    translations = np.tile(skeleton.offsets, (3, 1, 1))
    translations[:, 0, 1] = [0.0, 1.0, 3.0]
    clip = Clip(skeleton, translations, turns, 0.5)
    # "Side" turns with the body, so forward comes from joints whose direction stays: all along z
    motion = MotionConfig(Path("arm.bvh"), "Hand", (("Body", "Side"),), 0.5, "+y")
    config = RetargetConfig(
        char_starting_location=(1.0, 2.0, 3.0),
        bvh_projection_bodypart_groups=(ProjectionGroup("Arm", ("Body", "Elbow", "Hand"), "frontal"),),
        char_bodypart_groups=(BodypartGroup(("Hand",), ("elbow", "hand")),),
        char_bvh_root_offset=RootOffset("Arm", (("Body", "Elbow", "Hand"),), (("root", "elbow", "hand"),)),
        char_joint_bvh_joints_mapping={"elbow": ("Body", "Elbow"), "hand": ("Elbow", "Hand")},
    )
    character = CharacterSkeleton(
        ("root", "elbow", "hand"), np.array([-1, 0, 1]), np.array([[0.0, 50.0], [0.0, 60.0], [30.0, 60.0]])
    )
    return clip, motion, config, character


def test_an_arm_by_hand(arm: tuple[Clip, MotionConfig, RetargetConfig, CharacterSkeleton]) -> None:
    """Bones keep the drawing's lengths, 0.1 and 0.3, and take the clip's directions.

    The character's limb is 0.4 long, the BVH's 2 after scaling: the root rises by 0.2 of the scaled path.
    """
    clip, motion, config, character = arm
    result = retarget(clip, motion, config, character, (100, 100))
    # turning about +x from hanging swings the hand toward -z, the left of a figure that faces +x
    diagonal = np.sqrt(0.5)
    np.testing.assert_allclose(result.orientations_deg, [[180.0] * 2, [225.0] * 2, [270.0] * 2], atol=1e-9)
    np.testing.assert_allclose(result.char_root_xy, [[0, 0], [0, 0.1], [0, 0.3]], atol=1e-12)
    moved = [
        [[0, 0, 0], [0, -0.1, 0], [0, -0.4, 0]],
        [[0, 0.1, 0], [0.1 * diagonal, 0.1 - 0.1 * diagonal, 0], [0.4 * diagonal, 0.1 - 0.4 * diagonal, 0]],
        [[0, 0.3, 0], [0.1, 0.3, 0], [0.4, 0.3, 0]],
    ]
    np.testing.assert_allclose(result.motion.joints_xyz - [1.0, 2.0, 3.0], moved, atol=1e-12)
    np.testing.assert_array_equal(result.motion.draw_order, [[0, 2, 1]] * 3)  # depth 0: listed in reverse
    assert result.motion.frame_time == 0.5


def test_every_mapped_bone_reaches_its_direction() -> None:
    """Arms too, whatever the trunk does; all others keep their length and are carried along."""
    clip = wriggle(20)
    result = run(clip)
    skeleton, joints = drawn_skeleton(), result.motion.joints_xyz[..., :2]
    names = list(result.motion.joint_names)
    for k, name in enumerate(result.mapped_joint_names):
        joint = names.index(name)
        bone = joints[:, joint] - joints[:, skeleton.parents[joint]]
        off = angle_from_up_deg(bone) - result.orientations_deg[:, k]
        np.testing.assert_allclose((off + 180.0) % 360.0 - 180.0, 0.0, atol=1e-8)
    # no shoulder moves against the neck, no hip against the root
    for a, b, c in (("left_shoulder", "torso", "neck"), ("left_hip", "root", "right_hip")):
        rest = skeleton.joints_px[[names.index(n) for n in (a, c)]] - skeleton.joints_px[names.index(b)]
        posed = joints[:, [names.index(n) for n in (a, c)]] - joints[:, [names.index(b)]]
        np.testing.assert_allclose(
            posed[:, 0, 0] * posed[:, 1, 0] + posed[:, 0, 1] * posed[:, 1, 1],
            (rest[0] @ rest[1]) / max(TEXTURE_SIZE) ** 2,
            atol=1e-9,
        )


def test_shoulders_do_not_nod_with_a_head_that_moves_on_its_own() -> None:
    """Where the neck is measured from the neck and not from the hips, shoulders go with the torso."""
    clip = wriggle(6)
    motion, config = configs(clip)
    mapping = config.char_joint_bvh_joints_mapping | {"neck": ("Neck", "Head")}
    config = replace(
        config,
        char_joint_bvh_joints_mapping=mapping,
        bvh_projection_bodypart_groups=config.bvh_projection_bodypart_groups,
    )
    result = run(clip, motion, config)
    names = list(result.motion.joint_names)
    hip, torso, shoulder = (
        result.motion.joints_xyz[:, names.index(n)] for n in ("hip", "torso", "left_shoulder")
    )
    # in the drawing the shoulder line stands at right angles to the trunk
    np.testing.assert_allclose(((torso - hip) * (shoulder - torso)).sum(axis=1), 0.0, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.floats(-np.pi, np.pi), st.floats(-50, 50), st.floats(0.01, 100))
def test_where_the_clip_stands_does_not_matter(heading: float, shift: float, scale: float) -> None:
    """Turned about the vertical, set elsewhere or read in another unit, a clip moves the character alike."""
    clip = wriggle(8)
    motion, config = configs(clip)
    moved = turned(clip, quat.from_axis_angle([0.0, 1.0, 0.0], heading))
    translations = moved.translations.copy()
    translations[:, 0] += [shift, 2.0 * shift, -shift]
    other = run(
        replace(moved, translations=translations), replace(motion, scale=motion.scale * scale), config
    )
    assert_same_motion(run(clip, motion, config), other, atol=1e-7)


def test_the_up_axis_does_not_matter() -> None:
    """The same clip, laid down for a tool whose up is z, and told so."""
    clip = wriggle(8)
    motion, config = configs(clip)
    z_up = turned(clip, quat.from_axis_angle([1.0, 0.0, 0.0], np.pi / 2))
    assert_same_motion(run(clip, motion, config), run(z_up, replace(motion, up="+z"), config))


def test_a_mirrored_clip_gives_the_mirrored_motion() -> None:
    """On a symmetric drawing, left and right change places."""
    clip = wriggle(10, seed=3)
    motion, config = configs(clip)
    plain, mirror = run(clip, motion, config), run(mirrored(clip), motion, config)
    names = plain.motion.joint_names
    partner = [names.index(swap_sides(name)) for name in names]
    np.testing.assert_allclose(
        mirror.motion.joints_xyz[:, partner] * [-1.0, 1.0, 1.0], plain.motion.joints_xyz, atol=1e-9
    )


def test_a_figure_that_stands_still_stands_still() -> None:
    """In one place, in every frame alike."""
    result = run(standing(6))
    np.testing.assert_allclose(
        result.motion.joints_xyz, np.repeat(result.motion.joints_xyz[:1], 6, axis=0), atol=1e-12
    )
    np.testing.assert_allclose(result.motion.root_xyz, [[0.0, 0.0, -0.5]] * 6, atol=1e-12)


def degenerate_clips() -> dict[str, Clip]:
    clip = wriggle(4)
    flat = clip.translations * [1.0, 0.0, 1.0]
    return {
        "all joints in one point": replace(clip, translations=np.zeros_like(clip.translations)),
        "no height": replace(clip, translations=flat),
        "one frame": wriggle(1),
        "bones that point at the viewer": replace(
            standing(4), translations=standing(4).translations * [0.0, 0.0, 1.0]
        ),
    }


@pytest.mark.parametrize("name", degenerate_clips())
@pytest.mark.parametrize("method", ["frontal", "sagittal", "pca"])
def test_degenerate_clips_give_finite_motion(name: str, method: str) -> None:
    """Never a NaN, and the drawing's bones stay whole."""
    clip = degenerate_clips()[name]
    motion, config = configs(standing())
    groups = tuple(replace(g, method=method) for g in config.bvh_projection_bodypart_groups)
    config = replace(config, bvh_projection_bodypart_groups=groups)
    result = run(clip, replace(motion, loops=True), config)
    assert all(np.isfinite(a).all() for a in dump_arrays(result).values() if a.dtype.kind == "f")
    skeleton = drawn_skeleton()
    lengths = np.linalg.norm(
        (result.motion.joints_xyz - result.motion.joints_xyz[:, skeleton.parents])[:, 1:], axis=-1
    )
    rest = np.linalg.norm(skeleton.joints_px - skeleton.joints_px[skeleton.parents], axis=1)[1:]
    np.testing.assert_allclose(lengths, np.tile(rest / max(TEXTURE_SIZE), (clip.n_frames, 1)), atol=1e-9)


def test_a_drawing_whose_joints_coincide_gives_finite_motion() -> None:
    """Bones of no length stay so."""
    point = replace(drawn_skeleton(), joints_px=np.full((16, 2), 9.0))
    result = run(wriggle(4), skeleton=point)
    np.testing.assert_allclose(
        result.motion.joints_xyz, result.motion.root_xyz[:, None] + np.zeros((4, 16, 3))
    )


@pytest.mark.parametrize(("neck_row", "driven"), [(60.0, True), (300.0, False)])
def test_a_joint_that_is_not_above_is_not_driven(neck_row: float, driven: bool) -> None:
    """A head drawn below the shoulders keeps its place on the body."""
    skeleton = drawn_skeleton()
    joints_px = skeleton.joints_px.copy()
    joints_px[skeleton.names.index("neck"), 1] = neck_row
    assert (
        "neck" in run(wriggle(4), skeleton=replace(skeleton, joints_px=joints_px)).mapped_joint_names
    ) is driven
    # seen from behind, left and right are swapped, and above is still above
    behind = replace(skeleton, joints_px=np.array([TEXTURE_SIZE[1], 0.0]) + joints_px * [-1.0, 1.0])
    assert ("neck" in run(wriggle(4), skeleton=behind).mapped_joint_names) is driven


def test_a_looping_motion_has_no_jump_at_its_seam() -> None:
    """A walk that travels is brought back to the spot; without `loops` it travels on."""
    n = 24
    phase = np.arange(n) / n * 2 * np.pi
    clip = standing(n)
    rotations, translations = clip.rotations.copy(), clip.translations.copy()
    names = clip.skeleton.names
    for name, swing in (
        ("LeftUpLeg", np.sin(phase)),
        ("RightUpLeg", -np.sin(phase)),
        ("Spine", np.cos(phase)),
    ):
        rotations[:, names.index(name)] = quat.from_axis_angle(np.tile([1.0, 0.0, 0.0], (n, 1)), 0.5 * swing)
    translations[:, 0] += np.arange(n)[:, None] * [0.0, 0.0, 10.0]
    clip = replace(clip, rotations=rotations, translations=translations)
    motion, config = configs(clip)
    groups = tuple(replace(g, method="sagittal") for g in config.bvh_projection_bodypart_groups)
    config = replace(config, bvh_projection_bodypart_groups=groups)
    travelling = run(clip, motion, config).motion
    assert travelling.root_xyz[-1, 0] > 0.5
    looping = run(clip, replace(motion, loops=True), config).motion
    assert looping.loops
    around = np.concatenate([looping.joints_xyz, looping.joints_xyz[:1]])
    steps = np.linalg.norm(np.diff(around, axis=0), axis=-1).max(axis=1)
    assert steps[-1] <= 1.05 * steps[:-1].max()


def without_left_hand(skeleton: CharacterSkeleton) -> CharacterSkeleton:
    keep: NDArray[np.int64] = np.array([k for k, n in enumerate(skeleton.names) if n != "left_hand"])
    parents = [-1 if p < 0 else keep.tolist().index(p) for p in skeleton.parents[keep]]
    return CharacterSkeleton(
        tuple(skeleton.names[k] for k in keep), np.array(parents), skeleton.joints_px[keep]
    )


def test_joints_that_are_not_there_are_named() -> None:
    """On either side; the message says what there is."""
    clip = wriggle(2)
    motion, config = configs(clip)
    with pytest.raises(InputError, match="the character has no joint left_hand; it has root, hip"):
        run(clip, motion, config, skeleton=without_left_hand(drawn_skeleton()))
    foreign = replace(config, char_joint_bvh_joints_mapping={"neck": ("Pelvis", "Head")})
    with pytest.raises(InputError, match="the BVH has no joint Pelvis; it has Hips") as caught:
        run(clip, motion, foreign)
    assert caught.value.code == "unknown_joint"


@pytest.mark.parametrize("dead_band", [0.0, 0.05, 0.5])
def test_group_order_is_the_order_drawn(dead_band: float) -> None:
    """Also where groups change places only once one is clearly ahead."""
    clip = wriggle(40)
    config = replace(configs(clip)[1], depth_dead_band=dead_band)
    result = run(clip, config=config)
    places = np.argsort(result.motion.draw_order, axis=1)
    first = [result.motion.joint_names.index(group.char_joints[0]) for group in config.char_bodypart_groups]
    np.testing.assert_array_equal(result.group_order, np.argsort(places[:, first], axis=1))


def test_dump_names_every_array() -> None:
    """Shapes agree with the names beside them."""
    arrays = dump_arrays(run(wriggle(5)))
    j, m, d = (len(arrays[key]) for key in ("joint_names", "mapped_joint_names", "depth_driver_names"))
    shapes = {key: value.shape for key, value in arrays.items() if not key.endswith("_names")}
    assert shapes == {
        "joints_xyz": (5, j, 3),
        "orientations_deg_all": (5, m),
        "char_root_xy_all": (5, 2),
        "depths_all": (5, d),
        "group_order": (5, 5),
    }
    assert ((arrays["orientations_deg_all"] >= 0.0) & (arrays["orientations_deg_all"] < 360.0)).all()
