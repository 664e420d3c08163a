"""Who is let in, and how often, over HTTP."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from animation_server.api.access import OPEN
from animation_server.api.keys import add_key
from animation_server.api.rate_limits import RateLimits
from animation_server.app import create_app
from animation_server.errors import SettingsError
from animation_server.settings import Settings
from tests.app_client import Start, assert_error
from tests.drawings import DRAWING
from tests.parts.redis import MISSING, Redis, redis_server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "api-keys"


def upload() -> dict[str, Any]:
    return {"image": (io.BytesIO(DRAWING), "a.png"), "motions": "dab"}


def ask(app: Flask, **headers: str) -> TestResponse:
    return app.test_client().get("/v1/motions", headers={k.replace("_", "-"): v for k, v in headers.items()})


def test_without_keys_everyone_may_come(start: Start) -> None:
    """Keys are asked for where a file of them is set, and nowhere else."""
    app = start().app
    assert ask(app).status_code == 200
    assert ask(app, Authorization="Bearer whatever").status_code == 200


def test_a_key_opens_in_either_header(start: Start, file: Path) -> None:
    """As clients know it: Authorization: Bearer, or X-Api-Key."""
    key = add_key(file, "app")
    app = start(Settings(api_keys_file=str(file))).app
    for headers in (
        {"Authorization": f"Bearer {key}"},
        {"Authorization": f"bearer  {key}"},
        {"X_Api_Key": key},
    ):
        assert ask(app, **headers).status_code == 200
    basic = ask(app, Authorization=f"Basic {key}")
    assert_error(basic, 401, "unauthorized")


@pytest.mark.parametrize("offered", ["", "Bearer", "Bearer ", "Bearer wrong", "Bearer ä", "Basic YTpi"])
def test_without_a_valid_key_nothing_opens(start: Start, file: Path, offered: str) -> None:
    """401 in the one shape, with the scheme that is expected; nothing is echoed."""
    add_key(file, "app")
    response = ask(start(Settings(api_keys_file=str(file))).app, Authorization=offered)
    message = assert_error(response, 401, "unauthorized")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert "wrong" not in message


def test_every_route_that_is_not_listed_is_closed(start: Start, file: Path) -> None:
    """Whatever routes there are or will be: without a key they answer 401, but for those listed."""
    add_key(file, "app")
    app = start(Settings(api_keys_file=str(file), metrics_open=False)).app
    client = app.test_client()
    rules = [
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    ]
    assert set(rules) >= OPEN, "what is listed exists"
    for method, rule in rules:
        status = client.open(re.sub(r"<[^>]*>", "x", rule), method=method).status_code
        assert (status != 401) == ((method, rule) in OPEN), f"{method} {rule}: {status}"


def test_metrics_are_open_by_setting(start: Start, file: Path) -> None:
    """Prometheus often cannot send a key; whoever can closes them."""
    key = add_key(file, "prometheus")
    assert start(Settings(api_keys_file=str(file))).http.get("/metrics").status_code == 200
    http = start(Settings(api_keys_file=str(file), metrics_open=False)).http
    assert http.get("/metrics").status_code == 401
    assert http.get("/metrics", headers={"X-Api-Key": key}).status_code == 200


def test_preflights_need_no_key(start: Start, file: Path) -> None:
    """A browser asks without one whether it may send one."""
    add_key(file, "app")
    assert start(Settings(api_keys_file=str(file))).http.options("/v1/animations").status_code == 200


def test_nothing_is_read_or_made_of_who_has_no_key(start: Start, file: Path) -> None:
    """The upload is refused before it is parsed."""
    add_key(file, "app")
    server = start(Settings(api_keys_file=str(file)))
    assert_error(server.http.post("/v1/animations", data=upload()), 401, "unauthorized")
    assert_error(server.http.post("/", json={"file": "x"}), 401, "unauthorized")
    assert server.models.calls == []
    assert server.stored() == []


def test_the_log_names_the_holder_and_not_the_key(
    start: Start, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who asked can be told; the key cannot be read off the log."""
    key = add_key(file, "mobile-app")
    app = start(Settings(api_keys_file=str(file))).app
    with caplog.at_level(logging.DEBUG):
        ask(app, Authorization=f"Bearer {key}")
    assert [vars(r)["caller"] for r in caplog.records if "caller" in vars(r)] == ["mobile-app"]
    assert key not in "".join(str(vars(record)) for record in caplog.records)


