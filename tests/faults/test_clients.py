"""Clients that leave, dawdle or idle, against the server as it runs in production: none costs a render."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPResponse
from pathlib import Path

import pytest
import requests

from animation_server.storage.keys import is_key
from tests.drawings import drawing
from tests.fake_torchserve import SECONDS, FakeTorchServe
from tests.parts.process import eventually
from tests.parts.server import Server, animation_server, post

pytestmark = pytest.mark.slow

UPLOAD_TIMEOUT_S = 2
STALL_TIMEOUT_S = 1
MAX_BYTES = 1_000_000


@pytest.fixture(scope="module")
def server(models: FakeTorchServe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one place in its queue: whoever holds it needlessly is noticed at once."""
    with animation_server(tmp_path_factory.mktemp("server"), settings(models)) as running:
        yield running


def settings(models: FakeTorchServe) -> dict[str, str]:
    return {
        **models.settings,
        "ANIMATION_RENDER_THREADS": "1",
        "ANIMATION_MAX_QUEUE": "1",
        "ANIMATION_MOTIONS": "dab",
        "ANIMATION_SIZE": "64",
        "ANIMATION_UPLOAD_TIMEOUT_S": str(UPLOAD_TIMEOUT_S),
        "ANIMATION_STALL_TIMEOUT_S": str(STALL_TIMEOUT_S),
        "ANIMATION_MAX_IMAGE_BYTES": str(MAX_BYTES),
        "ANIMATION_MAX_UPLOAD_MEMORY": str(MAX_BYTES),
    }


def connect(server: Server) -> socket.socket:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def send_drawing(connection: socket.socket, image: bytes, length: int | None = None) -> None:
    """Begin a request with a drawing as its body, or with as much of it as `image` holds of `length`."""
    head = (
        "POST /v1/animations HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
        f"Content-Length: {length or len(image)}\r\n\r\n"
    )
    connection.sendall(head.encode() + image)


def read_all(connection: socket.socket) -> bytes:
    """Read until the server ends the connection, however it does."""
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


def read_answer(connection: socket.socket) -> tuple[HTTPResponse, bytes]:
    """Read one answer to its end."""
    answer = HTTPResponse(connection)
    answer.begin()
    return answer, answer.read()


def wait_for(outcome: Callable[[], bool]) -> None:
    assert eventually(outcome, 30)


def logged(server: Server, status: int) -> int:
    """Count the requests for animations that ended with a status."""
    lines = [line for line in server.log.read_text().splitlines() if line.startswith("{")]
    entries = [json.loads(line) for line in lines]
    return sum(entry.get("route") == "/v1/animations" and entry.get("status") == status for entry in entries)


def stored(server: Server) -> set[Path]:
    return {path for path in (server.log.parent / "objects").rglob("*") if path.is_file()}


def trickle(connections: list[socket.socket], data: bytes) -> None:
    """Send a byte at a time, never as slowly as to stall, until the server takes no more."""
    with suppress(OSError):
        for byte in data:
            for connection in connections:
                connection.sendall(bytes([byte]))
            time.sleep(STALL_TIMEOUT_S / 4)


def test_a_client_that_hangs_up_costs_no_render(server: Server, models: FakeTorchServe) -> None:
    """It leaves while the detector looks at its drawing: no pose is estimated, nothing rendered or stored."""
    before, cancelled, asked = stored(server), logged(server, 499), len(models.requests)
    models.behaviours = ["half a second"]
    with connect(server) as connection:
        send_drawing(connection, drawing(1))
        wait_for(lambda: len(models.requests) > asked)
    wait_for(lambda: logged(server, 499) == cancelled + 1)
    assert models.requests[asked:] == ["POST /predictions/drawn_humanoid_detector"]
    assert stored(server) == before
    assert post(server, drawing(1)).status_code == 200


def test_work_that_others_wait_for_goes_on(server: Server, models: FakeTorchServe) -> None:
    """Two clients ask for the same; the first one leaves. The second gets what was begun for the first."""
    asked = len(models.requests)
    models.behaviours = ["slow"]
    with ThreadPoolExecutor(1) as pool:
        with connect(server) as connection:
            send_drawing(connection, drawing(2))
            wait_for(lambda: len(models.requests) > asked)
            second = pool.submit(post, server, drawing(2))
            time.sleep(SECONDS["slow"] / 2)
        assert second.result().status_code == 200
    assert len(models.requests) - asked == 2


def test_a_slow_upload_holds_up_nobody_and_ends(server: Server) -> None:
    """Bytes trickle in from several clients: others are served meanwhile; each is answered 408 and left."""
    slow = [connect(server) for _ in range(4)]
    image = drawing(3)
    try:
        for connection in slow:
            send_drawing(connection, image[:100], len(image))
        assert post(server, drawing(4)).status_code == 200
        trickle(slow, image[100:])
        for connection in slow:
            head, _, body = read_all(connection).partition(b"\r\n\r\n")
            assert b" 408 " in head.splitlines()[0]
            assert json.loads(body)["error"]["code"] == "request_timeout"
    finally:
        for connection in slow:
            connection.close()
    assert post(server, drawing(5)).status_code == 200


def test_an_upload_that_stalls_is_answered_and_left(server: Server) -> None:
    """It comes to a stop long before the whole upload's time is over: 408, as for one that is too slow."""
    with connect(server) as connection:
        send_drawing(connection, b"x", 100)
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
    assert b" 408 " in head.splitlines()[0]
    assert json.loads(body)["error"]["code"] == "request_timeout"


