"""How often one caller may ask for work; counted by the `limits` library, in memory or in Redis."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass

from limits import RateLimitItem, parse_many
from limits.errors import StorageError as CounterError
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from animation_server.errors import SettingsError

log = logging.getLogger(__name__)

_REDIS_TIMEOUT_S = 0.5
_REDIS_PAUSE_S = 10.0
"""For how long a Redis that failed is left alone: waiting for it must not slow every request."""


@dataclass(frozen=True)
class Standing:
    """How a caller stands with one limit.

    quota requests in any window_s seconds; `remaining` of them are left, and reset_s seconds on there is one
    more. allowed : whether the request at hand was within it.
    """

    quota: int
    window_s: int
    remaining: int
    reset_s: int
    allowed: bool


class RateLimits:
    """Counts requests by caller over moving windows.

    rules : as `limits` reads them, e.g. "60/minute;1000/hour". redis_url : where the counts are kept, so that
    all processes share them; empty for this process's memory, which also stands in while Redis fails.
    Raises SettingsError for rules that cannot be read.
    """

    def __init__(self, rules: str, redis_url: str = "") -> None:
        # The shortest window first: a request that it refuses does not count towards the longer ones.
        self._items = sorted(_parse(rules), key=lambda item: item.get_expiry())
        self._in_memory = MovingWindowRateLimiter(storage_from_string("memory://"))
        self._in_redis = _redis_limiter(redis_url) if redis_url else None
        self._redis_failed_at = -math.inf

    def count(self, caller: str) -> list[Standing]:
        """Count one request; the last standing says whether it is allowed."""
        if self._in_redis is not None and time.monotonic() - self._redis_failed_at > _REDIS_PAUSE_S:
            try:
                return self._count(self._in_redis, caller)
            except CounterError as exc:
                self._redis_failed_at = time.monotonic()
                log.warning("rate limits are counted in memory, Redis fails", extra={"reason": str(exc)})
        return self._count(self._in_memory, caller)

    def _count(self, limiter: MovingWindowRateLimiter, caller: str) -> list[Standing]:
        standings = []
        for item in self._items:
            allowed = limiter.hit(item, caller)
            stats = limiter.get_window_stats(item, caller)
            reset_s = max(1, math.ceil(stats.reset_time - time.time()))
            standings.append(Standing(item.amount, item.get_expiry(), stats.remaining, reset_s, allowed))
            if not allowed:
                break
        return standings


def headers(standings: list[Standing]) -> dict[str, str]:
    """Say to the client how it stands, in the fields of the IETF's draft on rate limits."""
    return {
        "RateLimit-Policy": ", ".join(f'"{s.window_s}s";q={s.quota};w={s.window_s}' for s in standings),
        "RateLimit": ", ".join(f'"{s.window_s}s";r={s.remaining};t={s.reset_s}' for s in standings),
    }


def _parse(rules: str) -> list[RateLimitItem]:
    try:
        items = parse_many(rules)
    except ValueError:
        items = []
    if not items or any(item.amount < 1 for item in items):
        raise SettingsError(f"ANIMATION_RATE_LIMIT: expected such as '60/minute;1000/hour', came {rules!r}")
    return items


def _redis_limiter(url: str) -> MovingWindowRateLimiter:
    timeouts = {"socket_timeout": _REDIS_TIMEOUT_S, "socket_connect_timeout": _REDIS_TIMEOUT_S}
    # Nothing is asked of Redis yet: it may come up later than we do.
    return MovingWindowRateLimiter(
        storage_from_string(url, wrap_exceptions=True, key_prefix="animation:rate", **timeouts)
    )
