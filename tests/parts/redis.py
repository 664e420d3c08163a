"""Redis as Debian packages it, on a local port, keeping what it is told over restarts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import redis

from tests.parts.process import free_ports, running, wait_until

MISSING = "" if shutil.which("redis-server") else "redis-server is missing: apt-get install redis-server"
"""Why tests with Redis are skipped; empty where they are not."""


@dataclass(frozen=True)
class Redis:
    """A running Redis."""

    url: str
    process: Popen[bytes]


@contextmanager
def redis_server(home: Path, port: int | None = None) -> Iterator[Redis]:
    """Run Redis for the length of the block; what it keeps lies under `home` and outlives it.

    port : a free one unless given, as for one that was here before.
    """
    home.mkdir(parents=True, exist_ok=True)
    port = port or free_ports(1)[0]
    command = [
        "redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(home),
        "--appendonly", "yes", "--appendfsync", "always", "--save", "",
    ]  # fmt: skip
    log = home / "redis.log"
    with running("redis-server", command, log) as process:
        server = Redis(f"redis://127.0.0.1:{port}/0", process)
        client = redis.Redis.from_url(server.url)
        wait_until(lambda: _answers(client), "redis-server", process, log, 20)
        client.close()
        yield server


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
