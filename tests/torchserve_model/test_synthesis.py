"""Synthetic drawings: the same from the same seed, and labelled exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from torchserve_model.synthesis import families, medium
from torchserve_model.synthesis.canvas import Canvas
from torchserve_model.synthesis.figure import draw_figure
from torchserve_model.synthesis.sample import KEYPOINTS, PARTS, Sheet, draw_crop, draw_other_crop, draw_sheet
from torchserve_model.synthesis.sketch import Sketch, bounds

CROPS = 60
SHEETS = 60


def crop(seed: int, size: int = 160) -> Sheet:
    return draw_crop(np.random.default_rng([7, seed]), size)


def sheet(seed: int, size: int = 256) -> Sheet:
    return draw_sheet(np.random.default_rng([7, seed]), size)


@pytest.fixture(scope="module")
def crops() -> list[Sheet]:
    return [crop(seed) for seed in range(CROPS)]


@pytest.fixture(scope="module")
def sheets() -> list[Sheet]:
    return [sheet(seed) for seed in range(SHEETS)]


@pytest.mark.parametrize("draw", [crop, sheet])
def test_same_seed_same_drawing(draw) -> None:
    """Two generators of one seed give equal pictures and labels; another seed gives others."""
    for seed in range(12):
        a, b = draw(seed), draw(seed)
        assert np.array_equal(a.image, b.image)
        assert len(a.figures) == len(b.figures)
        for f, g in zip(a.figures, b.figures, strict=True):
            assert np.array_equal(f.keypoints, g.keypoints)
            assert np.array_equal(f.mask, g.mask)
    assert draw(0).image.shape != draw(1).image.shape or not np.array_equal(draw(0).image, draw(1).image)


def test_global_random_state_is_not_used() -> None:
    """Drawing neither reads nor moves numpy's global generator."""
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    crop(3)
    sheet(3)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_shapes_and_types(crops: list[Sheet], sheets: list[Sheet]) -> None:
    """Pictures are RGB bytes with the longer side as asked for; labels have the promised shapes."""
    for picture, size in [(c, 160) for c in crops] + [(s, 256) for s in sheets]:
        assert picture.image.dtype == np.uint8
        assert picture.image.ndim == 3
        assert picture.image.shape[2] == 3
        assert max(picture.image.shape) == size
        for figure in picture.figures:
            assert figure.keypoints.shape == (len(KEYPOINTS), 2)
            assert figure.keypoints.dtype == np.float32
            assert np.isfinite(figure.keypoints).all()
            assert figure.present.shape == (13,)
            assert figure.present.dtype == np.bool_
            assert figure.mask.shape == picture.image.shape[:2]
            assert figure.mask.dtype == np.bool_
            assert figure.bbox_xyxy.shape == (4,)
            assert figure.bbox_xyxy.dtype == np.float32


def test_boxes_are_tight(crops: list[Sheet], sheets: list[Sheet]) -> None:
    """A box is the mask's own bounding box."""
    for picture in crops + sheets:
        for figure in picture.figures:
            rows, columns = np.nonzero(figure.mask)
            expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert figure.bbox_xyxy.tolist() == expected


def test_joints_lie_on_the_figure(crops: list[Sheet]) -> None:
    """Joints that are present lie in the picture, and within a few percent of the mask nearly always."""
    distances = []
    for picture in crops:
        figure = picture.figures[0]
        height, width = figure.mask.shape
        points = figure.keypoints[figure.present]
        assert (points >= 0).all()
        assert (points <= (width, height)).all()
        rows, columns = np.nonzero(figure.mask)
        pixels = np.stack((columns, rows), axis=1) + 0.5
        gap = np.hypot(*(points[:, None] - pixels[None]).transpose(2, 0, 1)).min(axis=1)
        distances.append(gap / max(height, width))
    everything = np.concatenate(distances)
    assert (everything < 0.03).mean() > 0.98
    assert everything.max() < 0.12


def test_crops_hold_one_figure_that_fills_them(crops: list[Sheet]) -> None:
    """The figure's larger side takes most of the crop, within the box's jitter."""
    for picture in crops:
        (figure,) = picture.figures
        left, top, right, bottom = figure.bbox_xyxy
        assert max(right - left, bottom - top) > 0.6 * max(picture.image.shape)
        assert figure.present[[0, 7, 8]].sum() >= 1


