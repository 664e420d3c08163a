"""Where the models fail most: a contact sheet of the worst of many held-out drawings, predictions drawn in.

python -m torchserve_model.failures -o failures.jpg [--drawings 400] [--count 24]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from torchserve_model.evaluate import estimate_held_out
from torchserve_model.predictor import Predictor
from torchserve_model.synthesis.preview import Image, contact_sheet, overlay
from torchserve_model.synthesis.sample import Sheet


def worst_crops(predictor: Predictor, drawings: int, count: int, size: int) -> list[Image]:
    """The held-out crops with the joints that are farthest off, worst first, as predicted.

    drawings : how many are looked at. size : pixels of their longer side.
    """
    seen: list[tuple[float, Image]] = []
    for crop in estimate_held_out(predictor.pose, drawings, size):
        predicted = replace(crop.figure, keypoints=crop.keypoints.astype(np.float32), mask=crop.mask)
        seen.append((float(crop.errors.max(initial=0.0)), overlay(Sheet(crop.image, (predicted,)))))
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
