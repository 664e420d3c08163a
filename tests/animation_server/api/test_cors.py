"""Pages of other origins."""

from __future__ import annotations

import pytest

from animation_server.errors import SettingsError
from animation_server.settings import Settings
from tests.app_client import Start


def test_answers_other_origins_as_configured(start: Start) -> None:
    """Pages of configured origins may call, ask beforehand, and read the headers; others may not."""
    http = start(Settings(cors_origins=("https://app.example.com",))).http
    ours, theirs = {"Origin": "https://app.example.com"}, {"Origin": "https://evil.example.com"}
    answer = http.get("/v1/motions", headers=ours)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    asks = ours | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "prefer"}
    preflight = http.options("/v1/animations", headers=asks)
    assert preflight.status_code == 200
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert preflight.headers["Access-Control-Allow-Headers"] == "prefer"
    assert "Access-Control-Allow-Origin" not in http.get("/v1/motions", headers=theirs).headers
    assert "Access-Control-Allow-Origin" not in start().http.get("/v1/motions", headers=ours).headers


@pytest.mark.parametrize("origin", ["app.example.com", "https://*.example.com", "https://a.example/path"])
def test_origins_must_be_origins(start: Start, origin: str) -> None:
    """A pattern or an address that is no origin stops the start."""
    with pytest.raises(SettingsError, match="ANIMATION_CORS_ORIGINS"):
        start(Settings(cors_origins=(origin,)))
