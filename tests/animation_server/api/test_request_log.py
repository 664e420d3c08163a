"""The line that a request leaves in the log, and its id."""

from __future__ import annotations

import json
import logging

import pytest

from tests.app_client import Server, path_of


def test_request_ids_come_back(server: Server) -> None:
    """A fit id of the caller's is kept; an unfit one is replaced; without one there is a new one."""
    ids = [
        server.http.get("/healthz", headers=headers).headers["X-Request-ID"]
        for headers in (
            {"X-Request-ID": "abc-1.2_3"},
            {"X-Request-ID": "a b<script>"},
            {"X-Request-ID": "x" * 65},
            {},
            {},
        )
    ]
    assert ids[0] == "abc-1.2_3"
    assert len(set(ids)) == 5
    assert all(len(i) == 32 for i in ids[1:])


def test_one_log_line_a_request(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """It names what was asked and how long the stages took, and holds no key and no image."""
    with caplog.at_level(logging.INFO, logger="animation_server.api.request_log"):
        url = server.post(motions="dab").get_json()["animations"]["dab"]
        server.http.get(path_of(url)).close()
    first, second = (vars(record) for record in caplog.records if record.getMessage() == "request")
    assert (first["method"], first["route"], first["status"]) == ("POST", "/v1/animations", 200)
    assert set(first["stages_ms"]) == {"decode", "detect", "pose", "mask", "store"}
    assert second["route"] == "/objects/<path:key>"
    key = path_of(url).removeprefix("/objects/")
    assert not any(key in json.dumps(line, default=str) for line in (first, second))
