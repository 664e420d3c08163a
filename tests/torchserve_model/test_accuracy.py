"""How predictions are scored."""

from __future__ import annotations

import numpy as np
import pytest

from torchserve_model.metrics import cut, keypoint_errors, mask_iou, match_boxes

BOXES = np.array([[0, 0, 10, 10], [20, 0, 30, 20], [50, 50, 60, 60]], dtype=np.float64)


def test_the_truth_matches_itself() -> None:
    """Right boxes, in any order, are paired with themselves at an IoU of one."""
    order = [2, 0, 1]
    assert match_boxes(BOXES[order], BOXES) == [(0, 2, 1.0), (1, 0, 1.0), (2, 1, 1.0)]


def test_a_figure_is_matched_once() -> None:
    """Of two boxes on one figure the first, which is better, takes it; one found elsewhere is alone."""
    found = np.array([[0, 0, 10, 9], [0, 0, 10, 10], [80, 80, 90, 90]], dtype=np.float64)
    assert match_boxes(found, BOXES) == [(0, 0, pytest.approx(0.9))]
    assert match_boxes(found, np.zeros((0, 4))) == []


def test_masks_overlap_from_none_to_all() -> None:
    """Nothing in common is 0, the same is 1, and two empty masks agree."""
    mask = np.zeros((8, 8), bool)
    assert mask_iou(mask, mask) == 1.0
    half = mask.copy()
    half[:4] = True
    assert mask_iou(half, ~half) == 0.0
    assert mask_iou(half, half) == 1.0
    assert mask_iou(half, ~mask) == 0.5


def test_errors_are_parts_of_the_figure() -> None:
    """A joint five pixels off on a figure of a hundred is five per cent off."""
    errors = keypoint_errors(np.array([[3.0, 4.0], [0.0, 0.0]]), np.zeros((2, 2)), 100.0)
    assert errors.tolist() == [0.05, 0.0]


@pytest.mark.parametrize(("left", "expected"), [(-1, False), (0, False), (0.3, False), (0.5, True)])
def test_a_box_cuts_when_it_leaves_out_much(left: float, expected: bool) -> None:
    """Two per cent of the longer side may be left out; too much around is no cut."""
    assert cut(np.array([left, 0, 10, 20]), np.array([0, 0, 10, 20])) is expected
