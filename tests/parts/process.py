"""Child processes that never outlive their parent's block."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests


class PartFailed(Exception):  # noqa: N818 - reads as a sentence where it is raised
    """A part ended or did not answer in time; the message carries the end of its log."""


def free_ports(count: int) -> list[int]:
    """Find TCP ports that nothing listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


@contextmanager
def running(
    name: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None, grace_s: float = 20
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command for the length of the block; SIGTERM at the end, SIGKILL past grace."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise PartFailed(f"{name} was still running {grace_s:.0f} s after SIGTERM\n{tail(log)}") from None


def wait_until(
    ready: Callable[[], bool], what: str, process: subprocess.Popen[bytes], log: Path, timeout_s: float
) -> None:
    """Wait until `ready` says so; raise PartFailed when the process ends or time runs out."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process.poll() is not None:
            raise PartFailed(f"{what}: the process ended with status {process.returncode}\n{tail(log)}")
        if time.monotonic() > deadline:
            raise PartFailed(f"{what}: not ready after {timeout_s:.0f} s\n{tail(log)}")
        time.sleep(0.1)


def eventually(outcome: Callable[[], bool], timeout_s: float) -> bool:
    """Tell whether an outcome comes about in time."""
    deadline = time.monotonic() + timeout_s
    while not outcome():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def answers(url: str) -> bool:
    """Tell whether a GET of `url` is answered with a success."""
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether something accepts connections on a port, of this machine or of another."""
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex((host, port)) == 0


def tail(log: Path, lines: int = 30) -> str:
    """Return the end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
