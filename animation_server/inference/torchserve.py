"""The models in TorchServe, over HTTP.

The contract is AnimatedDrawings' own: a multipart field `data` holds the image, the answer is JSON. Images
travel as PNG at the lightest compression: lossless, so that the models see the very pixels the embedded
client would show them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import cv2
import numpy as np
import requests
from numpy.typing import NDArray
from pydantic import BaseModel, Field, FiniteFloat, TypeAdapter, ValidationError
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ReadTimeoutError

from animation_server.concurrency import call_directly
from animation_server.errors import (
    InferenceError,
    InferenceTimeoutError,
    InferenceUnavailableError,
    NoFigureError,
)
from animation_server.inference.contract import COCO_KEYPOINTS, Detection, Pose
from animation_server.inference.rle import decode_rle

DETECTOR = "drawn_humanoid_detector"
POSE_ESTIMATOR = "drawn_humanoid_pose_estimator"
UNVERSIONED = "torchserve"
"""The models' version where neither the settings nor the management address tell it."""

POOL_SIZE = 16
VERSION_LIFE_S = 30.0
"""How long a version read from the management address is believed; models may be replaced while we run."""
CHECK_TIMEOUT_S = 3.0

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


class _Worker(BaseModel):
    status: str


class _ModelAnswer(BaseModel):
    model_version: Annotated[str, Field(alias="modelVersion")]
    workers: list[_Worker] = []


_DETECTIONS = TypeAdapter(list[_DetectionAnswer])
_POSES = TypeAdapter(list[_PoseAnswer])
_MODELS = TypeAdapter(list[_ModelAnswer])


@dataclass(frozen=True)
class TorchServeAddress:
    """Where TorchServe listens and how long to wait for it.

    url : inference address. management_url : management address, empty where it cannot be reached.
    models_version : name of the models' version, empty to ask for it.
    """

    url: str
    management_url: str = ""
    models_version: str = ""
    connect_timeout_s: float = 2.0
    read_timeout_s: float = 20.0


