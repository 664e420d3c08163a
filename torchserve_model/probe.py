"""Asks a TorchServe on this machine how it is: what health checks and an orchestrator's probes run.

python -m torchserve_model.probe [live|ready] [--inference-port 8080] [--management-port 8081]

live: TorchServe answers, and has not given up on a worker. ready: every model has all its workers, which
/ping does not wait for. Exit status 0: so it is; 1: it is not. It imports nothing but the standard library.
"""

from __future__ import annotations

import argparse
import sys

from torchserve_model.management import TorchServeError, call, describe, model_names

TIMEOUT_S = 4.0
"""Shorter than the timeouts of those who run this, so that a probe that fails says why."""


def check_ready(management_port: int) -> None:
    """Raise TorchServeError unless there are models, and those in service have their workers.

    A version that is being loaded beside the one in service (swap.py) does not count.
    """
    names = model_names(management_port, TIMEOUT_S)
    if not names:
        raise TorchServeError("expected models, came none: the store was empty")
    for name in names:
        model = describe(management_port, name, TIMEOUT_S)
        if not model.ready:
            states = ", ".join(model.workers) or "none"
            raise TorchServeError(
                f"{name} {model.version}: expected {model.min_workers} READY workers, came {states}"
            )


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m torchserve_model.probe", description=__doc__)
    parser.add_argument("question", choices=("live", "ready"), nargs="?", default="ready")
    parser.add_argument("--inference-port", type=int, default=8080)
    parser.add_argument("--management-port", type=int, default=8081)
    options = parser.parse_args(argv)
    try:
        if options.question == "live":
            call(options.inference_port, "GET", "/ping", TIMEOUT_S)
        else:
            check_ready(options.management_port)
    except TorchServeError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
