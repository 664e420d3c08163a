"""What the models answer, checked and parsed: the contract's JSON, however it travels."""

from __future__ import annotations

from typing import Annotated, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, FiniteFloat, TypeAdapter, ValidationError

from animation_server.errors import InferenceError, InferenceUnavailableError, NoFigureError
from animation_server.inference.contract import COCO_KEYPOINTS, Detection, Pose
from animation_server.inference.rle import decode_rle

DETECTOR = "drawn_humanoid_detector"
POSE_ESTIMATOR = "drawn_humanoid_pose_estimator"

Answer = TypeVar("Answer")
Fraction = Annotated[FiniteFloat, Field(ge=0, le=1)]


class _DetectionAnswer(BaseModel):
    bbox: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]
    score: Fraction


class _MaskAnswer(BaseModel):
    size: tuple[int, int]
    counts: list[Annotated[int, Field(ge=0, le=2**31)]]


class _PoseAnswer(BaseModel):
    keypoints: Annotated[
        list[tuple[FiniteFloat, FiniteFloat, FiniteFloat]],
        Field(min_length=len(COCO_KEYPOINTS), max_length=len(COCO_KEYPOINTS)),
    ]
    mask: _MaskAnswer | None = None


_DETECTIONS = TypeAdapter(list[_DetectionAnswer])
_POSES = TypeAdapter(list[_PoseAnswer])


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Encode an (H, W, 3) RGB uint8 image as it travels to the models.

    PNG at the lightest compression: lossless, so that the models see the very pixels the embedded client
    would show them.
    """
    _, png = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return png.tobytes()


def parse_detections(body: bytes) -> list[Detection]:
    """Parse the detector's answer, best first; raises InferenceError where it is not by the contract."""
    found = [Detection(answer.bbox, answer.score) for answer in validate_answer(DETECTOR, _DETECTIONS, body)]
    return sorted(found, key=lambda detection: detection.score, reverse=True)


def parse_pose(body: bytes, crop_size: tuple[int, int]) -> Pose:
    """Parse the pose estimator's answer to a crop of (H, W) pixels.

    Raises InferenceError where it is not by the contract, NoFigureError where the models see no figure.
    """
    answers = validate_answer(POSE_ESTIMATOR, _POSES, body)
    if not answers:
        raise NoFigureError("Expected a drawing of a figure; the models found no joints in it.")
    keypoints = np.array(answers[0].keypoints, dtype=np.float64)
    keypoints[:, 2] = np.clip(keypoints[:, 2], 0.0, 1.0)
    mask = answers[0].mask
    if mask is None:
        return Pose(keypoints, None)
    if mask.size != crop_size:
        raise InferenceError(f"{POSE_ESTIMATOR}: expected a mask of {crop_size}, came {mask.size}")
    try:
        return Pose(keypoints, decode_rle(mask.counts, mask.size))
    except ValueError as exc:
        raise InferenceError(f"{POSE_ESTIMATOR}: {exc}") from exc


def validate_answer(source: str, shape: TypeAdapter[Answer], body: bytes) -> Answer:
    """Validate JSON from TorchServe; raises InferenceError, which names the source."""
    try:
        return shape.validate_json(body)
    except ValidationError as exc:
        problem = exc.errors(include_url=False, include_input=False)[0]
        raise InferenceError(f"{source}: the answer is not by the contract: {problem}") from exc


def refusal(source: str, status: int, text: str) -> InferenceError:
    """Make the error that fits an HTTP status of TorchServe's other than 200."""
    message = f"{source}: expected status 200, came {status}: {text[:200]}"
    # 404: the model is not registered (yet). 5xx: workers down or starting, queue full, handler failing.
    if status == 404 or status >= 500:
        return InferenceUnavailableError(message)
    return InferenceError(message)
