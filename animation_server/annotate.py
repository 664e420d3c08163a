"""Drawing to character: find the figure, locate its joints, cut it out.

Three frames of coordinates, all pixels with centres at whole numbers, x right and y down:
full (the upright input), working (Drawing.rgb) and texture (the crop a character is made of).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from animation_server.character import HUMANOID_PARENTS, Character, humanoid_skeleton
from animation_server.drawing import Drawing
from animation_server.errors import NoFigureError
from animation_server.inference.contract import COCO_KEYPOINTS, Detection, Models, Pose
from animation_server.segment import segment
from animation_server.telemetry.stages import stage

COCO_NAME = {"wrist": "hand", "ankle": "foot"}
KEYPOINT_NAMES = tuple(
    f"{side}_{COCO_NAME.get(part, part)}" if part else side
    for side, _, part in (name.partition("_") for name in COCO_KEYPOINTS)
)
"""Ours for COCO's names: hands and feet for wrists and ankles."""

USED_KEYPOINTS = tuple(name for name in KEYPOINT_NAMES if not name.endswith(("eye", "ear")))

_NO_FIGURE = (
    "expected a drawing of a figure with head, arms and legs; found none. "
    "Photograph one figure from above, in good light, filling most of the picture"
)

DETECT_SIDE = 512
"""Larger side of the picture sent to the detector, which itself looks at no more."""

TEXTURE_SIDE = 600
"""Larger side of a character's texture: half again what a 400 px animation can show of it."""

CROP_MARGIN = 0.06
"""Paper kept around the detector's box, as a share of its larger side: what the pose network learnt with."""

LEAST_CERTAINTY = 0.25
"""The detector's score times the joints' mean confidence, below which there is no figure. Of 500 synthetic
sheets without a figure 3 get by; of 300 with one, many of them hard to see, 292 are found
(`benchmarks/finding.py` weighs other thresholds).
"""

MOST_TRIES = 3
"""Boxes looked into before a picture is said to hold no figure; each costs a question to the pose network."""

TEXTURE_MARGIN = 0.015
"""Paper kept around the finished mask."""


