"""The transform between an image and a network's square input."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchserve_model.letterbox import PAD_VALUE, Letterbox

sides = st.integers(1, 3000)
sizes = st.sampled_from((32, 128, 192, 256))


@given(sides, sides, sizes)
def test_points_return(height: int, width: int, size: int) -> None:
    """Points taken to the network and back are where they were."""
    box = Letterbox.fit(height, width, size)
    points = np.array([[0.0, 0.0], [width, height], [width / 3, height / 7]])
    np.testing.assert_allclose(box.points_to_image(box.points_to_network(points)), points, atol=1e-9 * size)


@given(sides, sides, sizes)
def test_image_lies_inside(height: int, width: int, size: int) -> None:
    """The image's corners lie in the square, one of its sides fills it, and its middle is the square's."""
    box = Letterbox.fit(height, width, size)
    corners = box.points_to_network(np.array([[0.0, 0.0], [width, height]]))
    assert (corners >= -1e-9).all()
    assert (corners <= size + 1e-9).all()
    assert max(box.inner_hw) == size
    assert np.abs(corners.mean(axis=0) - size / 2).max() <= 1.0


@given(sides, sides, st.lists(st.floats(-5000, 5000), min_size=4, max_size=4))
def test_boxes_are_clipped(height: int, width: int, sides_px: list[float]) -> None:
    """Boxes come back inside the image whatever the network says."""
    left, top, right, bottom = Letterbox.fit(height, width, 256).boxes_to_image(np.array(sides_px))
    assert 0 <= left <= width
    assert 0 <= right <= width
    assert 0 <= top <= height
    assert 0 <= bottom <= height


@pytest.mark.parametrize(("height", "width"), [(90, 40), (300, 700), (64, 64)])
def test_apply_places_the_image(height: int, width: int) -> None:
    """A white image is white where the transform says it lies, and padding is grey."""
    box = Letterbox.fit(height, width, 128)
    square = box.apply(np.full((height, width, 3), 255, np.uint8))
    left, top = box.offset_xy
    inner = (slice(top, top + box.inner_hw[0]), slice(left, left + box.inner_hw[1]))
    assert (square[inner] == 255).all()
    square[inner] = PAD_VALUE
    assert (square == PAD_VALUE).all()


@pytest.mark.parametrize(("height", "width"), [(90, 40), (500, 300)])
def test_maps_come_back_to_their_place(height: int, width: int) -> None:
    """A disc drawn in the image, seen by the network and taken back, covers itself."""
    disc = cv2.circle(np.zeros((height, width), np.uint8), (width // 2, height // 3), width // 4, 255, -1)
    box = Letterbox.fit(height, width, 192)
    back = box.map_to_image(box.apply(disc).astype(np.float32) / 255) > 0.5
    true = disc > 0
    assert (back & true).sum() / (back | true).sum() > 0.95


def test_a_wrong_size_is_refused() -> None:
    """An image of another size than the transform's is a mistake, and so is one without pixels."""
    with pytest.raises(ValueError, match="want"):
        Letterbox.fit(10, 10, 32).apply(np.zeros((10, 11, 3), np.uint8))
    with pytest.raises(ValueError, match="want at least"):
        Letterbox.fit(0, 10, 32)
