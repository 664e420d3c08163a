"""The animation server as users run it: gunicorn with gevent workers, from the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import requests

from tests.drawings import DRAWING
from tests.parts.process import answers, free_ports, running, wait_until

START_TIMEOUT_S = 60


@dataclass(frozen=True)
class Server:
    """A running animation server."""

    url: str
    process: Popen[bytes]
    log: Path


@contextmanager
def animation_server(home: Path, settings: Mapping[str, str], ready: str = "/readyz") -> Iterator[Server]:
    """Run the server for the length of the block, with `settings` in its environment and no others.

    `home` takes its log, and its objects where they are kept locally. `ready` is the path that says it is up.
    """
    home.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("ANIMATION_", "AWS_"))
    }
    defaults = {"ANIMATION_PORT": str(port), "ANIMATION_LOCAL_DIR": str(home / "objects")}
    log = home / "server.log"
    command = [sys.executable, "-m", "animation_server.cli", "serve"]
    with running("animation server", command, log, {**inherited, **defaults, **settings}) as process:
        server = Server(f"http://127.0.0.1:{port}", process, log)
        wait_until(lambda: answers(server.url + ready), "animation server", process, log, START_TIMEOUT_S)
        yield server


def post(server: Server, image: bytes = DRAWING, **fields: str) -> requests.Response:
    """Ask for animations of a drawing, over a connection of its own."""
    # Without keeping alive: gunicorn waits for idle connections when it stops.
    headers = {"Connection": "close"}
    url = f"{server.url}/v1/animations"
    return requests.post(url, files={"image": image}, data=fields, headers=headers, timeout=60)