@dataclass(frozen=True)
class Annotation:
    """A character together with where it stands in the picture it came from.

    width, height : size of the full picture. bbox_xyxy : around the figure, full pixels.
    score : the detector's confidence, 0 to 1.
    keypoints : name -> (x, y, score), full pixels.
    texture_scale, texture_offset : full = texture * scale + offset.
    """

    character: Character
    width: int
    height: int
    bbox_xyxy: tuple[float, float, float, float]
    score: float
    keypoints: dict[str, tuple[float, float, float]]
    texture_scale: float
    texture_offset: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Build the content of annotations.json."""
        return {
            "image": {"width": self.width, "height": self.height},
            "bbox_xyxy": [round(v, 2) for v in self.bbox_xyxy],
            "score": round(self.score, 4),
            "keypoints": {
                name: [round(x, 2), round(y, 2), round(score, 4)]
                for name, (x, y, score) in self.keypoints.items()
            },
            "mask": "mask.png",
            "texture": {"scale": self.texture_scale, "offset": list(self.texture_offset)},
        }


@dataclass(frozen=True)
class _Crop:
    """A square-pixel window into the drawing: working = crop * scale + offset."""

    rgb: NDArray[np.uint8]
    scale: float
    offset: NDArray[np.float64]


def annotate(drawing: Drawing, models: Models, *, least_certainty: float = LEAST_CERTAINTY) -> Annotation:
    """Annotate the most certain figure of a drawing.

    Raises NoFigureError where the models see none, InferenceError where they cannot answer.
    """
    return next(_annotate_each(drawing, find_figures(drawing, models)[:MOST_TRIES], models, least_certainty))


def annotate_all(drawing: Drawing, models: Models) -> list[Annotation]:
    """Annotate every figure of a drawing, the most certain first; raises as `annotate` does."""
    return list(_annotate_each(drawing, find_figures(drawing, models), models, LEAST_CERTAINTY))


def _annotate_each(
    drawing: Drawing, detections: Sequence[Detection], models: Models, least_certainty: float
) -> Iterator[Annotation]:
    """Annotate what the pose network, too, takes for a figure; raises NoFigureError where that is nothing."""
    found = 0
    for detection in detections:
        try:
            yield annotate_figure(drawing, detection, models, least_certainty=least_certainty)
            found += 1
        except NoFigureError:
            continue
    if not found:
        raise NoFigureError(_NO_FIGURE)


def find_figures(drawing: Drawing, models: Models) -> list[Detection]:
    """Find every figure of a drawing, best first, boxes in working pixels; raises NoFigureError when none."""
    height, width = drawing.rgb.shape[:2]
    shrink = min(1.0, DETECT_SIDE / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = cv2.resize(drawing.rgb, size, interpolation=cv2.INTER_AREA) if shrink < 1 else drawing.rgb
    to_working = np.array([width / size[0], height / size[1]] * 2)
    detections = []
    with stage("detect"):
        answers = models.detect(small.astype(np.uint8))
    for found in answers:
        left, top, right, bottom = (np.array(found.bbox_xyxy) * to_working).tolist()
        box = max(left, 0.0), max(top, 0.0), min(right, width), min(bottom, height)
        if box[2] - box[0] >= 1 and box[3] - box[1] >= 1:
            detections.append(Detection(box, found.score))
    if not detections:
        raise NoFigureError(_NO_FIGURE)
    return detections


def annotate_figure(
    drawing: Drawing, detection: Detection, models: Models, *, least_certainty: float = LEAST_CERTAINTY
) -> Annotation:
    """Locate the joints of one detected figure and cut it out.

    detection : box in working pixels, as find_figures gives it.
    Raises NoFigureError where the pose network sees no figure in the box, InferenceError where the models
    cannot answer.
    """
    box = np.array(detection.bbox_xyxy)
    crop = _cut(drawing.rgb, _grow(box, CROP_MARGIN))
    pose = _ask_pose(crop, models)
    if detection.score * _confidence(pose) < least_certainty:
        raise NoFigureError(_NO_FIGURE)
    mask = _segment(crop, pose, open_edge=True)
    if (cut_sides := _sides_cut(mask, crop, drawing)).any():
        # the figure runs out of its box: look once more with paper added where it does
        side = max(box[2:] - box[:2])
        crop = _cut(drawing.rgb, _grow(box, CROP_MARGIN) + cut_sides * np.array([-1, -1, 1, 1]) * 0.15 * side)
        pose = _ask_pose(crop, models)
        mask = _segment(crop, pose)
    return _assemble(drawing, detection.score, crop, pose, mask)


def _ask_pose(crop: _Crop, models: Models) -> Pose:
    with stage("pose"):
        return models.estimate_pose(crop.rgb)


def _segment(crop: _Crop, pose: Pose, *, open_edge: bool = False) -> NDArray[np.bool_]:
    with stage("mask"):
        return segment(crop.rgb, pose.mask, _bones(pose), open_edge=open_edge)


def _confidence(pose: Pose) -> float:
    """Mean score of the joints that a character is made of."""
    used = [name in USED_KEYPOINTS for name in KEYPOINT_NAMES]
    return float(pose.keypoints[used, 2].mean())


def _grow(box: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    margin = share * max(box[2:] - box[:2])
    return box + np.array([-margin, -margin, margin, margin])


def _cut(rgb: NDArray[np.uint8], box: NDArray[np.float64]) -> _Crop:
    height, width = rgb.shape[:2]
    left, top = np.clip(np.floor(box[:2]), 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.maximum(np.clip(np.ceil(box[2:]), 0, [width, height]).astype(int), [left + 1, top + 1])
    window = rgb[top:bottom, left:right]
    scale = max(1.0, max(window.shape[:2]) / TEXTURE_SIDE)
    if scale > 1:
        size = max(1, round(window.shape[1] / scale)), max(1, round(window.shape[0] / scale))
        window = cv2.resize(window, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    # pixel centres: the centre of the first crop pixel lies (scale - 1) / 2 into the window
    return _Crop(np.ascontiguousarray(window), scale, np.array([left, top]) + (scale - 1) / 2)


def _sides_cut(mask: NDArray[np.bool_], crop: _Crop, drawing: Drawing) -> NDArray[np.bool_]:
    """Left, top, right, bottom: where the mask touches the crop's edge though the drawing goes on."""
    touches = np.array([mask[:, 0].any(), mask[0].any(), mask[:, -1].any(), mask[-1].any()])
    height, width = drawing.rgb.shape[:2]
    low = crop.offset - (crop.scale - 1) / 2
    high = low + np.array(crop.rgb.shape[1::-1]) * crop.scale
    goes_on = np.array([low[0] > 1, low[1] > 1, high[0] < width - 1, high[1] < height - 1])
    return touches & goes_on


