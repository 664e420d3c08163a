"""TorchServe's entry point of drawn_humanoid_pose_estimator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from torchserve_model import rle
from torchserve_model.handlers import base
from torchserve_model.predictor import Backend, PoseEstimator


class PoseHandler(base.FigureHandler):
    """Answers [{"keypoints": [[x, y, score] * 17], "mask": {"size": [h, w], "counts": [...]}, "version"}]."""

    kind = "pose"

    def use(self, backend: Backend) -> None:
        """See FigureHandler."""
        self.estimator = PoseEstimator(backend)

    def answer(self, images: Sequence[NDArray[np.uint8]]) -> list[base.Answer]:
        """See FigureHandler."""
        return [
            [{"keypoints": keypoints.tolist(), "mask": rle.encode(mask), "version": self.version}]
            for keypoints, mask in self.estimator.estimate_pose(images)
        ]
