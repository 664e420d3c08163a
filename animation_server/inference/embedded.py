"""The models inside this process, through ONNX Runtime: nothing else need run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from animation_server.concurrency import call_directly, native_lock
from animation_server.errors import InferenceUnavailableError
from animation_server.inference.contract import Detection, Pose

if TYPE_CHECKING:
    from torchserve_model.predictor import Predictor


class EmbeddedClient:
    """Runs the predictor that TorchServe's handlers run too; implements InferenceClient.

    The models are loaded when first needed. Safe to call from several threads.

    weights_dir : folder of the networks, None for those in the package.
    threads : threads of one prediction, 0 for as many as there are cores.
    run_native : runs what waits for a native lock; see concurrency.Executor.
    """

    def __init__(
        self,
        weights_dir: Path | None = None,
        threads: int = 0,
        run_native: Callable[[Callable[[], Any]], Any] = call_directly,
    ) -> None:
        self._weights_dir = weights_dir
        self._threads = threads
        self._run_native = run_native
        # Renders wait for this lock in native threads, where one of gevent's would not do. The loop's thread
        # never does: imports let other greenlets run, and the second one that came would wait for the first.
        self._loading = native_lock()
        self._predictor: Predictor | None = None

    def detect(
        self,
        image: NDArray[np.uint8],
        timeout_s: float | None = None,  # noqa: ARG002 (milliseconds; nothing to wait for)
    ) -> list[Detection]:
        """See InferenceClient."""
        found = [Detection(bbox, score) for bbox, score in self._load().detect([image])[0]]
        return sorted(found, key=lambda detection: detection.score, reverse=True)

    def estimate_pose(
        self,
        crop: NDArray[np.uint8],
        timeout_s: float | None = None,  # noqa: ARG002 (milliseconds; nothing to wait for)
    ) -> Pose:
        """See InferenceClient."""
        keypoints, mask = self._load().estimate_pose([crop])[0]
        return Pose(keypoints, mask)

    def version(self) -> str:
        """See InferenceClient."""
        return self._load().version

    def check(self) -> None:
        """See InferenceClient; loads the models if they are not yet."""
        self._load()

    def close(self) -> None:
        """See InferenceClient."""
        self._predictor = None

    def _load(self) -> Predictor:
        predictor = self._predictor
        if predictor is None:
            predictor = self._run_native(self._load_once)
        return predictor

    def _load_once(self) -> Predictor:
        with self._loading:
            if self._predictor is None:
                from torchserve_model.predictor import Predictor

                try:
                    self._predictor = Predictor.load(
                        weights_dir=self._weights_dir, intra_op_num_threads=self._threads
                    )
                except Exception as exc:  # ONNX Runtime's exceptions have no base of their own
                    raise InferenceUnavailableError(f"the embedded models cannot be loaded: {exc}") from exc
            return self._predictor
