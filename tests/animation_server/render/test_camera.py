"""From the world to pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from animation_server.errors import InputError
from animation_server.render.camera import fitting_camera, perspective_camera
from tests.places import SHARED

REFERENCES = sorted((SHARED / "reference").glob("*.npz"))
coordinates = st.floats(-10, 10)


@given(
    st.tuples(coordinates, coordinates),
    st.tuples(st.floats(0, 5), st.floats(0.01, 5)),
    st.tuples(st.integers(16, 900), st.integers(16, 900)),
)
def test_the_box_fits_and_is_as_large_as_it_can_be(
    low: tuple[float, float], extent: tuple[float, float], size: tuple[int, int]
) -> None:
    """Corners keep the margin, one direction uses it up, the middle is in the middle, pixels are square."""
    camera = fitting_camera(low, np.add(low, extent), *size, margin=0.05)
    corners = camera.project([[*low, 0.0], [*np.add(low, extent), 3.0]])
    margin = 0.05 * min(size)
    assert (corners >= margin - 1e-6).all()
    assert (corners <= np.array(size) - margin + 1e-6).all()
    free = np.array(size) - 2 * margin
    assert np.isclose(np.abs(corners[1] - corners[0]) / free, 1.0, atol=1e-6).any()
    np.testing.assert_allclose(corners.mean(axis=0), np.array(size) / 2, atol=1e-6)
    assert corners[0, 1] > corners[1, 1]  # y is up in the world and down in the picture


@pytest.mark.skipif(not REFERENCES, reason="the reference numbers are not beside the checkout")
@pytest.mark.parametrize("path", REFERENCES, ids=lambda path: path.stem)
def test_perspective_agrees_with_the_reference(path: Path) -> None:
    """AnimatedDrawings' default camera puts every joint on the same pixel."""
    with np.load(path) as reference:
        joints = reference["joints_xyz"]
        clip = np.append(joints, np.ones((*joints.shape[:2], 1)), axis=2)
        clip = clip @ (reference["camera_proj_500x500"] @ reference["camera_view"]).T.astype(np.float64)
    device = clip[..., :2] / clip[..., 3:]
    wanted = np.stack(((device[..., 0] + 1) * 250, (1 - device[..., 1]) * 250), axis=-1)
    camera = perspective_camera((0.0, 0.7, 2.0), (0.0, 0.5, 2.0), 500, 500)
    np.testing.assert_allclose(camera.project(joints), wanted, atol=0.01)


def test_pixels_per_unit() -> None:
    """About 317 pixels at two and a half units before AnimatedDrawings' camera, as its picture measures."""
    camera = perspective_camera((0.0, 0.0, 2.5), (0.0, 0.0, 1.0), 500, 500)
    assert camera.pixels_per_unit((0.0, 0.0, 0.0)) == pytest.approx(317, abs=1)


def test_a_camera_that_looks_straight_up_is_refused() -> None:
    """There is no way to tell where such a picture's upper edge is."""
    with pytest.raises(InputError, match="forward vector"):
        perspective_camera((0, 0, 0), (0, 1, 0), 10, 10)
