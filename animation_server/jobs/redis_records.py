"""Jobs in Redis, where every server and every worker sees them.

A job is a hash of JSON values under `animation:job:<id>`. What must not be torn apart, such as "change it
unless it is finished", is a script that Redis runs as one step.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import redis
from pydantic import TypeAdapter
from pydantic_core import to_json
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from animation_server.errors import JobsUnavailableError
from animation_server.jobs.job import UNFINISHED, Job, JobRequest
from animation_server.jobs.records import Ticket, Turn

CONNECT_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 3.0
"""Redis answers in a millisecond or is in trouble, and callers had better hear that soon."""

HOLD_S = 5
"""How long a worker that reports no more keeps others from its job."""

UNFINISHED_EXPIRY_S = 24 * 3600
"""Least time for which an unfinished job is kept, however soon finished ones are to be forgotten: without its
record its message would find nothing to do.
"""

_REQUEST = "request"
_OURS = frozenset({_REQUEST, "attempts"})
"""Fields that are no part of the job as others see it."""

_JOBS: TypeAdapter[Job] = TypeAdapter(Job)
_REQUESTS: TypeAdapter[JobRequest] = TypeAdapter(JobRequest)

_UNFINISHED = """
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= '"queued"' and state ~= '"running"' then return 0 end
"""

_ADD = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""
"""KEYS: the job. ARGV: expiry, field, value, field, value ..."""

_UPDATE = (
    _UNFINISHED
    + """
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
"""
)
"""KEYS: the job, its holder. ARGV: expiry, hold, field, value, field, value ..."""

_BEGIN = (
    _UNFINISHED
    + """
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[3] then return -1 end
redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[2])
redis.call('HSET', KEYS[1], 'state', '"running"')
redis.call('EXPIRE', KEYS[1], ARGV[1])
return redis.call('HINCRBY', KEYS[1], 'attempts', 1)
"""
)
"""KEYS: the job, its holder. ARGV: expiry, hold, who wants to hold it. Returns the attempt, 0 or -1."""


class RedisRecords:
    """Keeps jobs in Redis; implements JobRecords.

    url : redis://, rediss:// or unix://. expiry_s : how long a job is kept once it is finished, and a key.
    """

    def __init__(self, url: str, expiry_s: int) -> None:
        self._expiry_s = expiry_s
        self._unfinished_expiry_s = max(expiry_s, UNFINISHED_EXPIRY_S)
        self.client = redis.Redis.from_url(
            url,
            decode_responses=True,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=ANSWER_TIMEOUT_S,
            # Once more for a connection that a restart has cut; more would only keep the caller waiting.
            retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), 2),
        )
        self._add = self.client.register_script(_ADD)
        self._update = self.client.register_script(_UPDATE)
        self._begin = self.client.register_script(_BEGIN)

    def add(self, job: Job, request: JobRequest) -> bool:
        """See JobRecords."""
        fields = _encode(asdict(job)) | {_REQUEST: _REQUESTS.dump_json(request).decode()}
        with _translated():
            return bool(self._add([_key(job.id)], [self._unfinished_expiry_s, *_flat(fields)]))

    def get(self, job_id: str) -> Job | None:
        """See JobRecords."""
        with _translated():
            fields = self.client.hgetall(_key(job_id))
        values = {name: json.loads(text) for name, text in fields.items() if name not in _OURS}
        return _JOBS.validate_python(values) if values else None

    def get_request(self, job_id: str) -> JobRequest | None:
        """See JobRecords."""
        with _translated():
            text = self.client.hget(_key(job_id), _REQUEST)
        return _REQUESTS.validate_json(text) if text else None

    def begin(self, job_id: str) -> Turn:
        """See JobRecords."""
        arguments: list[str | int] = [self._unfinished_expiry_s, HOLD_S, secrets.token_hex(8)]
        with _translated():
            attempt = int(self._begin([_key(job_id), _holder(job_id)], arguments))
        if attempt > 0:
            return Turn("begin", attempt)
        return Turn("wait" if attempt < 0 else "skip")

    def update(self, job_id: str, **changes: Any) -> bool:
        """See JobRecords."""
        fields = _encode(changes | {"updated_at": time.time()})
        stays_unfinished = changes.get("state", "running") in UNFINISHED
        expiry_s = self._unfinished_expiry_s if stays_unfinished else self._expiry_s
        arguments: list[str | int] = [expiry_s, HOLD_S, *_flat(fields)]
        with _translated():
            return bool(self._update([_key(job_id), _holder(job_id)], arguments))

    def release(self, job_id: str) -> None:
        """See JobRecords."""
        with _translated():
            self.client.delete(_holder(job_id))

    def remove(self, job_id: str) -> None:
        """See JobRecords."""
        with _translated():
            self.client.delete(_key(job_id))

    def remember(self, key: str, ticket: Ticket) -> Ticket:
        """See JobRecords."""
        name = f"animation:idempotency:{key}"
        with _translated():
            if self.client.set(name, json.dumps(asdict(ticket)), nx=True, ex=self._expiry_s):
                return ticket
            bound = self.client.get(name)
        return Ticket(**json.loads(bound)) if bound else ticket

    def check(self) -> None:
        """See JobRecords."""
        with _translated():
            self.client.ping()

    def close(self) -> None:
        """See JobRecords."""
        self.client.close()


def _key(job_id: str) -> str:
    return f"animation:job:{job_id}"


def _holder(job_id: str) -> str:
    return f"animation:job:{job_id}:holder"


def _encode(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: to_json(value).decode() for name, value in values.items()}


def _flat(fields: Mapping[str, str]) -> list[str]:
    return [part for field in fields.items() for part in field]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as exc:
        raise JobsUnavailableError(f"Redis: {type(exc).__name__}: {exc}") from exc
