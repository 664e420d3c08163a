"""The app under test, one for every test that starts it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from animation_server.app import create_app, decode_limits
from animation_server.concurrency import ThreadExecutor
from animation_server.service.pipeline import AnimationService, PipelineLimits
from animation_server.settings import Settings
from animation_server.storage.local import LocalStore
from tests.app_client import Server, Start
from tests.fakes import CountingRenderer, FigureClient


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a server with these settings and parts."""
    started = []

    def start_server(settings: Settings = Settings(), **parts: Any) -> Server:  # noqa: B008
        settings = replace(settings, local_dir=tmp_path / "objects")
        models = parts.get("models", FigureClient())
        renderer = parts.get("renderer", CountingRenderer())
        store = parts.get("store", LocalStore(settings.local_dir, settings.base_url))
        service = AnimationService(
            models,
            store,
            renderer,
            ThreadExecutor(2),
            decode_limits(settings),
            PipelineLimits(settings.max_queue, settings.request_deadline_s),
            keep_uploads=settings.keep_uploads,
        )
        started.append(service)
        app = create_app(settings, service)
        return Server(app, app.test_client(), models, renderer, store)

    yield start_server
    for service in started:
        service.close()


@pytest.fixture
def server(start: Start) -> Server:
    """A server as its settings are without any."""
    return start()
