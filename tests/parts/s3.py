"""An S3 server to try things out with: what the container of docker/s3.Dockerfile runs.

python -m tests.parts.s3 HOME BUCKET [PORT]      serves until SIGTERM; the bucket is there from the start
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from tests.parts.swift import swift_server


def main(home: str, bucket: str, port: str = "9000") -> int:
    """Serve until told to end."""
    ended = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: ended.set())
    with swift_server(Path(home), bind="0.0.0.0", port=int(port)) as server:
        server.make_bucket(bucket)
        sys.stdout.write(f"S3 on port {port}, bucket {bucket}\n")
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
