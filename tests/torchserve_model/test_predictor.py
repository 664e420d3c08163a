"""From images to boxes, joints and masks, with the weights of the repository."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchserve_model.predictor import (
    COCO_FROM_KEYPOINTS,
    KEYPOINT_NAMES,
    MODELS_FILE,
    Predictor,
    merge_views,
    models_version,
    overlaps,
    suppress,
)
from torchserve_model.synthesis.sample import KEYPOINTS, draw_crop, draw_sheet

DRAWINGS = 16


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load(intra_op_num_threads=1)


def rng(index: int) -> np.random.Generator:
    """A generator that training never used."""
    return np.random.default_rng([5, 5, index])


def test_keypoints_are_the_generators() -> None:
    """The networks' keypoints are those that the drawings are labelled with."""
    assert KEYPOINT_NAMES == KEYPOINTS


def test_figures_are_found(predictor: Predictor) -> None:
    """Most figures on synthetic sheets are found, each within its sheet, best first."""
    found = drawn = 0
    for index in range(DRAWINGS):
        sheet = draw_sheet(rng(index), 512)
        answer = predictor.detect([sheet.image])[0]
        boxes = np.array([bbox for bbox, _ in answer]).reshape(-1, 4)
        scores = [score for _, score in answer]
        assert scores == sorted(scores, reverse=True)
        height, width = sheet.image.shape[:2]
        assert (boxes >= 0).all()
        assert (boxes <= (width, height, width, height)).all()
        for figure in sheet.figures:
            iou, _ = overlaps(figure.bbox_xyxy.astype(np.float64), boxes)
            found, drawn = found + bool((iou > 0.5).any()), drawn + 1
    assert found / drawn >= 0.8


@pytest.mark.parametrize("value", [0, 90, 200, 255])
def test_a_blank_sheet_holds_no_figure(predictor: Predictor, value: int) -> None:
    """Plain paper of any brightness and shape is empty."""
    sheets = [np.full((*shape, 3), value, np.uint8) for shape in ((400, 300), (300, 400), (256, 256))]
    assert predictor.detect(sheets) == [[], [], []]


def test_joints_and_masks_fit(predictor: Predictor) -> None:
    """Most joints lie within a tenth of the figure's size of the truth, and masks cover the figure."""
    near, ious = [], []
    for index in range(DRAWINGS):
        sheet = draw_crop(rng(index), 300)
        figure = sheet.figures[0]
        keypoints, mask = predictor.estimate_pose([sheet.image])[0]
        assert keypoints.shape == (17, 3)
        assert mask.shape == sheet.image.shape[:2]
        assert ((keypoints[:, 2] >= 0) & (keypoints[:, 2] <= 1)).all()
        own = keypoints[[COCO_FROM_KEYPOINTS.index(joint) for joint in range(13)], :2]
        size = max(figure.bbox_xyxy[2:] - figure.bbox_xyxy[:2])
        near += (np.linalg.norm(own - figure.keypoints, axis=1) < 0.1 * size)[figure.present].tolist()
        ious.append((mask & figure.mask).sum() / (mask | figure.mask).sum())
    assert np.mean(near) >= 0.85
    assert np.mean(ious) >= 0.8


def test_a_batch_is_answered_as_its_images_alone(predictor: Predictor) -> None:
    """What else is in a batch changes no answer."""
    crops = [draw_crop(rng(index), 150 + 40 * index).image for index in range(3)]
    for crop, (keypoints, mask) in zip(crops, predictor.estimate_pose(crops), strict=True):
        alone, mask_alone = predictor.estimate_pose([crop])[0]
        np.testing.assert_allclose(keypoints, alone, atol=0.05)
        assert (mask == mask_alone).mean() > 0.999
    assert predictor.estimate_pose([]) == []
    assert predictor.detect([]) == []


