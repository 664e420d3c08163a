"""How often the whole annotation finds what is there, and nothing else, on held-out synthetic sheets.

python -m benchmarks.finding [--empty N] [--figures N] [--threads N]

Prints one JSON line: false_finds, the share of sheets and textures without a figure on which one was found;
found, the share of sheets of one figure on which it was, its box overlapping by half or more; cut, the share
of these whose box leaves out more than 2 % of the figure; joints_05, joints_10, the shares of their joints
within 0.05 and 0.10 of the figure's larger side; and what other thresholds on the certainty would give.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from animation_server import annotate as annotation
from animation_server.drawing import Drawing
from animation_server.errors import NoFigureError
from animation_server.inference.embedded import EmbeddedClient
from torchserve_model.dataset import HELD_OUT, Stream
from torchserve_model.metrics import cut, keypoint_errors, match_boxes
from torchserve_model.synthesis.sample import KEYPOINTS, Sheet, draw_sheet

LEAST_CERTAINTIES = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
SHEET_PX = 512
"""Longer side of the sheets, which is all that the detector is sent."""


@dataclass(frozen=True)
class Finding:
    """What came of one sheet: how certain the annotation was (0 without one), and how good it is.

    box_iou : of the box, 0 on sheets without a figure. errors : of the drawn joints, shares of the figure's
    larger side.
    """

    certainty: float
    box_iou: float = 0.0
    cut: bool = False
    errors: tuple[float, ...] = ()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--empty", type=int, default=500, help="sheets without a figure")
    parser.add_argument("--figures", type=int, default=300, help="sheets with one figure")
    parser.add_argument("--threads", type=int, default=0, help="of ONNX Runtime, 0 for its own choice")
    options = parser.parse_args()
    models = EmbeddedClient(threads=options.threads)
    empty = [_annotated(sheet, models) for sheet in _sheets(0, options.empty)]
    full = [_annotated(sheet, models) for sheet in _sheets(1, options.figures)]
    print(json.dumps(_figures(empty, full, annotation.LEAST_CERTAINTY), indent=2))
    print(f"{'certainty':>10}{'false finds':>13}{'found':>8}")
    for least in LEAST_CERTAINTIES:
        figures = _figures(empty, full, least)
        print(f"{least:10.2f}{figures['false_finds']:13.3f}{figures['found']:8.3f}")


def _sheets(figures: int, count: int) -> Iterator[Sheet]:
    """The first `count` held-out sheets with that many figures."""
    drawn = (draw_sheet(Stream(split=HELD_OUT).rng(index), SHEET_PX) for index in itertools.count())
    fitting = (sheet for sheet in drawn if len(sheet.figures) == figures)
    return iter(tqdm(itertools.islice(fitting, count), total=count, unit="sheet", disable=None))


def _annotated(sheet: Sheet, models: EmbeddedClient) -> Finding:
    height, width = sheet.image.shape[:2]
    try:
        found = annotation.annotate(
            Drawing(sheet.image, width, height), models, least_certainty=LEAST_CERTAINTIES[0]
        )
    except NoFigureError:
        return Finding(0.0)
    certainty = found.score * float(np.mean([found.keypoints[name][2] for name in KEYPOINTS]))
    if not sheet.figures:
        return Finding(certainty)
    (figure,) = sheet.figures
    box = figure.bbox_xyxy.astype(np.float64)
    pairs = match_boxes(np.array([found.bbox_xyxy]), box[None])
    joints = np.array([found.keypoints[name][:2] for name in KEYPOINTS])
    errors = keypoint_errors(joints, figure.keypoints - 0.5, float(max(box[2:] - box[:2])))[figure.present]
    return Finding(
        certainty,
        pairs[0][2] if pairs else 0.0,
        cut(np.array(found.bbox_xyxy), box),
        tuple(errors.tolist()),
    )


def _figures(empty: list[Finding], full: list[Finding], least: float) -> dict[str, float]:
    found = [finding for finding in full if finding.certainty >= least and finding.box_iou > 0.5]
    errors = np.concatenate([finding.errors for finding in found])
    figures = {
        "false_finds": np.mean([finding.certainty >= least for finding in empty]),
        "found": len(found) / len(full),
        "box_iou": np.mean([finding.box_iou for finding in found]),
        "cut": np.mean([finding.cut for finding in found]),
        "joints_05": np.mean(errors <= 0.05),
        "joints_10": np.mean(errors <= 0.10),
        "all_joints_10": np.mean([max(finding.errors, default=0.0) <= 0.10 for finding in found]),
    }
    return {name: round(float(value), 4) for name, value in figures.items()}


if __name__ == "__main__":
    main()
