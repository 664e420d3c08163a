"""Measures networks on drawings held out from training.

python -m torchserve_model.evaluate [--weights DIR] [--drawings N]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from torchserve_model.checkpoint import Checkpoint, decoder
from torchserve_model.dataset import HELD_OUT, Stream
from torchserve_model.letterbox import Letterbox
from torchserve_model.metrics import cut, keypoint_errors, mask_iou, match_boxes
from torchserve_model.predictor import (
    COCO_FROM_KEYPOINTS,
    VIEWS,
    FigureDetector,
    PoseEstimator,
    Predictor,
)
from torchserve_model.synthesis.sample import PARTS, Figure, draw_crop, draw_sheet
from torchserve_model.torch_backend import TorchBackend

SHEET_PX, CROP_PX = 512, 384
"""Longer sides of what is measured on: more than the networks take, as in service."""

_COCO_OF_KEYPOINT = [COCO_FROM_KEYPOINTS.index(index) for index in range(13)]


def evaluate(checkpoint: Checkpoint, drawings: int) -> dict[str, float]:
    """Measure a checkpoint's averaged weights."""
    backend = TorchBackend(decoder(checkpoint.network()), checkpoint.config.size, "cpu")
    if checkpoint.kind == "pose":
        return evaluate_pose(PoseEstimator(backend), drawings)
    return evaluate_detector(FigureDetector(backend), drawings)


@dataclass(frozen=True)
class EstimatedCrop:
    """A held-out crop, its true figure, and what was estimated.

    keypoints : (13, 2) float64 in crop pixels. mask : (H, W) bool. errors : of the joints that are drawn, as
    parts of the longer side of the figure's box.
    """

    image: NDArray[np.uint8]
    figure: Figure
    keypoints: NDArray[np.float64]
    mask: NDArray[np.bool_]
    errors: NDArray[np.float64]


def estimate_held_out(estimator: PoseEstimator, drawings: int, size: int) -> Iterator[EstimatedCrop]:
    """Estimate the poses of the first held-out crops, `size` pixels on their longer side."""
    for index in tqdm(range(drawings), unit="crop", disable=None):
        sheet = draw_crop(Stream(split=HELD_OUT).rng(index), size)
        figure = sheet.figures[0]
        keypoints, mask = estimator.estimate_pose([sheet.image])[0]
        left, top, right, bottom = figure.bbox_xyxy
        found = keypoints[_COCO_OF_KEYPOINT, :2]
        errors = keypoint_errors(found, figure.keypoints, max(right - left, bottom - top))[figure.present]
        yield EstimatedCrop(sheet.image, figure, found, mask, errors)


def evaluate_pose(estimator: PoseEstimator, drawings: int) -> dict[str, float]:
    """Joints and masks on held-out crops.

    pck_05, pck_10 : parts of the drawn joints within 5 and 10 % of the longer side of the figure's box.
    all_10 : part of the figures with every drawn joint within 10 %.
    mask_iou : mean intersection over union of the masks; mask_bad : part of them below 0.8.
    mask_PART : share of that part of the figures which the mask has.
    """
    errors, complete, ious = [], [], []
    covered, drawn = np.zeros(len(PARTS) + 1), np.zeros(len(PARTS) + 1)
    for crop in estimate_held_out(estimator, drawings, CROP_PX):
        errors.append(crop.errors)
        complete.append(bool((crop.errors <= 0.10).all()))
        ious.append(mask_iou(crop.mask, crop.figure.mask))
        covered += np.bincount(crop.figure.parts[crop.mask], minlength=len(drawn))
        drawn += np.bincount(crop.figure.parts.ravel(), minlength=len(drawn))
    joints = np.concatenate(errors)
    return _rounded(
        drawings=drawings,
        pck_05=np.mean(joints <= 0.05),
        pck_10=np.mean(joints <= 0.10),
        all_10=np.mean(complete),
        mask_iou=np.mean(ious),
        mask_bad=np.mean(np.array(ious) < 0.8),
        **{f"mask_{part}": covered[k] / max(1.0, drawn[k]) for k, part in enumerate(PARTS, 1)},
    )


def evaluate_detector(detector: FigureDetector, drawings: int) -> dict[str, float]:
    """Boxes on held-out sheets.

    recall : part of the figures found (IoU above one half). precision : part of the boxes that are figures.
    box_iou : mean over what was found; box_75 : part of the figures found with an IoU of 0.75 or more.
    cut : part of the found whose box leaves out more than 2 % of the figure's longer side.
    false_finds : part of the sheets without a figure on which one was found.
    """
    matched: list[float] = []
    cuts: list[bool] = []
    empty: list[bool] = []
    figures = boxes = 0
    for index in tqdm(range(drawings), unit="sheet", disable=None):
        sheet = draw_sheet(Stream(split=HELD_OUT).rng(index), SHEET_PX)
        true = np.array([figure.bbox_xyxy for figure in sheet.figures]).reshape(-1, 4)
        found = np.array([box for box, _ in detector.detect([sheet.image])[0]]).reshape(-1, 4)
        pairs = match_boxes(found, true)
        matched += [iou for _, _, iou in pairs]
        cuts += [cut(found[one], true[other]) for one, other, _ in pairs]
        figures, boxes = figures + len(true), boxes + len(found)
        if not len(true):
            empty.append(len(found) > 0)
    return _rounded(
        drawings=drawings,
        recall=len(matched) / max(1, figures),
        precision=len(matched) / max(1, boxes),
        box_iou=np.mean(matched) if matched else 0.0,
        box_75=np.sum(np.array(matched) >= 0.75) / max(1, figures),
        cut=np.mean(cuts) if cuts else 0.0,
        false_finds=np.mean(empty) if empty else 0.0,
        empty_sheets=len(empty),
    )


def held_out_images(kind: str, size: int, count: int) -> NDArray[np.uint8]:
    """(count, size, size, 3) uint8 network inputs made of held-out drawings."""
    draw = draw_crop if kind == "pose" else draw_sheet
    images = [draw(Stream(split=HELD_OUT).rng(index), size).image for index in range(count)]
    return np.stack([Letterbox.fit(image.shape[0], image.shape[1], size).apply(image) for image in images])


def _rounded(**figures: float | np.floating) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in figures.items()}


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torchserve_model.evaluate", description=__doc__)
    parser.add_argument(
        "--weights", type=Path, help="folder of exported weights, the package's own if not given"
    )
    parser.add_argument("--drawings", type=int, default=500)
    parser.add_argument("--one-look", action="store_true", help="do not merge several views of a crop")
    options = parser.parse_args(argv)
    predictor = Predictor.load(options.weights, fills=() if options.one_look else VIEWS)
    figures = {
        "version": predictor.version,
        "detector": evaluate_detector(predictor.detector, options.drawings),
        "pose": evaluate_pose(predictor.pose, options.drawings),
    }
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