def test_left_is_at_the_right_of_the_picture() -> None:
    """Figures face us: nearly always, their left side is at the image's right."""
    shoulders, hips = [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        drawn = draw_figure(rng, families.PAPER_MIX, medium.paper_medium(rng))
        shoulders.append(drawn.joints[1, 0] > drawn.joints[2, 0])
        hips.append(drawn.joints[7, 0] > drawn.joints[8, 0])
    assert np.mean(shoulders) > 0.95
    assert np.mean(hips) > 0.95


def test_mask_covers_the_ink() -> None:
    """The ink that a figure leaves on an empty page lies within its mask, and within its bounds."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        drawn = draw_figure(rng, families.PAPER_MIX, medium.paper_medium(rng))
        left, top, right, bottom = bounds(list(drawn.marks))
        scale = 230 / max(right - left, bottom - top)
        offset = 128 - scale * np.array([left + right, top + bottom]) / 2
        canvas = Canvas(256)
        canvas.draw(drawn.marks, scale, offset)
        coverage = canvas.mask(drawn.marks, scale, offset)
        ink = canvas.ink().min(axis=2) < 128
        assert ink.any()
        assert (coverage[ink] > 100).mean() > 0.99
        rows, columns = np.nonzero(ink)
        assert columns.min() >= scale * left + offset[0] - 2
        assert columns.max() <= scale * right + offset[0] + 2
        assert rows.min() >= scale * top + offset[1] - 2
        assert rows.max() <= scale * bottom + offset[1] + 2


def test_outlined_bodies_are_filled() -> None:
    """Paper within an outline belongs to the figure: a tadpole's mask is far larger than its ink."""
    rng = np.random.default_rng(4)
    drawn = draw_figure(rng, {"tadpole": 1.0}, medium.touch(rng))
    left, top, right, bottom = bounds(list(drawn.marks))
    scale = 230 / max(right - left, bottom - top)
    offset = 128 - scale * np.array([left + right, top + bottom]) / 2
    canvas = Canvas(256)
    canvas.draw(drawn.marks, scale, offset)
    ink = canvas.ink().min(axis=2) < 128
    assert (canvas.mask(drawn.marks, scale, offset) > 100).sum() > 3 * ink.sum()


def test_broken_lines_have_whole_masks() -> None:
    """Where a pen skips along a limb, ink is missing but the mask goes on."""
    rng = np.random.default_rng(0)
    tool = replace(medium.pen(rng), gap_chance=1.0, repeats=1, width=0.02, opacity=1.0, pressure=0.0)
    sketch = Sketch(rng, tool)
    sketch.line(np.array([[0.1, 0.5], [0.9, 0.5]]))
    canvas = Canvas(200)
    canvas.draw(sketch.marks, 200.0, np.zeros(2))
    mask = canvas.mask(sketch.marks, 200.0, np.zeros(2)) > 100
    assert mask[:, 25:175].any(axis=0).all()
    assert not (canvas.ink().min(axis=2) < 200)[:, 25:175].any(axis=0).all()


def test_sheets_hold_none_one_or_several_figures(sheets: list[Sheet]) -> None:
    """Sheets without figures are a sizeable share, and so are those with several."""
    counts = np.array([len(picture.figures) for picture in sheets])
    assert 0.08 < (counts == 0).mean() < 0.45
    assert (counts >= 2).mean() > 0.1
    assert (counts == 1).mean() > 0.25


@pytest.mark.parametrize("family", sorted(families.PAPER_MIX))
def test_every_family_can_be_drawn(family: str) -> None:
    """Each family draws with each tool, with finite joints, near unit height."""
    for seed, tool in enumerate(
        [medium.touch, medium.brush, medium.pen, medium.pencil, medium.marker, medium.crayon, medium.paint]
    ):
        rng = np.random.default_rng(seed)
        drawn = draw_figure(rng, {family: 1.0}, tool(rng))
        assert drawn.joints.shape == (13, 2)
        assert np.isfinite(drawn.joints).all()
        _, top, _, bottom = bounds(list(drawn.marks))
        assert 0.5 < bottom - top < 2.5
        assert any(mark.in_mask for mark in drawn.marks)


def test_other_crops_hold_no_figure() -> None:
    """Things, writing and blank paper to learn from, of all shapes, the same for the same generator."""
    crops = [draw_other_crop(np.random.default_rng(seed), 96) for seed in range(20)]
    assert all(crop.figures == () for crop in crops)
    assert all(max(crop.image.shape[:2]) == 96 and crop.image.dtype == np.uint8 for crop in crops)
    again = draw_other_crop(np.random.default_rng(7), 96)
    np.testing.assert_array_equal(again.image, crops[7].image)


def test_every_pixel_of_the_mask_is_of_one_part(crops: list[Sheet], sheets: list[Sheet]) -> None:
    """Parts cover the mask and nothing else."""
    for sheet in crops + sheets:
        for figure in sheet.figures:
            assert figure.parts.shape == figure.mask.shape
            assert np.array_equal(figure.parts > 0, figure.mask)
            assert figure.parts.max() <= len(PARTS)


def test_hands_and_feet_lie_on_their_own_limbs(crops: list[Sheet]) -> None:
    """Where a hand or a foot is labelled, its own limb is what is drawn nearby, but for what hides it."""
    own = [
        (KEYPOINTS.index(f"{side}_{joint}"), 1 + PARTS.index(f"{side}_{limb}"))
        for side in ("left", "right")
        for joint, limb in (("hand", "arm"), ("foot", "leg"))
    ]
    near = []
    for sheet in crops:
        figure = sheet.figures[0]
        side = float(np.ptp(figure.bbox_xyxy.reshape(2, 2), axis=0).max())
        for joint, part in own:
            if figure.present[joint]:
                x, y = figure.keypoints[joint] - 0.5
                rows, columns = np.nonzero(figure.parts == part)
                near.append(len(rows) > 0 and np.hypot(rows - y, columns - x).min() < 0.03 * side)
    assert np.mean(near) > 0.95
