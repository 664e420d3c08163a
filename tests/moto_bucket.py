"""A bucket in an S3 server of moto's, which runs in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer

from tests.parts.swift import S3Server

BUCKET = "animations"
KEY = "0123abcd/dab-4567.gif"
"""A key as animations have them."""


@contextmanager
def moto_bucket() -> Iterator[str]:
    """Run the server for the length of the block; give the endpoint at which BUCKET is."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        S3Server(url, access_key="test", secret_key="test").make_bucket(BUCKET)
        yield url
    finally:
        server.stop()