def post(app: Flask, address: str = "192.0.2.1", **headers: str) -> TestResponse:
    return app.test_client().post(
        "/v1/animations",
        data=upload(),
        headers={k.replace("_", "-"): v for k, v in headers.items()},
        environ_overrides={"REMOTE_ADDR": address},
    )


def test_each_address_has_its_share(start: Start) -> None:
    """Beyond it 429 with Retry-After and the RateLimit fields; other addresses are served."""
    app = start(Settings(rate_limit="2/minute;10/hour")).app
    answers = [post(app) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"60s";q=2;w=60, "3600s";q=10;w=3600'
    assert [a.headers["RateLimit"].split(";")[1] for a in answers] == ["r=1", "r=0", "r=0"]
    assert_error(answers[2], 429, "rate_limited")
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
    assert post(app, "192.0.2.2").status_code == 200


def test_reading_is_not_counted(start: Start) -> None:
    """Whoever waits for a job asks often, and every answer costs next to nothing."""
    app = start(Settings(rate_limit="1/hour")).app
    assert [ask(app).status_code for _ in range(5)] == [200] * 5
    assert "RateLimit" not in ask(app).headers


def test_an_ipv6_customer_is_one_caller(start: Start) -> None:
    """All addresses of a /64 share; an IPv4 address written as IPv6 is that IPv4 address."""
    app = start(Settings(rate_limit="1/hour")).app
    assert post(app, "2001:db8::1").status_code == 200
    assert post(app, "2001:db8::ffff:1").status_code == 429
    assert post(app, "2001:db8:0:1::1").status_code == 200
    assert post(app, "192.0.2.7").status_code == 200
    assert post(app, "::ffff:192.0.2.7").status_code == 429
    assert [post(app, address).status_code for address in ("unix", "")] == [200, 429]


def test_keys_share_by_holder_and_not_by_address(start: Start, file: Path) -> None:
    """A rotated key has the share of the one it replaces; two holders behind one address have one each."""
    old, new, other = add_key(file, "app"), add_key(file, "app"), add_key(file, "other")
    app = start(Settings(api_keys_file=str(file), rate_limit="1/hour")).app
    assert post(app, "192.0.2.1", X_Api_Key=old).status_code == 200
    assert post(app, "192.0.2.2", X_Api_Key=new).status_code == 429
    assert post(app, "192.0.2.1", X_Api_Key=other).status_code == 200
    assert post(app, "192.0.2.3").status_code == 401


def test_forwarded_addresses_are_believed_as_far_as_told(start: Start) -> None:
    """Without trusted proxies the header is what an attacker makes it; with one, its last entry counts."""
    app = start(Settings(rate_limit="1/hour")).app
    assert post(app, X_Forwarded_For="198.51.100.1").status_code == 200
    assert post(app, X_Forwarded_For="198.51.100.2").status_code == 429
    app = start(Settings(rate_limit="1/hour", trusted_proxies=1)).app
    assert post(app, X_Forwarded_For="203.0.113.9, 198.51.100.1").status_code == 200
    assert post(app, X_Forwarded_For="203.0.113.8, 198.51.100.1").status_code == 429
    assert post(app, X_Forwarded_For="203.0.113.9, 198.51.100.2").status_code == 200


@pytest.mark.parametrize("rules", ["often", "5/fortnight", "-1/minute", ";", "0/minute"])
def test_rules_that_cannot_be_read_stop_the_start(rules: str) -> None:
    """A misspelt limit must not leave the limit off."""
    with pytest.raises(SettingsError, match="ANIMATION_RATE_LIMIT"):
        RateLimits(rules)


def test_keys_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    """The same for the file of keys."""
    with pytest.raises(SettingsError, match="API keys"):
        create_app(Settings(local_dir=tmp_path, api_keys_file=str(tmp_path / "none")))


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with redis_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_processes_share_through_redis(redis: Redis) -> None:
    """What one process counts, another knows of."""
    first, second = (RateLimits("2/hour", redis.url) for _ in range(2))
    allowed = [limits.count("key:a")[-1].allowed for limits in (first, second, first, second)]
    assert allowed == [True, True, False, False]


def test_without_its_redis_each_process_counts(caplog: pytest.LogCaptureFixture) -> None:
    """Requests are neither lost nor unlimited; the failure is logged once, not at every request."""
    limits = RateLimits("2/hour", "redis://127.0.0.1:1/0")
    allowed = [limits.count("key:a")[-1].allowed for _ in range(4)]
    assert allowed == [True, True, False, False]
    assert len([record for record in caplog.records if "Redis" in record.message]) == 1
