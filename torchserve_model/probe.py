"""Asks a TorchServe on this machine how it is: what a container's health check runs.

python -m torchserve_model.probe [live|ready] [--inference-port 8080] [--management-port 8081]

live: TorchServe answers. ready: every model has all its workers, which /ping does not wait for.
Exit status 0: so it is; 1: it is not. It imports nothing but the standard library.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
from typing import Any

TIMEOUT_S = 5


class NotWellError(Exception):
    """What is wrong, in words."""


def ask(port: int, path: str) -> Any:
    """GET a path of TorchServe's and return the JSON of its answer; raises NotWellError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise NotWellError(f"expected 200 of {path}, came {answer.status}: {content[:500]!r}")
        return json.loads(content)
    except (OSError, http.client.HTTPException, json.JSONDecodeError) as exc:
        raise NotWellError(f"expected an answer of {path} on port {port}, came none: {exc}") from exc
    finally:
        connection.close()


def check_ready(management_port: int) -> None:
    """Raise NotWellError unless there are models, and all of them have their workers."""
    models = [model["modelName"] for model in ask(management_port, "/models?limit=1000")["models"]]
    if not models:
        raise NotWellError("expected models, came none: the store was empty")
    for name in models:
        for version in ask(management_port, f"/models/{name}/all"):
            ready = sum(worker["status"] == "READY" for worker in version["workers"])
            if ready < version["minWorkers"]:
                raise NotWellError(
                    f"{name} {version['modelVersion']}: expected {version['minWorkers']} workers, "
                    f"{ready} are ready"
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
            ask(options.inference_port, "/ping")
        else:
            check_ready(options.management_port)
    except NotWellError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
