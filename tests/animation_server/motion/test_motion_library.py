"""Loading motions by name and by file."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from animation_server.errors import InputError
from animation_server.motion.library import LIBRARY, list_motions, load_motion, motion_names
from animation_server.motion.mapping import derive_retarget_config
from animation_server.motion.retarget import retarget
from bvh_tools.bvh import write_bvh
from tests.motion_clips import TEXTURE_SIZE, drawn_skeleton, wriggle


def test_three_motions_are_bundled_and_loaded_once() -> None:
    """Those of the original mobile contract; the same object every time."""
    assert set(motion_names()) >= {"dab", "jumping", "zombie"}
    assert [motion.name for motion in list_motions()] == list(motion_names())
    assert load_motion("dab") is load_motion("dab")


@pytest.mark.parametrize("name", motion_names())
def test_bundled_motions_move_a_drawing_and_loop_without_a_jump(name: str) -> None:
    """Every joint's step over the seam is like its others."""
    motion = load_motion(name)
    result = retarget(motion.clip, motion.config, motion.retarget, drawn_skeleton(), TEXTURE_SIZE)
    joints = result.motion.joints_xyz
    assert np.isfinite(joints).all()
    assert np.ptp(joints, axis=0).max() > 0.1
    assert result.motion.loops
    steps = np.linalg.norm(np.diff(np.concatenate([joints, joints[:1]]), axis=0), axis=-1).max(axis=1)
    assert steps[-1] <= 1.2 * steps[:-1].max()


@pytest.mark.parametrize("name", motion_names())
def test_no_bone_of_a_bundled_motion_flips_over(name: str) -> None:
    """From one frame to the next, over the seam too, none turns more than an eye follows as a movement."""
    motion = load_motion(name)
    result = retarget(motion.clip, motion.config, motion.retarget, drawn_skeleton(), TEXTURE_SIZE)
    turns = np.diff(result.orientations_deg, axis=0, append=result.orientations_deg[:1])
    turns = np.abs((turns + 180.0) % 360.0 - 180.0)
    assert turns.max(axis=0) == pytest.approx(0.0, abs=60.0)


@pytest.mark.parametrize("frames", [1, 7, 20, 300])
def test_resampling_keeps_the_time(frames: int) -> None:
    """Any number of frames over the same seconds."""
    motion = load_motion("dab")
    other = motion.resampled(frames)
    assert other.n_frames == frames
    assert other.duration == pytest.approx(motion.duration)
    assert motion.resampled(motion.n_frames).clip is motion.clip


def test_resampling_to_nothing_is_refused() -> None:
    """As bad input, not as a bug."""
    with pytest.raises(InputError, match="at least 1, got 0"):
        load_motion("dab").resampled(0)


@pytest.mark.parametrize("name", ["", "moonwalk", "../dab", "dab.yaml", "/etc/hostname"])
def test_unknown_names_are_refused_with_those_that_exist(name: str) -> None:
    """Text is never taken for a path, so names that clients send are safe."""
    with pytest.raises(InputError, match=", ".join(motion_names())) as caught:
        load_motion(name)
    assert caught.value.code == "unknown_motion"
    assert caught.value.status == 422


def write_motion(folder: Path, **changes: object) -> Path:
    write_bvh(wriggle(12), folder / "wriggle.bvh")
    text = (LIBRARY / "dab.yaml").read_text()
    lines = [
        line for line in text.splitlines() if line.split(":")[0] not in {"filepath", "retarget", *changes}
    ]
    lines += ["filepath: wriggle.bvh", *(f"{key}: {value}" for key, value in changes.items())]
    path = folder / "motion.yaml"
    path.write_text("\n".join(lines))
    return path


def test_a_configuration_cuts_its_frames(tmp_path: Path) -> None:
    """The end is excluded, and the retargeting is made from the skeleton where none is named."""
    motion = load_motion(write_motion(tmp_path, start_frame_idx=2, end_frame_idx=9))
    assert motion.name == "motion"
    assert motion.n_frames == 7
    assert motion.retarget == derive_retarget_config(motion.clip)
    whole = load_motion(tmp_path / "wriggle.bvh")
    assert whole.n_frames == 12
    np.testing.assert_array_equal(whole.clip.rotations[2:9, 1], motion.clip.rotations[:, 1])


def test_a_given_retarget_configuration_wins(tmp_path: Path) -> None:
    """Over the motion's own, and over one made from the skeleton."""
    shutil.copy(LIBRARY / "frontal.yaml", tmp_path / "other.yaml")
    path = write_motion(tmp_path, retarget="nowhere.yaml")
    given = load_motion(path, tmp_path / "other.yaml").retarget
    assert given == load_motion("dab").retarget
    assert load_motion(tmp_path / "wriggle.bvh", tmp_path / "other.yaml").retarget == given
    with pytest.raises(InputError, match=r"nowhere\.yaml: cannot read"):
        load_motion(path)


@pytest.mark.parametrize(("start", "end"), [(0, 13), (12, "null"), (50, 60)])
def test_frames_beyond_the_file_are_refused(start: int, end: object, tmp_path: Path) -> None:
    """With how many there are."""
    with pytest.raises(InputError, match=r"within the 12 of wriggle\.bvh"):
        load_motion(write_motion(tmp_path, start_frame_idx=start, end_frame_idx=end))


def test_unreadable_files_are_bad_input(tmp_path: Path) -> None:
    """A BVH cut short, one that is not there, and a file of another kind."""
    whole = tmp_path / "wriggle.bvh"
    write_bvh(wriggle(3), whole)
    (tmp_path / "cut.bvh").write_text(whole.read_text()[:-200])
    with pytest.raises(InputError, match=r"cut\.bvh") as caught:
        load_motion(tmp_path / "cut.bvh")
    assert caught.value.code == "bad_bvh"
    with pytest.raises(InputError, match=r"none\.bvh: cannot read"):
        load_motion(tmp_path / "none.bvh")
    with pytest.raises(InputError, match=r"expected a motion configuration \(\.yaml, \.yml\) or a BVH"):
        load_motion(tmp_path / "motion.fbx")
