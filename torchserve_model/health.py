"""Asks a running TorchServe how it is, for an orchestrator's exec probes and preStop hook.

python -m torchserve_model.health live|ready [--inference-port 8080] [--management-port 8081]
python -m torchserve_model.health drain [--server-port 8000] [--longest-s 90]

TorchServe listens on the loopback interface alone, where no orchestrator's HTTP probe reaches it. This needs
nothing but the standard library, so that a probe costs a fraction of a second. Exit status 0 for yes; 1 for
no, with the reason in one line on stderr.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import sys
import time
from collections.abc import Sequence

HOST = "127.0.0.1"
TIMEOUT_S = 4.0
"""Shorter than the probes' own timeout, so that a probe that fails says why."""


class NotHealthyError(Exception):
    """The answer is no; the message says what was expected and what came."""


def check_live(inference_port: int) -> None:
    """Raise NotHealthyError unless the inference address answers /ping with 200.

    TorchServe starts failed workers anew by itself and answers /ping with 200 meanwhile. It answers 500 once
    it has given up on them: then only a restart helps.
    """
    _get(inference_port, "/ping")


def check_ready(management_port: int) -> None:
    """Raise NotHealthyError unless every model has a worker that is READY. /ping is healthy before that."""
    models = json.loads(_get(management_port, "/models"))["models"]
    if not models:
        raise NotHealthyError("expected at least one model, TorchServe has none")
    for name in [model["modelName"] for model in models]:
        (described,) = json.loads(_get(management_port, f"/models/{name}"))
        states = [worker["status"] for worker in described["workers"]]
        if "READY" not in states:
            raise NotHealthyError(f"{name}: expected a READY worker, came {states}")


def wait_for_server_to_leave(server_port: int, longest_s: float) -> None:
    """Return once nothing listens on the server's port any more, or when the time is up.

    A pod's containers are told to end all at once. The server still finishes the requests it has accepted,
    and for these it needs TorchServe, which on SIGTERM would drop them.
    """
    deadline = time.monotonic() + longest_s
    while _listens(server_port) and time.monotonic() < deadline:
        time.sleep(0.5)


def _get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as exc:
        raise NotHealthyError(f"{HOST}:{port}{path}: no answer: {exc}") from exc
    finally:
        connection.close()
    if response.status != http.client.OK:
        came = f"{response.status}: {body[:200].decode(errors='replace')}"
        raise NotHealthyError(f"{HOST}:{port}{path}: expected 200, came {came}")
    return body


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
    except NotHealthyError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
