"""TorchServe's handlers, without TorchServe."""

from __future__ import annotations

import io
import json
import logging
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.places import ROOT
from torchserve_model.handlers.base import BadImageError, FigureHandler, decode_image
from torchserve_model.handlers.detector_handler import DetectorHandler
from torchserve_model.handlers.pose_handler import PoseHandler
from torchserve_model.predictor import WEIGHTS_DIR, Predictor
from torchserve_model.synthesis.sample import draw_crop


@dataclass
class Context:
    """What a handler uses of TorchServe's context, noting what it sets."""

    system_properties: dict[str, Any] = field(
        default_factory=lambda: {"model_dir": str(WEIGHTS_DIR), "gpu_id": None}
    )
    manifest: dict[str, Any] = field(default_factory=lambda: {"model": {"modelVersion": "1.7"}})
    statuses: dict[int, int] = field(default_factory=dict)
    headers: dict[int, dict[str, str]] = field(default_factory=dict)
    came: dict[int, dict[str, str]] = field(default_factory=dict)

    def get_all_request_header(self, idx: int) -> dict[str, str]:
        return self.came.get(idx, {})

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        self.statuses[idx] = code

    def set_response_header(self, idx: int, key: str, value: str) -> None:
        self.headers.setdefault(idx, {})[key] = value

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.set_response_header(idx, "content-type", value)


def encoded(image: NDArray[np.uint8 | np.uint16], kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


def started(handler: FigureHandler) -> FigureHandler:
    handler.initialize(Context())
    return handler


@pytest.fixture(scope="module")
def crop() -> NDArray[np.uint8]:
    return draw_crop(np.random.default_rng([5, 5, 0]), 240).image


def test_pose_answers_as_the_contract_says(crop: NDArray[np.uint8]) -> None:
    """Seventeen keypoints, and a mask whose run lengths fill the crop; the version goes with them."""
    handler = started(PoseHandler())
    [answer] = [json.loads(text) for text in handler.handle([{"data": encoded(crop)}], Context())]
    [pose] = answer
    expected, mask = Predictor.load(WEIGHTS_DIR).estimate_pose([crop])[0]
    np.testing.assert_allclose(pose["keypoints"], expected, atol=0.05)
    assert pose["mask"]["size"] == list(crop.shape[:2])
    assert sum(pose["mask"]["counts"]) == mask.size
    assert abs(sum(pose["mask"]["counts"][1::2]) - mask.sum()) <= 0.001 * mask.size
    assert pose["version"] == "1.7"


def test_detector_answers_as_the_contract_says(crop: NDArray[np.uint8]) -> None:
    """A list of boxes, best first, as the predictor gives them; empty for a blank sheet."""
    handler = started(DetectorHandler())
    blank = np.full((200, 200, 3), 255, np.uint8)
    figures, nothing = handler.handle([{"data": encoded(crop)}, {"body": encoded(blank)}], Context())
    expected = Predictor.load(WEIGHTS_DIR).detect([crop])[0]
    for found, (bbox, score) in zip(json.loads(figures), expected, strict=True):
        assert found["class_name"] == "drawn_humanoid"
        assert found["bbox"] == pytest.approx(bbox, abs=0.05)
        assert found["score"] == pytest.approx(score, abs=1e-3)
    assert json.loads(nothing) == []


NO_PALETTE = (ROOT / "fuzz" / "failures" / "handler_image" / "palette-png-without-palette").read_bytes()


@pytest.mark.parametrize("handler", [DetectorHandler, PoseHandler])
@pytest.mark.parametrize("content", [b"no image", NO_PALETTE], ids=["text", "no palette"])
@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_broken_image_spoils_no_other(
    handler: type[FigureHandler], content: bytes, broken: int, crop: NDArray[np.uint8]
) -> None:
    """In a batch with one broken image that one alone gets an error; the others are answered as ever."""
    ready = started(handler())
    good = encoded(crop)
    [alone] = ready.handle([{"data": good}], Context())
    context = Context()
    batch = [{"data": content if index == broken else bytearray(good)} for index in range(3)]
    answers = [json.loads(text) for text in ready.handle(batch, context)]
    assert context.statuses == {broken: 400}
    assert answers[broken]["code"] == 400
    assert "expected" in answers[broken]["message"]
    for index in set(range(3)) - {broken}:
        assert type(answers[index]) is list
        assert len(answers[index]) == len(json.loads(alone))
    assert all(context.headers[index]["X-Model-Version"] == ready.version for index in range(3))


def test_every_answer_is_logged_with_its_request(
    crop: NDArray[np.uint8], caplog: pytest.LogCaptureFixture
) -> None:
    """One JSON line an answer; ids come by header or, over gRPC, beside the image; unfit ones are dropped."""
    handler = started(PoseHandler())
    good = encoded(crop)
    batch = [{"data": good}, {"data": b"no image", "request_id": b"by-grpc"}, {"data": good}]
    context = Context(came={0: {"x-Request-Id": "by-http"}, 2: {"X-Request-ID": 'a"\n{}'}})
    with caplog.at_level(logging.INFO, logger="torchserve_model.handlers"):
        handler.handle(batch, context)
    lines = [json.loads(message) for message in caplog.messages]
    assert [(line["request_id"], line["status"]) for line in lines] == [
        ("by-http", 200),
        ("by-grpc", 400),
        ("", 200),
    ]
    assert {(line["model"], line["version"], line["batch"]) for line in lines} == {
        ("pose", handler.version, 3)
    }


@pytest.mark.needs_torch
def test_torch_for_cpus_leaves_a_gpu_alone(
    crop: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """TorchServe hands a GPU out wherever there is a driver; the worker answers without it, and says so."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.version, "cuda", None)
    handler = PoseHandler()
    with caplog.at_level(logging.INFO, logger="torchserve_model.handlers"):
        handler.initialize(Context({"model_dir": str(WEIGHTS_DIR), "gpu_id": 0}))
    [line] = [json.loads(message) for message in caplog.messages]
    assert line["level"] == "warning"
    assert "GPU" in line["event"]
    assert len(json.loads(handler.handle([{"data": encoded(crop)}], Context())[0])) == 1


def bomb() -> bytes:
    """A small file that claims to be a huge image."""
    buffer = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "request_fields",
    [
        {},
        {"data": b""},
        {"data": "text"},
        {"data": b"\xff\xd8\xff\xe0 cut off"},
        {"data": encoded(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))[:-3000]},
        {"data": encoded(np.zeros((9, 9, 3), np.uint8), "GIF")},
        {"data": bomb()},
    ],
    ids=["empty", "no bytes", "text", "header only", "truncated", "another format", "bomb"],
)
def test_unusable_images_are_named(request_fields: dict[str, Any]) -> None:
    """Whatever is no image is refused with what was expected."""
    with pytest.raises(BadImageError, match="expected"):
        decode_image(request_fields)


def test_images_are_decoded_to_rgb() -> None:
    """Colours keep their order, grey of 8 and 16 bits becomes grey RGB, what is transparent becomes white."""
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert (decode_image({"data": encoded(red)}) == red).all()
    assert (decode_image({"data": encoded(np.full((4, 4), 7, np.uint8))}) == 7).all()
    assert (decode_image({"data": encoded(np.full((4, 4), 7 * 257, np.uint16))}) == 7).all()
    clear = np.zeros((4, 4, 4), np.uint8)
    assert (decode_image({"body": encoded(clear)}) == 255).all()
