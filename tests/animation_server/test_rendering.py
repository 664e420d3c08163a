"""Motions of the library on a character, as options ask for them."""

from __future__ import annotations

import pytest

from animation_server.animate import AnimationOptions
from animation_server.motion.library import load_motion
from animation_server.rendering import set_in_motion
from animation_server.sample import sample_character
from animation_server.service.library_renderer import LibraryRenderer


@pytest.mark.parametrize("frames", [3, 40, 150])
def test_a_number_of_frames_is_kept_to(frames: int) -> None:
    """More or fewer frames than the motion has: that many are shown, over the same duration."""
    renderer = LibraryRenderer()
    prepared = renderer.prepare(sample_character())
    clip = renderer.render(prepared, "dab", AnimationOptions(size=(40, 40), frames=frames))
    assert clip.n_frames == frames
    assert clip.duration == pytest.approx(renderer.motions["dab"].duration_s, abs=0.01)


def test_frames_in_between_are_new_poses() -> None:
    """Twice the frames is a smoother motion, not every frame twice."""
    motion = load_motion("dab")
    moved = set_in_motion(sample_character(), motion, 2 * motion.n_frames).motion
    hand = moved.joints_xyz[:, moved.joint_names.index("left_hand")]
    steps = abs(hand[1:] - hand[:-1]).max(axis=1)
    assert (steps > 0).mean() > 0.8