def test_averaging_over_a_mirror_image_mirrors(predictor: Predictor) -> None:
    """The answer to a mirrored crop is the mirrored answer."""
    crop = draw_crop(rng(1), 192).image
    crop = np.ascontiguousarray(crop[: crop.shape[0] // 2 * 2, : crop.shape[1] // 2 * 2])
    keypoints, mask = predictor.estimate_pose([crop])[0]
    mirrored, mirrored_mask = predictor.estimate_pose([np.ascontiguousarray(crop[:, ::-1])])[0]
    swapped = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
    back = mirrored[swapped] * (-1, 1, 1) + (crop.shape[1], 0, 0)
    np.testing.assert_allclose(back, keypoints, atol=0.05)
    assert (mirrored_mask[:, ::-1] == mask).mean() > 0.999


@pytest.mark.parametrize("shape", [(40, 40), (40, 40, 4), (0, 40, 3)])
def test_a_wrong_shape_is_refused(predictor: Predictor, shape: tuple[int, ...]) -> None:
    """Only RGB images with pixels are taken."""
    with pytest.raises(ValueError, match="want"):
        predictor.detect([np.zeros(shape, np.uint8)])


def test_predicting_imports_no_torch() -> None:
    """The server runs the networks without torch."""
    code = "import sys, torchserve_model.predictor; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


boxes_strategy = st.lists(
    st.tuples(st.floats(0, 50), st.floats(0, 50), st.floats(1, 50), st.floats(1, 50)), min_size=0, max_size=12
)


@given(boxes_strategy, st.randoms(use_true_random=False))
def test_suppression_keeps_the_best_and_none_that_overlap(
    corners: list[tuple[float, float, float, float]], random: object
) -> None:
    """What stays does not overlap; what goes overlaps something better that stays."""
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in corners], dtype=np.float64).reshape(-1, 4)
    scores = np.random.default_rng(len(corners)).random(len(boxes)).astype(np.float32)
    kept = suppress(boxes, scores, 0.5, 0.8)
    for place, index in enumerate(kept):
        iou, inside = overlaps(boxes[index], boxes[kept[:place]])
        assert (iou <= 0.5).all()
        assert (inside <= 0.8).all()
    for index in set(range(len(boxes))) - set(kept):
        better = [k for k in kept if scores[k] >= scores[index]]
        iou, inside = overlaps(boxes[index], boxes[better])
        assert ((iou > 0.5) | (inside > 0.8)).any()


def test_merging_what_agrees_changes_nothing() -> None:
    """A network that is right in all views is left alone."""
    keypoints = np.random.default_rng(0).uniform(0.01, 1.0, (13, 3))
    np.testing.assert_allclose(merge_views(np.stack([keypoints] * 6), 1.0), keypoints, atol=1e-9)


def test_what_most_views_say_counts_and_a_stray_one_does_not() -> None:
    """One view that is far off neither wins by its own confidence nor pulls the others."""
    said = np.array([[[10.0, 10.0, 0.5]], [[12.0, 10.0, 0.5]], [[90.0, 90.0, 0.9]]])
    np.testing.assert_allclose(merge_views(said, 100.0), [[11.0, 10.0, 1.0 / 3]], atol=1e-9)


def test_views_may_come_in_any_order() -> None:
    """Merging is a vote, not a sequence."""
    views = np.random.default_rng(1).random((6, 13, 3))
    merged = merge_views(views, 1.0)
    np.testing.assert_allclose(merge_views(views[::-1], 1.0), merged, atol=1e-9)


def test_the_version_follows_from_weights_and_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of either is another version, so that nothing stored before is taken for what is made now."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / MODELS_FILE).write_text(json.dumps({"version": name}))
    versions = [models_version(tmp_path / name) for name in ("a", "b", "a")]
    assert versions[0] == versions[2] != versions[1]
    monkeypatch.setattr("torchserve_model.predictor._DECIDING", ("rle.py",))
    assert models_version(tmp_path / "a") not in versions
