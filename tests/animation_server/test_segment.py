"""The mask: snapped to ink, one figure, limbs kept, openings left open."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from animation_server.segment import TOLERANCES, find_ink, segment, segment_classically
from tests.figures import INK, LIMBS, PAPER, DrawnFigure, draw_figure


def bones(figure: DrawnFigure) -> NDArray[np.float64]:
    """Bones of the four limbs."""
    return np.array(
        [[figure.keypoints[a], figure.keypoints[b]] for limb in LIMBS for a, b in itertools.pairwise(limb)]
    )


def blur(mask: NDArray[np.bool_], cells: int = 80) -> NDArray[np.bool_]:
    """What a network of low resolution makes of a mask."""
    height, width = mask.shape
    small = cv2.resize(mask.astype(np.float32), (cells, cells), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR) > 0.35


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Overlap of two masks."""
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("line", [1, 3, 8])
def test_ink_sharpens_a_blurry_mask(line: int) -> None:
    """The result is closer to the truth than the network's mask, and covers the ink."""
    figure = draw_figure(line)
    rough = blur(figure.mask)
    mask = segment(figure.rgb, rough, bones(figure))
    rim = np.ones((2 * TOLERANCES.rim_px + 1,) * 2, np.uint8)
    truth = cv2.dilate(figure.mask.astype(np.uint8), rim).astype(bool)
    assert iou(mask, truth) > max(0.95, iou(rough, truth))
    ink = (figure.rgb != np.array(PAPER, np.uint8)).any(axis=2)
    assert (mask & ink).sum() >= 0.999 * ink.sum()


def test_limbs_that_the_network_missed_are_kept() -> None:
    """Ink along a bone belongs to the figure."""
    figure = draw_figure(2)
    rough = blur(figure.mask)
    rough[:, :100] = False
    mask = segment(figure.rgb, rough, bones(figure))
    assert mask[140:150, 36:40].any()
    assert iou(mask, figure.mask) > 0.93


@pytest.mark.parametrize("tilt", [0.0, 60.0])
def test_light_that_falls_off_is_not_paint(tilt: float) -> None:
    """A gradient of light across the paper changes neither ink nor mask."""
    figure = draw_figure()
    light = 1 - tilt / 100 * np.linspace(0, 1, figure.rgb.shape[1])[None, :, None]
    lit = (figure.rgb * light).astype(np.uint8)
    ink = find_ink(lit, blur(figure.mask))
    assert not ink[5:100, 230:].any()
    assert iou(segment(lit, blur(figure.mask), bones(figure)), figure.mask) > 0.93


def test_an_opening_between_arm_and_body_stays_open() -> None:
    """Paper that the figure's limbs surround is not the figure, where the network says so."""
    figure = draw_figure()
    rgb, mask = figure.rgb.copy(), figure.mask.astype(np.uint8)
    for canvas, colour in ((rgb, (40, 40, 60)), (mask, 1)):
        cv2.polylines(canvas, [np.array([(190, 120), (250, 165), (190, 210)], np.int32)], False, colour, 3)
    result = segment(rgb, blur(mask.astype(bool)), bones(figure))
    assert not result[155:175, 205:225].any()


def test_a_hole_that_the_network_calls_figure_is_closed() -> None:
    """The paper inside an outlined body is the body."""
    figure = draw_figure()
    result = segment(figure.rgb, blur(figure.mask), bones(figure))
    assert result[120:210, 120:180].all()
    assert result[40:80, 130:170].all()


def test_a_neighbour_is_not_taken_along() -> None:
    """Ink close to the figure that the network did not see stays out."""
    figure = draw_figure()
    rgb = figure.rgb.copy()
    cv2.circle(rgb, (270, 40), 20, (200, 120, 20), -1)
    result = segment(rgb, blur(figure.mask), bones(figure))
    assert not result[25:55, 255:285].any()


def test_a_foot_of_one_line_is_followed_to_its_end() -> None:
    """A stroke that leaves a limb's tip and stops belongs to the figure, though the network cut it short."""
    figure = draw_figure()
    rgb = figure.rgb.copy()
    cv2.line(rgb, (190, 330), (255, 322), INK, 3)
    mask = segment(rgb, blur(figure.mask), bones(figure))
    assert mask[322:325, 250:254].any()
    assert iou(mask[:310], segment(figure.rgb, blur(figure.mask), bones(figure))[:310]) > 0.99


@pytest.mark.parametrize("open_edge", [True, False])
def test_a_line_to_the_crops_edge_is_the_ground_unless_the_crop_may_be_too_small(open_edge: bool) -> None:
    """It is the first look that asks for a larger crop."""
    figure = draw_figure()
    rgb, rough = figure.rgb[:, :280].copy(), blur(figure.mask)[:, :280]
    cv2.line(rgb, (190, 330), (279, 334), INK, 3)
    mask = segment(rgb, rough, bones(figure), open_edge=open_edge)
    assert mask[:, -1].any() == open_edge


def test_a_ruling_behind_the_feet_is_not_followed() -> None:
    """More loose strokes than limbs are a pattern on the paper."""
    figure = draw_figure()
    rgb = figure.rgb.copy()
    for y in range(290, 345, 9):
        cv2.line(rgb, (60, y), (225, y), INK, 2)
    rgb[figure.mask] = figure.rgb[figure.mask]
    mask = segment(rgb, blur(figure.mask), bones(figure))
    assert not mask[285:350, 215:].any()


def test_without_a_network_the_outline_is_filled() -> None:
    """The classical way finds the whole figure on clean paper."""
    figure = draw_figure()
    assert iou(segment_classically(figure.rgb), figure.mask) > 0.9
    assert iou(segment(figure.rgb, None, bones(figure)), figure.mask) > 0.9


def test_a_blank_crop_falls_back_to_the_bones() -> None:
    """Nothing to see still gives a mask that can be meshed."""
    figure = draw_figure()
    blank = np.full_like(figure.rgb, 255)
    mask = segment(blank, None, bones(figure))
    assert mask.any()
    assert mask[145, 264]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["noise", "black", "white"]),
    st.sampled_from([None, "empty", "full", "noise"]),
)
def test_no_crop_is_too_odd(height: int, width: int, seed: int, paint: str, rough: str | None) -> None:
    """Any size, any content, any rough mask: a mask of the same size, never empty, no exception."""
    rng = np.random.default_rng(seed)
    shape = (height, width)
    rgb = {
        "noise": rng.integers(0, 256, (*shape, 3), dtype=np.uint8),
        "black": np.zeros((*shape, 3), np.uint8),
        "white": np.full((*shape, 3), 255, np.uint8),
    }[paint]
    masks = {
        None: None,
        "empty": np.zeros(shape, bool),
        "full": np.ones(shape, bool),
        "noise": rng.random(shape) > 0.5,
    }
    ends = rng.uniform(0, [width - 1, height - 1], (4, 2, 2)) if min(shape) > 1 else np.zeros((4, 2, 2))
    mask = segment(rgb, masks[rough], ends)
    assert mask.shape == shape
    assert mask.dtype == np.bool_
    assert mask.any()
