"""TorchServe at the transport: a real HTTP server that answers by the contract, or breaks it on purpose."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
from flask import Flask, Response, request
from numpy.typing import NDArray
from PIL import Image
from werkzeug.serving import make_server

from animation_server.inference.contract import InferenceClient
from torchserve_model.rle import encode

SECONDS = {"half a second": 0.5, "slow": 1.5}
"""Behaviours that answer by the contract, later."""


@dataclass
class FakeTorchServe:
    """What it is asked, and how it is to behave.

    behaviours : taken one a request from the front; "ok" once there are none left.
    """

    url: str = ""
    behaviours: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    request_ids: set[str] = field(default_factory=set)
    worker_status: str = "READY"
    model_version: str = "1.0"

    @property
    def settings(self) -> dict[str, str]:
        """What a server is told that is to ask it."""
        return {"ANIMATION_INFERENCE": "torchserve", "ANIMATION_TORCHSERVE_URL": self.url}


@contextmanager
def fake_torchserve(models: InferenceClient) -> Iterator[FakeTorchServe]:
    """Serve the answers of `models` for the length of the block."""
    fake = FakeTorchServe()
    server = make_server("127.0.0.1", 0, _app(fake, models), threaded=True)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _app(fake: FakeTorchServe, models: InferenceClient) -> Flask:
    app = Flask(__name__)

    @app.before_request
    def misbehave() -> Response | None:
        fake.requests.append(f"{request.method} {request.path}")
        fake.request_ids.add(request.headers.get("X-Request-ID", ""))
        behaviour = fake.behaviours.pop(0) if fake.behaviours else "ok"
        return _misbehave(behaviour)

    @app.get("/ping")
    def ping() -> Response:
        return _json({"status": "Healthy"})

    @app.get("/models/<name>")
    def describe(name: str) -> Response:
        workers = [{"id": "9000", "status": fake.worker_status}]
        return _json([{"modelName": name, "modelVersion": fake.model_version, "workers": workers}])

    @app.post("/predictions/<model>")
    def predict(model: str) -> Response:
        return _json(answer_to(models, model, read_image(request.files["data"].read())))

    return app


def answer_to(models: InferenceClient, model: str, image: NDArray[np.uint8]) -> list[dict[str, Any]]:
    """Answer as the named model does."""
    if model == "drawn_humanoid_detector":
        return [
            {"class_name": "drawn_humanoid", "bbox": d.bbox_xyxy, "score": d.score}
            for d in models.detect(image)
        ]
    pose = models.estimate_pose(image)
    answer: dict[str, Any] = {"keypoints": pose.keypoints.tolist()}
    if pose.mask is not None:
        answer["mask"] = encode(pose.mask)
    return [answer]


def read_image(content: bytes) -> NDArray[np.uint8]:
    """Decode an image file to (H, W, 3) uint8 RGB."""
    with Image.open(BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, mimetype="application/json")


def _misbehave(behaviour: str) -> Response | None:
    if behaviour in SECONDS:
        time.sleep(SECONDS[behaviour])
    elif behaviour == "hang up":
        request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    elif behaviour.isdigit():
        error = {"code": int(behaviour), "type": "InternalServerException", "message": "worker died"}
        return _json(error, int(behaviour))
    elif behaviour != "ok":
        return Response(behaviour, mimetype="application/json")
    return None