CHUNKED = (
    b"POST /v1/animations HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


@pytest.mark.parametrize("body", [b"ZZ\r\n", b"1\r\nxZZ\r\n", b"0\r\n@: x\r\n\r\n"])
def test_chunks_that_are_none(server: Server, body: bytes) -> None:
    """400, no bug of ours; and as nobody knows where the body ends, what follows is no next request."""
    with connect(server) as connection:
        connection.sendall(CHUNKED + body + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, answer = read_all(connection).partition(b"\r\n\r\n")
    assert b" 400 " in head.splitlines()[0]
    assert json.loads(answer)["error"]["code"] == "bad_request"
    assert "Traceback" not in server.log.read_text()


def test_chunks_that_stall(server: Server) -> None:
    """408; and what comes after that is no next request."""
    with connect(server) as connection:
        connection.sendall(CHUNKED + b"5\r\nx")
        answer = HTTPResponse(connection)
        answer.begin()
        assert answer.status == 408
        with suppress(OSError):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer.read()
        assert read_all(connection) == b""


def test_uploads_take_no_more_memory_than_they_may(server: Server) -> None:
    """While one upload is to fill what there is, others get 503 at once; when it ends, they are let in."""
    with connect(server) as connection:
        send_drawing(connection, b"x", MAX_BYTES)
        wait_for(lambda: post(server, drawing(6)).status_code == 503)
        refused = post(server, drawing(6))
        assert refused.json()["error"]["code"] == "busy"
        assert int(refused.headers["Retry-After"]) > 0
    wait_for(lambda: post(server, drawing(6)).ok)


def test_a_client_that_takes_nothing_is_left(server: Server) -> None:
    """A reader who stops in the middle of an object gets no more of it once the server has left."""
    key = f"{'0' * 32}/{'1' * 32}.gif"
    assert is_key(key)
    size = 30_000_000
    large = server.log.parent / "objects" / key
    large.parent.mkdir(parents=True)
    large.write_bytes(bytes(size))
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        connection.settimeout(30)
        host, _, port = server.url.removeprefix("http://").partition(":")
        connection.connect((host, int(port)))
        connection.sendall(f"GET /objects/{key} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        time.sleep(2 * STALL_TIMEOUT_S + 1)
        assert len(read_all(connection)) < size
    large.unlink()
    assert "Traceback" not in server.log.read_text()


@pytest.mark.parametrize("connection_header", ["keep-alive", "close"])
def test_a_refused_client_sees_why(server: Server, models: FakeTorchServe, connection_header: str) -> None:
    """The only place is taken: the answer is there before the body is sent, and nothing is cut off then.

    So it is for a new character, of which nothing can be stored: no such upload is read to see.
    """
    models.behaviours = ["slow"]
    asked = len(models.requests)
    head = (
        "POST /v1/characters HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
        f"Connection: {connection_header}\r\nContent-Length: {MAX_BYTES}\r\n\r\n"
    )
    with ThreadPoolExecutor(1) as pool, connect(server) as connection:
        first = pool.submit(post, server, drawing(60 + len(connection_header)))
        wait_for(lambda: len(models.requests) > asked)
        connection.sendall(head.encode())
        answer, body = read_answer(connection)
        assert answer.status == 503
        assert "are being rendered" in json.loads(body)["error"]["message"]
        assert int(answer.headers["Retry-After"]) > 0
        connection.sendall(bytes(MAX_BYTES))  # raises where the connection was reset
        if connection_header == "close":
            assert connection.recv(65536) == b""
        else:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_answer(connection)[0].status == 200
        assert first.result().status_code == 200


def test_sigterm_cuts_nobody_off_and_waits_for_nobody_idle(models: FakeTorchServe, tmp_path: Path) -> None:
    """Clients post one drawing after the other while SIGTERM comes: each is answered or finds nobody there.

    Others hold connections without a request, which the server would keep for an hour; it ends without them.
    """
    more = {
        "ANIMATION_MAX_QUEUE": "16",
        "ANIMATION_KEEP_ALIVE_S": "3600",
        "ANIMATION_REQUEST_DEADLINE_S": "3600",
    }
    with animation_server(tmp_path, settings(models) | more) as server, requests.Session() as session:
        assert session.get(f"{server.url}/healthz", timeout=10).ok
        with connect(server), ThreadPoolExecutor(6) as pool:
            runs = [
                pool.submit(post_until_refused, server, range(100 * n, 100 * n + 99), keep_alive=n % 2 == 0)
                for n in range(1, 7)
            ]
            wait_for(lambda: logged(server, 200) > 10)
            server.process.send_signal(signal.SIGTERM)
            outcomes = [outcome for run in runs for outcome in run.result()]
            assert server.process.wait(60) == 0
    assert set(outcomes) == {200}
    assert logged(server, 200) == len(outcomes)
    assert "Traceback" not in server.log.read_text()


def post_until_refused(server: Server, numbers: range, keep_alive: bool) -> list[int | str]:
    """Post drawings until nobody listens any more; list statuses, and the errors of what was cut off."""
    outcomes: list[int | str] = []
    headers = {} if keep_alive else {"Connection": "close"}
    with requests.Session() as session:
        for number in numbers:
            try:
                answer = session.post(
                    f"{server.url}/v1/animations",
                    files={"image": drawing(number)},
                    headers=headers,
                    timeout=60,
                )
            except requests.ConnectionError as exc:
                if "Connection refused" in str(exc):
                    break
                outcomes.append(str(exc))
            else:
                outcomes.append(answer.status_code)
    return outcomes
