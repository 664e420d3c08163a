"""What a clip is said to be, and what is found wrong with it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from bvh_tools import humanoid
from bvh_tools import quaternion as quat
from bvh_tools.authoring import build_clip
from bvh_tools.check import check
from bvh_tools.clip import Clip
from bvh_tools.convert import change_scale, change_up
from bvh_tools.info import describe, guess_unit, guess_up
from bvh_tools.loop import loop

NOD = """
duration: 2
loops: true
keys:
  - {at: 0, root: [0, 92, 0], turn: {Head: [0, 0, 0]}, aim: {LeftArm: [1, -1, 0]}}
  - {at: 1, root: [0, 88, 0], turn: {Head: [20, 0, 0]}, aim: {LeftArm: [1, 0, 0]}}
"""


def _nod() -> Clip:
    return build_clip(NOD)


def _codes(clip: Clip) -> set[str]:
    return {finding.code for finding in check(clip) if finding.level != "note"}


@pytest.mark.parametrize("up", ["+y", "+z", "-x"])
def test_a_clip_is_described(up: str) -> None:
    """Counts, times, the up axis, the height and its unit, and whether it loops."""
    info = describe(change_up(_nod(), "+y", up))
    assert (info.n_frames, info.fps, info.duration) == (60, pytest.approx(30.0), pytest.approx(2.0))
    assert (info.n_joints, info.n_channels, info.n_end_sites) == (25, 78, 5)
    assert info.up == up
    assert info.height == pytest.approx(175.0, abs=5.0)
    assert info.unit == "cm"
    assert info.loops
    assert info.travel == pytest.approx(0.0, abs=1e-6)
    assert json.loads(json.dumps(info.as_dict()))["joints"][0] == "Hips"


def _crawl() -> Clip:
    """A figure on its belly that goes forwards, the way its head points, and bobs."""
    skeleton = humanoid.skeleton()
    n = 60
    bob = np.sin(np.arange(n) * 4.0 * np.pi / n)
    translations = np.tile(skeleton.offsets, (n, 1, 1))
    translations[:, 0] = np.stack([np.zeros(n), 40.0 + 2.0 * bob, 1.5 * np.arange(n)], axis=-1)
    rotations = quat.identity(n, skeleton.n_joints)
    rotations[:, 0] = quat.from_euler((85.0 + 3.0 * bob)[:, None], "X")
    return Clip(skeleton, translations, rotations, 1.0 / 30.0)


@pytest.mark.parametrize("up", ["+y", "+z", "-x"])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_crawling_figure_does_not_stand_along_its_way(up: str, backwards: bool) -> None:
    """Its rest pose tells what is up, so that it can be held in place."""
    clip = _crawl()
    if backwards:
        clip = replace(clip, translations=clip.translations[::-1], rotations=clip.rotations[::-1])
    crawl = change_up(clip, "+y", up)
    assert guess_up(crawl) == up
    root = loop(crawl, in_place=True, up=guess_up(crawl)).translations[:, 0]
    assert np.ptp(root, axis=0).max() < 5.0


@pytest.mark.parametrize("rise", [-300.0, 60.0, 300.0])
def test_a_figure_that_climbs_still_stands(rise: float) -> None:
    """Going up or down, or getting up, does not tip it over."""
    clip = _nod()
    translations = clip.translations.copy()
    translations[:, 0, 1] += np.linspace(0.0, rise, clip.n_frames)
    assert guess_up(replace(clip, translations=translations)) == "+y"


def test_units_are_guessed_from_a_persons_height() -> None:
    """A person is 1.7 m, 17 dm, 67 in, 170 cm, 1700 mm; 25 of a unit tells nothing."""
    guesses = [guess_unit(height) for height in (1.7, 17.0, 67.0, 170.0, 1700.0, 31.0, 0.01)]
    assert guesses == ["m", "dm", "in", "cm", "mm", None, None]
    assert describe(change_scale(_nod(), 0.01)).unit == "m"


def test_a_sound_clip_passes() -> None:
    """Nothing but notes about a clip that is well."""
    assert _codes(_nod()) == set()


def test_flips_and_jumps_are_found_where_they_are() -> None:
    """A joint turned round and a root put elsewhere for a frame are named with frame and joint."""
    clip = _nod()
    rotations, translations = clip.rotations.copy(), clip.translations.copy()
    rotations[20:, 6] = quat.mul(rotations[20:, 6], quat.from_euler([170.0, 0.0, 0.0], "ZXY"))
    translations[40, 0, 0] += 150.0
    findings = [f for f in check(replace(clip, rotations=rotations, translations=translations)) if f.frame]
    assert {(f.code, f.frame, f.joint) for f in findings} == {
        ("flip", 20, "Head"),
        ("jump", 40, "Hips"),
        ("jump", 41, "Hips"),
    }
    assert str(findings[0]).startswith("warning: flip: frame 20, Head: turns 170 degrees")


def test_sliding_feet_are_noted() -> None:
    """A figure moved over the ground without steps slides on both feet."""
    clip = _nod()
    translations = clip.translations.copy()
    translations[:, 0, 0] += np.linspace(0.0, 300.0, clip.n_frames)
    slid = [f.joint for f in check(replace(clip, translations=translations)) if f.code == "foot-sliding"]
    assert slid == ["RightFoot", "LeftFoot"]


def test_numbers_that_cannot_be_are_errors() -> None:
    """NaN, quaternions that are no rotations and impossible frame times end the check."""
    clip = _nod()
    broken = clip.rotations.copy()
    broken[3, 2, 1] = np.nan
    (finding,) = check(replace(clip, rotations=broken))
    assert (finding.level, finding.code, finding.frame, finding.joint) == ("error", "non-finite", 3, "Spine1")
    (finding,) = check(replace(clip, rotations=clip.rotations * 2.0))
    assert finding.code == "not-unit"
    (finding,) = check(replace(clip, frame_time=0.0))
    assert finding.code == "frame-time"
    assert "frame-rate" in _codes(replace(clip, frame_time=33.3))
