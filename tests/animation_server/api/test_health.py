"""Liveness and readiness."""

from __future__ import annotations

from animation_server.errors import InferenceUnavailableError
from tests.app_client import Start, assert_error
from tests.fakes import FigureClient


def test_liveness_asks_nobody(start: Start) -> None:
    """The process is alive whatever happens to the models."""
    assert (
        start(models=FigureClient(error=InferenceUnavailableError("down"))).http.get("/healthz").status_code
        == 200
    )


def test_readiness_names_what_fails(start: Start) -> None:
    """503 with names and no reasons while a part does not answer; 200 when all do."""
    server = start(models=FigureClient(error=InferenceUnavailableError("http://10.0.0.1 down")))
    response = server.http.get("/readyz")
    assert "10.0.0.1" not in response.text
    assert_error(response, 503, "not_ready")
    assert response.get_json()["checks"] == {"warm_up": "ok", "inference": "failing", "storage": "ok"}
    server.models.error = None
    assert server.http.get("/readyz").get_json()["ok"] is True


def test_not_ready_while_warming_up(start: Start) -> None:
    """Traffic comes when the kernels are compiled."""
    server = start()
    service = server.app.extensions["animation_server"].service
    seen = []

    def check() -> None:
        seen.append(server.http.get("/readyz").status_code)

    server.renderer.warm_up = check  # type: ignore[method-assign]
    service.warm_up()
    assert seen == [503]
    assert server.http.get("/readyz").status_code == 200
