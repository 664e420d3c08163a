"""Contact sheets of synthetic drawings: `python -m torchserve_model.synthesis.preview -o sheet.png`."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from torchserve_model.synthesis.sample import KEYPOINTS, Sheet, draw_crop, draw_sheet

Image = NDArray[np.uint8]

BONES = ((0, 1), (0, 2), (1, 3), (3, 5), (2, 4), (4, 6), (1, 7), (2, 8), (7, 9), (9, 11), (8, 10), (10, 12))

PART_COLOURS = np.array([
    (255, 255, 255), (60, 220, 90), (250, 210, 60), (250, 110, 90), (90, 130, 250), (250, 150, 220),
    (80, 210, 250), (150, 110, 80),
])  # fmt: skip
"""Of nothing and of each part, RGB."""


def overlay(sheet: Sheet) -> Image:
    """The picture with parts tinted, boxes and joints drawn; the figure's left is red, its right blue."""
    image = sheet.image.copy()
    for figure in sheet.figures:
        tint = PART_COLOURS[figure.parts[figure.mask]]
        image[figure.mask] = (image[figure.mask] * 0.6 + tint * 0.4).astype(np.uint8)
        left, top, right, bottom = np.round(figure.bbox_xyxy).astype(int).tolist()
        cv2.rectangle(image, (left, top), (right - 1, bottom - 1), (240, 150, 0), 1)
        points = np.round(figure.keypoints - 0.5).astype(int)
        for a, b in BONES:
            if figure.present[a] and figure.present[b]:
                cv2.line(image, points[a].tolist(), points[b].tolist(), (120, 120, 120), 1, cv2.LINE_AA)
        for name, point, present in zip(KEYPOINTS, points, figure.present, strict=True):
            colour = (
                (230, 30, 30)
                if name.startswith("left")
                else (30, 60, 230)
                if name.startswith("right")
                else (0, 150, 0)
            )
            if present:
                cv2.circle(image, point.tolist(), 2, colour, -1, cv2.LINE_AA)
    return image


def contact_sheet(images: list[Image], size: int, columns: int) -> Image:
    """Pictures side by side in squares of `size` pixels."""
    rows = -(-len(images) // columns)
    page = np.full((rows * (size + 4), columns * (size + 4), 3), 127, np.uint8)
    for index, image in enumerate(images):
        y, x = (index // columns) * (size + 4) + 2, (index % columns) * (size + 4) + 2
        page[y : y + image.shape[0], x : x + image.shape[1]] = image
    return page


def main() -> None:
    """Write a contact sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="PNG to write")
    parser.add_argument("--count", type=int, default=64, help="drawings to show (default: %(default)s)")
    parser.add_argument("--kind", choices=("crop", "sheet"), default="crop", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="first drawing's seed (default: %(default)s)")
    parser.add_argument(
        "--size", type=int, default=256, help="pixels of the longer side (default: %(default)s)"
    )
    parser.add_argument("--columns", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--labels", action="store_true", help="show parts, boxes and joints")
    arguments = parser.parse_args()
    draw = draw_crop if arguments.kind == "crop" else draw_sheet
    sheets = [
        draw(np.random.default_rng([arguments.seed, i]), arguments.size) for i in range(arguments.count)
    ]
    images = [overlay(sheet) if arguments.labels else sheet.image for sheet in sheets]
    page = contact_sheet(images, arguments.size, arguments.columns)
    cv2.imwrite(str(arguments.output), cv2.cvtColor(page, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
