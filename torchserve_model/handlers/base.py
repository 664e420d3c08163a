"""What both handlers share: requests to images, one answer or one error per request."""

from __future__ import annotations

import io
import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from torchserve_model.handlers.request_log import log_answer, log_event, request_id
from torchserve_model.predictor import MODELS_FILE, Backend, OnnxBackend

Answer = list[dict[str, Any]]

MAX_PIXELS = 50_000_000
"""Larger images are refused before they are decoded: the server sends working-size images."""


class BadImageError(ValueError):
    """A request that holds no usable image. The message is for the client."""


class FigureHandler(ABC):
    """Answers batches; TorchServe calls `initialize` once a worker, then `handle`.

    kind : the network, "detector" or "pose".
    """

    kind: str

    def __init__(self) -> None:
        self.version = ""
        self.initialized = False

    def initialize(self, context: Any) -> None:
        """Load the network from the unpacked archive: TorchScript in half precision on a GPU, else ONNX.

        ONNX Runtime is faster than TorchScript on a CPU: 15 against 20 ms for both networks, one thread.
        """
        properties = context.system_properties
        folder = Path(properties["model_dir"])
        self.version = str(context.manifest["model"]["modelVersion"])
        gpu = properties.get("gpu_id")
        if gpu is not None and not _torch_is_for_gpus():
            log_event(
                "warning", f"expected torch for CUDA on GPU {gpu}, came torch for CPUs: the CPU answers"
            )
            gpu = None
        if gpu is None:
            threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
            self.use(OnnxBackend(folder / f"{self.kind}.onnx", intra_op_num_threads=threads))
        else:
            # Imported here: a worker on the CPU starts sooner and takes less memory without torch.
            from torchserve_model.torch_backend import TorchBackend

            models = json.loads((folder / MODELS_FILE).read_text())
            size = int(models[self.kind]["config"]["size"])
            self.use(TorchBackend.load(folder / f"{self.kind}.pt", size, f"cuda:{gpu}"))
        self.initialized = True

    @abstractmethod
    def use(self, backend: Backend) -> None:
        """Answer with this network."""

    @abstractmethod
    def answer(self, images: Sequence[NDArray[np.uint8]]) -> list[Answer]:
        """Answers to (H, W, 3) uint8 RGB images, one each."""

    def handle(self, data: Sequence[Mapping[str, Any]], context: Any) -> list[str]:
        """Answer a batch of requests, each a mapping of multipart fields or with the bare "body".

        A request without a usable image gets status 400 and an error of TorchServe's shape; the others in its
        batch are answered as if it had not been there.
        """
        started = time.perf_counter()
        answers: dict[int, Any] = {}
        statuses: dict[int, int] = {}
        images: dict[int, NDArray[np.uint8]] = {}
        for index, request in enumerate(data):
            try:
                images[index] = decode_image(request)
            except BadImageError as error:
                answers[index] = {"code": 400, "type": "BadImage", "message": str(error)}
                statuses[index] = 400
                context.set_response_status(code=400, phrase="Bad Request", idx=index)
        answers.update(zip(images, self.answer(list(images.values())), strict=True))
        seconds = time.perf_counter() - started
        for index, request in enumerate(data):
            name = request_id(request, context.get_all_request_header(index))
            log_answer(name, self.kind, self.version, statuses.get(index, 200), len(data), seconds)
            context.set_response_content_type(index, "application/json")
            context.set_response_header(index, "X-Model-Version", self.version)
        # Written here: TorchServe would spread each number of a mask over a line of its own.
        return [json.dumps(answers[index], separators=(",", ":")) for index in range(len(data))]


def _torch_is_for_gpus() -> bool:
    """Whether torch was built for GPUs. TorchServe hands them out by nvidia-smi, and does not ask torch."""
    import torch

    return torch.version.cuda is not None


def decode_image(request: Mapping[str, Any]) -> NDArray[np.uint8]:
    """The (H, W, 3) uint8 RGB image of a request: an encoded image in field "data", or the bare body.

    Transparency is laid on white. Raises BadImageError.
    """
    content = request.get("data", request.get("body"))
    if not isinstance(content, bytes | bytearray) or not content:
        raise BadImageError('expected an encoded image in the multipart field "data", got none')
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP")) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadImageError(
                    f"expected at most {MAX_PIXELS} pixels, got {image.width} x {image.height}; scale it down"
                )
            return np.asarray(_to_rgb(image))
    except (BadImageError, MemoryError):
        raise
    # Pillow promises nothing of what it raises on bytes that lie: AssertionError and IndexError are among it.
    # What escaped here would fail all requests of the batch.
    except Exception as exc:
        raise BadImageError(
            f"expected a whole JPEG, PNG or WebP image, got {len(content)} bytes that are none"
        ) from exc


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # 16 bits of grey; Pillow's own conversion would clip nearly all of them to white.
        image = Image.fromarray((np.asarray(image).clip(0, 0xFFFF) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers)
    return image.convert("RGB")
