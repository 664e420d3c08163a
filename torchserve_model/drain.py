"""Waits until the server beside TorchServe has left: what the model container runs before it is stopped.

python -m torchserve_model.drain [--server-port 8000] [--longest-s 75]

A pod's containers are told to end all at once. The server still finishes the requests it has accepted, and
for these it needs TorchServe, which on SIGTERM would drop them. The containers of a pod share their network,
so the server's sockets are seen from here: as long as it listens, or keeps a connection to TorchServe open,
it is still there. (It stops to listen at once when it is told to end; connections it keeps to its last.)
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TORCHSERVE_PORTS = (7070, 7071, 8080, 8081)
POLL_S = 0.5

_ESTABLISHED, _LISTEN = "01", "0A"


@dataclass(frozen=True)
class Sockets:
    """The TCP sockets of this network namespace, by their local ports."""

    listening: frozenset[int]
    connected: frozenset[int]


def read_sockets(proc: Path = Path("/proc/net")) -> Sockets:
    """Read the kernel's tables of TCP sockets, over IPv4 and IPv6."""
    ports: dict[str, set[int]] = {_ESTABLISHED: set(), _LISTEN: set()}
    for table in (proc / "tcp", proc / "tcp6"):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            if state in ports:
                ports[state].add(int(local.rpartition(":")[2], 16))
    return Sockets(frozenset(ports[_LISTEN]), frozenset(ports[_ESTABLISHED]))


def server_is_there(sockets: Sockets, server_port: int, torchserve_ports: Sequence[int]) -> bool:
    """Tell whether a server listens, or is still connected to TorchServe."""
    return server_port in sockets.listening or not sockets.connected.isdisjoint(torchserve_ports)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; exit status 1 when time ran out."""
    parser = argparse.ArgumentParser(prog="python -m torchserve_model.drain", description=__doc__)
    parser.add_argument("--server-port", type=int, default=8000)
    parser.add_argument("--torchserve-port", type=int, nargs="+", default=TORCHSERVE_PORTS)
    parser.add_argument(
        "--longest-s", type=float, default=75, help="less than the pod's grace period, or it is of no use"
    )
    options = parser.parse_args(argv)
    deadline = time.monotonic() + options.longest_s
    while server_is_there(read_sockets(), options.server_port, options.torchserve_port):
        if time.monotonic() > deadline:
            sys.stderr.write(
                f"expected the server to leave within {options.longest_s:g} s; it is still there\n"
            )
            return 1
        time.sleep(POLL_S)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
