"""TorchServe's entry point of drawn_humanoid_detector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from torchserve_model.handlers import base
from torchserve_model.predictor import Backend, FigureDetector


class DetectorHandler(base.FigureHandler):
    """Answers [{"class_name": "drawn_humanoid", "bbox": [left, top, right, bottom], "score"}], best first."""

    kind = "detector"

    def use(self, backend: Backend) -> None:
        """See FigureHandler."""
        self.detector = FigureDetector(backend)

    def answer(self, images: Sequence[NDArray[np.uint8]]) -> list[base.Answer]:
        """See FigureHandler."""
        return [
            [{"class_name": "drawn_humanoid", "bbox": list(bbox), "score": score} for bbox, score in found]
            for found in self.detector.detect(images)
        ]
