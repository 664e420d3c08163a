"""Where the models fail most: a contact sheet of the worst of many held-out drawings, predictions drawn in.

python -m torchserve_model.failures -o failures.jpg [--drawings 400] [--count 24]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from torchserve_model.dataset import HELD_OUT, Stream
from torchserve_model.metrics import keypoint_errors
from torchserve_model.predictor import COCO_FROM_KEYPOINTS, Predictor
from torchserve_model.synthesis.preview import Image, contact_sheet, overlay
from torchserve_model.synthesis.sample import Figure, Sheet, draw_crop

_COCO_OF_KEYPOINT = [COCO_FROM_KEYPOINTS.index(index) for index in range(13)]


def worst_crops(predictor: Predictor, drawings: int, count: int, size: int) -> list[Image]:
    """The held-out crops with the joints that are farthest off, worst first, as predicted.

    drawings : how many are looked at. size : pixels of their longer side.
    """
    seen: list[tuple[float, Image]] = []
    for index in tqdm(range(drawings), unit="crop", disable=None):
        sheet = draw_crop(Stream(split=HELD_OUT).rng(index), size)
        true = sheet.figures[0]
        keypoints, mask = predictor.estimate_pose([sheet.image])[0]
        found = keypoints[_COCO_OF_KEYPOINT, :2].astype(np.float32)
        left, top, right, bottom = true.bbox_xyxy
        errors = keypoint_errors(found, true.keypoints, float(max(right - left, bottom - top)))
        predicted = Figure(found, true.present, mask, true.bbox_xyxy)
        seen.append((float(errors[true.present].max(initial=0.0)), overlay(Sheet(sheet.image, (predicted,)))))
    seen.sort(key=lambda pair: -pair[0])
    return [image for _, image in seen[:count]]


def main() -> None:
    """Write the contact sheet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="picture to write")
    parser.add_argument("--weights", type=Path, help="folder of exported weights, default: the package's own")
    parser.add_argument("--drawings", type=int, default=400, help="drawings looked at (default: %(default)s)")
    parser.add_argument("--count", type=int, default=24, help="drawings shown (default: %(default)s)")
    parser.add_argument(
        "--size", type=int, default=192, help="pixels of the longer side (default: %(default)s)"
    )
    options = parser.parse_args()
    predictor = Predictor.load(options.weights)
    page = contact_sheet(
        worst_crops(predictor, options.drawings, options.count, options.size), options.size, 8
    )
    cv2.imwrite(str(options.output), cv2.cvtColor(page, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