def _bones(pose: Pose) -> NDArray[np.float64]:
    """(B, 2, 2) bones between a pose's keypoints, trunk included, in crop pixels."""
    skeleton = humanoid_skeleton(_points(pose))
    children = np.arange(1, len(HUMANOID_PARENTS))
    return np.stack([skeleton.joints_px[skeleton.parents[children]], skeleton.joints_px[children]], axis=1)


def _points(pose: Pose) -> dict[str, tuple[float, float]]:
    return {
        name: (float(x), float(y))
        for name, (x, y, _) in zip(KEYPOINT_NAMES, pose.keypoints.tolist(), strict=True)
        if name in USED_KEYPOINTS
    }


def _assemble(drawing: Drawing, score: float, crop: _Crop, pose: Pose, mask: NDArray[np.bool_]) -> Annotation:
    """Trim the crop to the mask and express everything in full pixels."""
    height, width = mask.shape
    rows, cols = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    margin = max(2, round(TEXTURE_MARGIN * max(height, width)))
    left, top = max(0, int(cols[0]) - margin), max(0, int(rows[0]) - margin)
    right, bottom = min(width, int(cols[-1]) + 1 + margin), min(height, int(rows[-1]) + 1 + margin)
    corner = np.array([left, top], dtype=np.float64)
    points_texture = {name: (x - left, y - top) for name, (x, y) in _points(pose).items()}
    full_scale = crop.scale * drawing.scale
    full_offset = (corner * crop.scale + crop.offset) * drawing.scale + (drawing.scale - 1) / 2
    box_crop = np.array([cols[0], rows[0], cols[-1] + 1, rows[-1] + 1])
    # edges, not centres: half a pixel less on either side
    edges = ((box_crop - 0.5) * crop.scale + np.tile(crop.offset, 2) + 0.5) * drawing.scale
    limits = np.array([drawing.width, drawing.height] * 2, dtype=np.float64)
    bbox = np.clip(edges, 0, limits).tolist()
    scores = dict(zip(KEYPOINT_NAMES, pose.keypoints[:, 2].tolist(), strict=True))
    keypoints_full = {
        name: (x * full_scale + full_offset[0], y * full_scale + full_offset[1], scores[name])
        for name, (x, y) in points_texture.items()
    }
    character = Character(
        np.ascontiguousarray(crop.rgb[top:bottom, left:right]),
        np.ascontiguousarray(mask[top:bottom, left:right]),
        humanoid_skeleton(points_texture),
    )
    return Annotation(
        character,
        drawing.width,
        drawing.height,
        (bbox[0], bbox[1], bbox[2], bbox[3]),
        score,
        {name: (float(x), float(y), s) for name, (x, y, s) in keypoints_full.items()},
        float(full_scale),
        (float(full_offset[0]), float(full_offset[1])),
    )
