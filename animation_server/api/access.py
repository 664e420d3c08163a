"""Who is let in, and how often: API keys where a file of them is set, rate limits by key or by address.

Everything needs a key except what OPEN lists, so that a route nobody thought of is closed. Both are checked
before the body is read.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path

from flask import Flask, Response, g, has_request_context, request
from werkzeug.middleware.proxy_fix import ProxyFix

from animation_server.api.keys import KeyRing
from animation_server.api.rate_limits import RateLimits, headers
from animation_server.api.request_log import note
from animation_server.errors import RateLimitedError, UnauthorizedError
from animation_server.settings import Settings

OPEN = frozenset(
    {
        ("GET", "/healthz"),  # the orchestrator has no key
        ("GET", "/readyz"),
        ("GET", "/objects/<path:key>"),  # pages show them; who has the address was given it
        ("GET", "/v1/motions/<motion>/preview"),  # pages show them, too
        ("GET", "/openapi.json"),
        ("GET", "/"),  # the studio, which asks people for a key
        ("GET", "/studio/<path:name>"),
    }
)
"""What anyone may fetch, by method and rule."""

METRICS = frozenset({("GET", "/metrics"), ("GET", "/metrics/torchserve")})
_PREFLIGHT = "OPTIONS"
"""Browsers ask so, without a key, whether they may send one."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SCHEME = "bearer "


def register_access(app: Flask, settings: Settings) -> None:
    """Check every request as the settings say; register it behind the request log, whose ids errors carry.

    Raises SettingsError where the keys' file or the rate limit cannot be read.
    """
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=0, x_host=0
        )
    keys = KeyRing(Path(settings.api_keys_file)) if settings.api_keys_file else None
    limits = _rate_limits(settings)

    @app.before_request
    def check() -> None:
        if request.url_rule is None or request.method == _PREFLIGHT:
            return
        if not needs_key(settings, request.method, request.url_rule.rule):
            return
        if keys is not None:
            g.caller = _authenticate(keys)
            note(caller=g.caller)
        # Reading costs next to nothing, and whoever waits for a job reads often.
        if limits is not None and request.method not in _SAFE:
            _count(limits)

    @app.after_request
    def tell(response: Response) -> Response:
        response.headers.update(g.get("rate_limit_headers", {}))
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = 'Bearer realm="animation-server"'
        return response


def needs_key(settings: Settings, method: str, rule: str) -> bool:
    """Tell whether a call needs a key, where keys are asked for, and counts, where calls are counted."""
    call = ("GET" if method == "HEAD" else method), rule
    return call not in OPEN and not (settings.metrics_open and call in METRICS)


def caller() -> str:
    """Return the name that the current request's key belongs to; empty where no keys are asked for."""
    return str(g.get("caller", "")) if has_request_context() else ""


def _rate_limits(settings: Settings) -> RateLimits | None:
    if not settings.rate_limit:
        return None
    return RateLimits(settings.rate_limit, settings.redis_url.get_secret_value())


def _authenticate(keys: KeyRing) -> str:
    """Return the name of whoever holds the request's key; raise UnauthorizedError where there is none."""
    authorization = request.headers.get("Authorization", "")
    offered = request.headers.get("X-Api-Key", "").strip()
    if authorization.lower().startswith(_SCHEME):
        offered = authorization[len(_SCHEME) :].strip()
    if not offered:
        raise UnauthorizedError(
            "Expected an API key, came none. Send it as 'Authorization: Bearer KEY' or 'X-Api-Key: KEY'."
        )
    holder = keys.holder_of(offered)
    if holder is None:
        raise UnauthorizedError("Expected a valid API key, came one that is not known or not any more.")
    return holder


def _count(limits: RateLimits) -> None:
    standings = limits.count(f"key:{caller()}" if caller() else f"address:{_network(request.remote_addr)}")
    g.rate_limit_headers = headers(standings)
    last = standings[-1]
    if not last.allowed:
        raise RateLimitedError(
            f"Expected at most {last.quota} requests in {last.window_s} s, came more. "
            f"Try again in {last.reset_s} s.",
            retry_after_s=last.reset_s,
        )


def _network(address: str | None) -> str:
    """What counts as one caller: an IPv4 address, or the /64 that an IPv6 customer has all of."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if parsed.version == 4:
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
