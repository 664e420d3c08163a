"""The app in this process, with stand-ins for models and renderer, and what its answers must be."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from animation_server.storage.local import LocalStore
from tests.drawings import DRAWING
from tests.fakes import CountingRenderer, FigureClient


@dataclass
class Server:
    """The app under test and its parts."""

    app: Flask
    http: FlaskClient
    models: FigureClient
    renderer: CountingRenderer
    store: LocalStore

    def post(self, image: bytes = DRAWING, **fields: Any) -> TestResponse:
        """Ask for animations of a drawing, as a client of its own."""
        return self.app.test_client().post(
            "/v1/animations", data={"image": (io.BytesIO(image), "drawing.png"), **fields}
        )

    def stored(self) -> list[Path]:
        """Name the files in the store."""
        return [path for path in self.store.directory.rglob("*") if path.is_file()]


Start = Callable[..., Server]
"""Starts a server with these settings and parts."""


def assert_error(response: TestResponse, status: int, code: str) -> str:
    """Every error has the one shape; return its message."""
    assert response.status_code == status, response.text
    body = response.get_json()
    assert set(body) - {"checks"} == {"ok", "error"}
    assert body["ok"] is False
    assert set(body["error"]) == {"code", "message", "request_id"}
    assert body["error"]["code"] == code
    assert body["error"]["request_id"] == response.headers["X-Request-ID"]
    assert body["error"]["message"]
    return str(body["error"]["message"])


def path_of(url: str) -> str:
    """The path of an address, as Flask's client wants it."""
    return urlsplit(url).path
