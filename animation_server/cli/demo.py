"""The whole service in one command: start it, post a drawing, say where the animations are, stop it.

python -m animation_server.cli.demo IMAGE
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import requests

MOTIONS = ("dab", "jumping", "zombie")
START_TIMEOUT_S = 60
"""A first start compiles the kernels and loads the models."""
STOP_TIMEOUT_S = 20


def main() -> int:
    """Run the demonstration; returns the exit status."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m animation_server.cli.demo IMAGE\n")
        return 2
    image = Path(sys.argv[1])
    port = _free_port()
    objects = Path("var/objects").resolve()
    environ = {
        **os.environ,
        "ANIMATION_PORT": str(port),
        "ANIMATION_LOCAL_DIR": str(objects),
        "ANIMATION_LOG_LEVEL": "warning",
    }
    base = f"http://127.0.0.1:{port}"
    _say(f"starting the server on {base} ...")
    server = subprocess.Popen([sys.executable, "-m", "animation_server.cli", "serve"], env=environ)
    try:
        _wait_until_ready(base, server)
        _say(f"posting {image} ...")
        started = time.monotonic()
        with image.open("rb") as file:
            answer = requests.post(
                f"{base}/v1/animations",
                files={"image": file},
                data={"motions": ",".join(MOTIONS)},
                timeout=120,
            )
        if not answer.ok:
            sys.stderr.write(f"the server answered {answer.status_code}: {answer.text}\n")
            return 1
        _say(f"answered in {time.monotonic() - started:.1f} s")
        for name, url in answer.json()["animations"].items():
            file_path = objects / urlsplit(url).path.removeprefix("/objects/")
            shown = requests.get(url, timeout=30)
            shown.raise_for_status()
            _say(f"  {name:8s} {url}\n           {file_path}  ({len(shown.content) / 1000:.0f} kB)")
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(STOP_TIMEOUT_S)
    _say("stopped; the files stay. `animation-server serve` starts the server for good")
    return 0


def _wait_until_ready(base: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SystemExit(f"the server ended with status {server.returncode} before it was ready")
        try:
            if requests.get(f"{base}/readyz", timeout=10).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"the server was not ready after {START_TIMEOUT_S} s")


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
