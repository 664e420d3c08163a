"""Channel values and rotations."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bvh_tools import quaternion as quat
from bvh_tools.bvh_parser import parse_bvh
from bvh_tools.bvh_writer import format_bvh
from bvh_tools.channels import from_channels
from bvh_tools.clip import Clip, Skeleton
from bvh_tools.errors import BvhError
from tests.bvh_clips import assert_same_clip

ORDERS = ["".join(order) for count in range(4) for order in permutations("XYZ", count)]


def _turning(order: str, angles_deg: list[tuple[float, float, float]]) -> Clip:
    """One joint with rotation channels in this order, turned by so many degrees in each frame."""
    channels = tuple(f"{letter}rotation" for letter in order)
    skeleton = Skeleton(("Elbow",), np.array([-1]), np.zeros((1, 3)), (channels,), {})
    values = np.array(angles_deg, dtype=np.float64)[:, : len(order)]
    return Clip(skeleton, *from_channels(skeleton, values), frame_time=0.1)


_angles = st.one_of(st.floats(-400.0, 400.0), st.integers(-4, 4).map(lambda quarter: 90.0 * quarter))


@given(
    order=st.sampled_from(ORDERS),
    angles=st.lists(st.tuples(_angles, _angles, _angles), min_size=1, max_size=5),
)
@example(order="ZX", angles=[(0.0, x, 0.0) for x in (60.0, 80.0, 100.0, 120.0)])
def test_whatever_channels_say_they_can_say_again(
    order: str, angles: list[tuple[float, float, float]]
) -> None:
    """Any angles in any number of rotation channels are written back as the same rotations."""
    clip = _turning(order, angles)
    assert_same_clip(parse_bvh(format_bvh(clip)), clip)


@pytest.mark.parametrize("order", [order for order in ORDERS if len(order) < 3])
def test_turns_about_other_axes_are_refused_with_the_way_out(order: str) -> None:
    """Channels that are missing are not made up; the message names the joint and the mend."""
    clip = _turning(order, [(100.0, 100.0, 0.0), (20.0, 130.0, 0.0)])
    missing = next(letter for letter in "XYZ" if letter not in order)
    turned = quat.mul(clip.rotations, quat.from_euler([[[1.0]], [[20.0]]], missing))
    with pytest.raises(BvhError, match=r"'Elbow' turns about an axis .*give it all three"):
        format_bvh(Clip(clip.skeleton, clip.translations, turned, clip.frame_time))
