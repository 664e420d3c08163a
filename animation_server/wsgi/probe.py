"""Asks a server on this machine how it is: what a container's health check runs.

python -m animation_server.wsgi.probe [live|ready]      exit status 0: it is; 1: it is not

It imports nothing but the standard library, for it runs every few seconds.
"""

from __future__ import annotations

import http.client
import os
import sys

PATHS = {"live": "/healthz", "ready": "/readyz"}
TIMEOUT_S = 5


def main(question: str = "live") -> int:
    """Ask; returns the exit status, and says on the standard error what was wrong."""
    if question not in PATHS:
        sys.stderr.write(f"expected {' or '.join(PATHS)}, came {question!r}\n")
        return 2
    port = int(os.environ.get("ANIMATION_PORT", "8000"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", PATHS[question])
        answer = connection.getresponse()
        if answer.status == http.HTTPStatus.OK:
            return 0
        sys.stderr.write(f"expected 200, came {answer.status}: {answer.read(500).decode(errors='replace')}\n")
    except (OSError, http.client.HTTPException) as exc:
        sys.stderr.write(f"expected an answer on port {port}, came none: {exc}\n")
    finally:
        connection.close()
    return 1


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:2]))
