"""Motions of different length side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from animation_server.motion.rig_motion import RigMotion
from animation_server.motion.timeline import share_time
from tests.puppetry import drawn_character, swaying


def motion(n_frames: int, frame_time: float, *, loops: bool) -> RigMotion:
    return replace(swaying(drawn_character(), n_frames), frame_time=frame_time, loops=loops)


def test_the_longest_motion_is_shown_whole() -> None:
    """Its every frame once; one that is over before holds its last frame, or starts again."""
    motions = [motion(4, 0.1, loops=False), motion(10, 0.1, loops=False), motion(4, 0.1, loops=True)]
    timing, (held, whole, looped) = share_time(motions, 50.0)
    assert timing.duration == pytest.approx(1.0)
    assert whole.tolist() == list(range(10))
    assert held.tolist() == [0, 1, 2, 3, 3, 3, 3, 3, 3, 3]
    assert looped.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]


def test_frame_times_may_differ() -> None:
    """The first motion's frames are counted; the others follow by the clock."""
    timing, (first, second) = share_time([motion(5, 0.1, loops=False), motion(25, 0.02, loops=False)], 50.0)
    assert first.tolist() == [0, 1, 2, 3, 4]
    assert second.tolist() == [0, 5, 10, 15, 20]
    assert timing.duration == pytest.approx(0.5)


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_speed_divides_the_time(speed: float) -> None:
    """Slow clips show all frames for longer; fast ones leave some out rather than pass the rate."""
    timing, (frames,) = share_time([motion(30, 1 / 30, loops=False)], 30.0, speed=speed)
    assert timing.duration == pytest.approx(1 / speed)
    assert len(frames) == (15 if speed == 2 else 30)
    assert (np.diff(frames) == (2 if speed == 2 else 1)).all()