class TorchServeClient:
    """Asks a TorchServe for predictions; implements InferenceClient.

    run_io : runs the network call where sockets work; see concurrency.Executor.
    """

    def __init__(
        self, address: TorchServeAddress, run_io: Callable[[Callable[[], Any]], Any] = call_directly
    ) -> None:
        self._address = address
        self._run_io = run_io
        self._session = requests.Session()
        # TorchServe stands beside us; a proxy meant for the world must not come between.
        self._session.trust_env = False
        adapter = HTTPAdapter(pool_connections=2, pool_maxsize=POOL_SIZE)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._version = ""
        self._version_read_at = 0.0

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """See InferenceClient."""
        answers = self._predict(DETECTOR, image, _DETECTIONS)
        found = [Detection(answer.bbox, answer.score) for answer in answers]
        return sorted(found, key=lambda detection: detection.score, reverse=True)

    def estimate_pose(self, crop: NDArray[np.uint8]) -> Pose:
        """See InferenceClient; raises NoFigureError where the models see no figure in the crop."""
        answers = self._predict(POSE_ESTIMATOR, crop, _POSES)
        if not answers:
            raise NoFigureError("Expected a drawing of a figure; the models found no joints in it.")
        keypoints = np.array(answers[0].keypoints, dtype=np.float64)
        keypoints[:, 2] = np.clip(keypoints[:, 2], 0.0, 1.0)
        mask = answers[0].mask
        if mask is None:
            return Pose(keypoints, None)
        if mask.size != crop.shape[:2]:
            raise InferenceError(f"{POSE_ESTIMATOR}: expected a mask of {crop.shape[:2]}, came {mask.size}")
        try:
            return Pose(keypoints, decode_rle(mask.counts, mask.size))
        except ValueError as exc:
            raise InferenceError(f"{POSE_ESTIMATOR}: {exc}") from exc

    def version(self) -> str:
        """See InferenceClient; told by the settings, else by the management address, else UNVERSIONED."""
        if self._address.models_version:
            return self._address.models_version
        if not self._address.management_url:
            return UNVERSIONED
        now = time.monotonic()
        if not self._version or now - self._version_read_at > VERSION_LIFE_S:
            versions = [self._describe(name)[0].model_version for name in (DETECTOR, POSE_ESTIMATOR)]
            self._version, self._version_read_at = "+".join(versions), now
        return self._version

    def check(self) -> None:
        """See InferenceClient.

        TorchServe's own /ping is healthy before the models' workers are; where the management address can be
        reached, each model must have a worker that is READY.
        """
        if not self._address.management_url:
            self._exchange("GET", f"{self._address.url}/ping", timeout_s=CHECK_TIMEOUT_S)
            return
        for name in (DETECTOR, POSE_ESTIMATOR):
            workers = [worker.status for model in self._describe(name) for worker in model.workers]
            if "READY" not in workers:
                raise InferenceUnavailableError(f"{name}: expected a READY worker, came {workers}")

    def close(self) -> None:
        """See InferenceClient."""
        self._session.close()

    def _predict(
        self, model: str, image: NDArray[np.uint8], answers: TypeAdapter[list[Answer]]
    ) -> list[Answer]:
        _, png = cv2.imencode(
            ".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1]
        )
        files = {"data": ("image.png", png.tobytes(), "image/png")}
        body = self._exchange(
            "POST", f"{self._address.url}/predictions/{model}", self._address.read_timeout_s, files=files
        )
        return _validate(model, answers, body)

    def _describe(self, model: str) -> list[_ModelAnswer]:
        url = f"{self._address.management_url}/models/{model}"
        described = _validate(model, _MODELS, self._exchange("GET", url, CHECK_TIMEOUT_S))
        if not described:
            raise InferenceUnavailableError(f"{model}: not registered with TorchServe")
        return described

    def _exchange(self, method: str, url: str, timeout_s: float, **request: Any) -> bytes:
        """Make one HTTP exchange and return the body of its answer; every failure is an InferenceError."""
        timeouts = self._address.connect_timeout_s, timeout_s

        def call() -> requests.Response:
            return self._session.request(method, url, timeout=timeouts, allow_redirects=False, **request)

        try:
            try:
                response = self._run_io(call)
            except requests.ConnectionError as exc:
                # Asking again is safe, predictions change nothing; and a kept-alive connection that
                # TorchServe closed in the meantime fails just so. Not after waiting a whole timeout, though.
                if _timed_out(exc):
                    raise
                response = self._run_io(call)
        except requests.ConnectTimeout as exc:
            raise InferenceUnavailableError(f"{url}: no connection within {timeouts[0]} s") from exc
        except requests.RequestException as exc:
            if _timed_out(exc):
                raise InferenceTimeoutError(f"{url}: no answer within {timeouts[1]} s") from exc
            raise InferenceUnavailableError(f"{url}: {exc}") from exc
        if response.ok:
            return bytes(response.content)
        message = f"{url}: expected status 200, came {response.status_code}: {response.text[:200]}"
        # 404: the model is not registered (yet). 5xx: workers down or starting, queue full, handler failing.
        if response.status_code == 404 or response.status_code >= 500:
            raise InferenceUnavailableError(message)
        raise InferenceError(message)


def _timed_out(exc: requests.RequestException) -> bool:
    """Tell a wait that ran out; requests hides some of them in ConnectionError."""
    return isinstance(exc, requests.Timeout) or any(isinstance(arg, ReadTimeoutError) for arg in exc.args)


def _validate(model: str, answers: TypeAdapter[list[Answer]], body: bytes) -> list[Answer]:
    try:
        return answers.validate_json(body)
    except ValidationError as exc:
        problem = exc.errors(include_url=False, include_input=False)[0]
        raise InferenceError(f"{model}: the answer is not by the contract: {problem}") from exc
