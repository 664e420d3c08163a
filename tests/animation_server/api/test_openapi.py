"""The OpenAPI document: valid, complete, and true to what the server does."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from flask import Flask
from hypothesis import strategies as st
from openapi_spec_validator import validate
from PIL import Image
from schemathesis.config import SchemathesisConfig

from animation_server.annotate import annotate
from animation_server.api.describe import IMAGE_TYPES
from animation_server.api.parts import parts_of
from animation_server.app import create_app, decode_limits
from animation_server.concurrency import ThreadExecutor
from animation_server.drawing import decode_drawing
from animation_server.service.pipeline import AnimationService, PipelineLimits
from animation_server.settings import Settings
from animation_server.storage.keys import is_id
from animation_server.storage.local import LocalStore
from tests.drawings import DRAWING, mask_text
from tests.fakes import CountingRenderer, FigureClient


def jpeg() -> bytes:
    stream = io.BytesIO()
    Image.open(io.BytesIO(DRAWING)).save(stream, "JPEG")
    return stream.getvalue()


DRAWINGS = [DRAWING, jpeg()]
# What the document says in words, in values: drawings that hold a figure, sizes within the bounds.
schemathesis.openapi.format("binary", st.sampled_from(DRAWINGS))
schemathesis.openapi.format("base64-image", st.sampled_from([base64.b64encode(d).decode() for d in DRAWINGS]))
for media_type in IMAGE_TYPES:
    schemathesis.openapi.media_type(media_type, st.sampled_from(DRAWINGS))
MASK = annotate(decode_drawing(DRAWING), FigureClient()).character.mask
schemathesis.openapi.format("base64-mask", st.just(mask_text(MASK)))
schemathesis.openapi.format("pixels", st.sampled_from(["16", "300", "64x48", "1024x16"]))


def make_app(directory: Path) -> Flask:
    settings = Settings(local_dir=directory, keep_uploads=True)
    service = AnimationService(
        FigureClient(),
        LocalStore(settings.local_dir, settings.base_url),
        CountingRenderer(),
        ThreadExecutor(2),
        decode_limits(settings),
        PipelineLimits(settings.max_queue, settings.request_deadline_s),
        keep_uploads=True,
    )
    return create_app(settings, service)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    app = make_app(tmp_path_factory.mktemp("openapi"))
    yield app
    parts_of(app).service.close()


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    return dict(app.test_client().get("/openapi.json").get_json())


def test_is_valid(document: dict[str, Any]) -> None:
    """By the specification's own schema."""
    assert document["openapi"] == "3.1.0"
    validate(document)


def test_every_route_is_described(app: Flask, document: dict[str, Any]) -> None:
    """Nothing can be called that the document does not tell of."""
    described = {(path, method) for path, item in document["paths"].items() for method in item}
    routes = {
        (rule.rule.replace("<path:", "<").replace("<", "{").replace(">", "}"), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == routes


class LateApp:
    """Stands for the app while tests are collected, which asks for the document and for nothing else."""

    def __init__(self) -> None:
        self.app = make_app(Path("nothing-is-written-here"))
        self.character = "0" * 32

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.app(environ, start_response)


LATE = LateApp()
CONFIG = SchemathesisConfig.from_dict(
    {
        # Texts found in the source would be taken for drawings and sizes.
        "analysis": {"constants": {"enabled": False}},
        # An If-Match made up never matches.
        "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", "404", "409", "412"]}},
    }
)
SCHEMA = schemathesis.openapi.from_wsgi("/openapi.json", LATE, config=CONFIG)


@SCHEMA.hook
def map_path_parameters(
    context: schemathesis.HookContext, parameters: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Where an id could be a character's, let it be one's that is there."""
    if parameters and is_id(str(parameters.get("character", ""))):
        parameters["character"] = LATE.character
    return parameters


@SCHEMA.hook
def map_headers(context: schemathesis.HookContext, headers: dict[str, Any] | None) -> dict[str, Any] | None:
    """A key that came with another request is rightly refused: no request has one that could be known."""
    if headers and re.fullmatch("[!-~]{1,255}", str(headers.get("Idempotency-Key", ""))):
        del headers["Idempotency-Key"]
    return headers


@SCHEMA.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """The schema cannot say how large the drawing is: let places be within it."""
    if isinstance(body, dict) and isinstance(body.get("keypoints"), dict):
        for place in body["keypoints"].values():
            if isinstance(place, list):
                place[:] = [x % 300 if isinstance(x, int | float) and x > 300 else x for x in place]
    return body


@pytest.mark.slow
@SCHEMA.parametrize()
@hypothesis.settings(max_examples=20, deadline=None, derandomize=True)
def test_requests_made_up(app: Flask, case: schemathesis.Case) -> None:
    """Whatever the document allows is done, whatever it does not is refused, and answers are as it says."""
    LATE.app = app
    case.call_and_validate()


@pytest.fixture(autouse=True)
def character(app: Flask) -> str:
    """Let there be a character to read, correct, animate and delete."""
    answer = app.test_client().post("/v1/characters", data=DRAWING, content_type="image/png")
    LATE.character = str(answer.get_json()["id"])
    return LATE.character
