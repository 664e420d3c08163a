"""Asks a running TorchServe how it is, for an orchestrator's exec probes and preStop hook.

python -m torchserve_model.health live|ready [--inference-port 8080] [--management-port 8081]
python -m torchserve_model.health drain [--server-port 8000] [--longest-s 90]

TorchServe listens on the loopback interface alone, where no orchestrator's HTTP probe reaches it. Exit status
0 for yes; 1 for no, with the reason in one line on stderr.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Sequence

from torchserve_model.management import HOST, TorchServeError, call, describe, model_names

TIMEOUT_S = 4.0
"""Shorter than the probes' own timeout, so that a probe that fails says why."""


def check_live(inference_port: int) -> None:
    """Raise TorchServeError unless the inference address answers /ping with 200.

    TorchServe starts failed workers anew by itself and answers /ping with 200 meanwhile. It answers 500 once
    it has given up on them: then only a restart helps.
    """
    call(inference_port, "GET", "/ping", TIMEOUT_S)


def check_ready(management_port: int) -> None:
    """Raise TorchServeError unless every model has a worker that is READY. /ping is healthy before that."""
    names = model_names(management_port, TIMEOUT_S)
    if not names:
        raise TorchServeError("expected at least one model, TorchServe has none")
    for name in names:
        states = describe(management_port, name, TIMEOUT_S).workers
        if "READY" not in states:
            raise TorchServeError(f"{name}: expected a READY worker, came {', '.join(states) or 'none'}")


def wait_for_server_to_leave(server_port: int, longest_s: float) -> None:
    """Return once nothing listens on the server's port any more, or when the time is up.

    A pod's containers are told to end all at once. The server still finishes the requests it has accepted,
    and for these it needs TorchServe, which on SIGTERM would drop them.
    """
    deadline = time.monotonic() + longest_s
    while _listens(server_port) and time.monotonic() < deadline:
        time.sleep(0.5)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torchserve_model.health", description=__doc__)
    parser.add_argument("question", choices=("live", "ready", "drain"))
    parser.add_argument("--inference-port", type=int, default=8080)
    parser.add_argument("--management-port", type=int, default=8081)
    parser.add_argument("--server-port", type=int, default=8000, help="of the server beside this TorchServe")
    parser.add_argument("--longest-s", type=float, default=90, help="longest wait for the server to leave")
    options = parser.parse_args(argv)
    try:
        if options.question == "live":
            check_live(options.inference_port)
        elif options.question == "ready":
            check_ready(options.management_port)
        else:
            wait_for_server_to_leave(options.server_port, options.longest_s)
    except TorchServeError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
