"""What the server asks of the models, whoever runs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

COCO_KEYPOINTS = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
"""The order in which the pose estimator answers; left and right are the figure's own."""


@dataclass(frozen=True)
class Detection:
    """One figure found.

    bbox_xyxy : left, top, right, bottom in pixels of the image that was asked about.
    score : confidence, 0 to 1.
    """

    bbox_xyxy: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True)
class Pose:
    """The figure in one crop.

    keypoints : (17, 3) float64: x, y in crop pixels, score 0 to 1, in the order of COCO_KEYPOINTS.
    mask : (H, W) bool over the crop, True on the figure; None when the model gives none.
    """

    keypoints: NDArray[np.float64]
    mask: NDArray[np.bool_] | None


class Models(Protocol):
    """Looks at drawings. Every method raises InferenceError when the models cannot answer."""

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Find the figures in an (H, W, 3) RGB uint8 image, best first; empty when there is none."""
        ...

    def estimate_pose(self, crop: NDArray[np.uint8]) -> Pose:
        """Locate the joints and the mask of the figure that fills an (H, W, 3) RGB uint8 crop."""
        ...


class InferenceClient(Protocol):
    """Asks the models, wherever they run; is Models, too.

    timeout_s : longest wait for the answer where the client's own is longer; None for the client's own.
    Every method raises InferenceError when the models cannot answer.
    """

    def detect(self, image: NDArray[np.uint8], timeout_s: float | None = None) -> list[Detection]:
        """See Models."""
        ...

    def estimate_pose(self, crop: NDArray[np.uint8], timeout_s: float | None = None) -> Pose:
        """See Models."""
        ...

    def version(self) -> str:
        """Name the models' version; part of every storage key."""
        ...

    def check(self) -> None:
        """Return when the models can answer; raise InferenceError otherwise."""
        ...

    def close(self) -> None:
        """Let go of connections and sessions."""
        ...
