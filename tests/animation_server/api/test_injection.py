"""Names, paths and headers that are meant to lead somewhere else."""

from __future__ import annotations

import io
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from animation_server.storage.keys import check_key, is_id, is_key
from animation_server.storage.local import LocalStore
from tests.app_client import Start, assert_error
from tests.drawings import DRAWING
from tests.parts.server import Server, animation_server

PATHS = [
    "../secret.gif",
    "../../secret.gif",
    "x/../../secret.gif",
    "..%2fsecret.gif",
    "%2e%2e/secret.gif",
    "%2e%2e%2fsecret.gif",
    "%252e%252e%252fsecret.gif",
    "..%5csecret.gif",
    "..%c0%afsecret.gif",
    "%uff0e%uff0e/secret.gif",
    "\uff0e\uff0e/secret.gif",
    "./secret.gif",
    "/secret.gif",
    "//etc/passwd",
    "%2fetc%2fpasswd",
    "secret.gif%00",
    "secret%00.gif",
    "secret.gif%0d%0aX-Injected:%20yes",
    ".put-secret.gif",
    "a" * 5000 + ".gif",
]
IDS = [
    "..",
    "%2e%2e",
    ".",
    "0" * 31,
    "0" * 33,
    "0" * 31 + "G",
    "0" * 32 + "%0a",
    "A" * 32,
    "é" * 32,
    "\u0660" * 32,  # digits elsewhere
    "0" * 16 + "/" + "0" * 15,
    "%00" * 32,
    "a" * 5000,
]
MOTIONS = [
    "../dab",
    "dab/../zombie",
    "/etc/passwd",
    "dab\0",
    "dab.yaml",
    "dаb",
    "DAB",
    "$(id)",
    "%s%n",
    "x" * 5000,
]
HEADERS = ["a b", "a;b", "<script>", "ä", "x" * 65, "{}", "a\tb", "../../x", "%0d%0aX-Injected: yes"]


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_objects_lead_nowhere_else(start: Start, path: str) -> None:
    """A file beside the store's directory is never served, nor a half-written one within it."""
    server = start()
    directory = server.store.directory
    (directory / "x").mkdir(parents=True)
    for place in (directory.parent, directory.parent.parent):
        (place / "secret.gif").write_bytes(b"secret")
    (directory / ".put-secret.gif").write_bytes(b"secret")
    response = server.http.get(f"/objects/{path}")
    assert_error(response, 404, "not_found")
    assert b"secret" not in response.data.replace(b"secret.gif", b"")


@pytest.mark.parametrize("name", IDS, ids=range(len(IDS)))
@pytest.mark.parametrize("resource", ["characters", "jobs"])
def test_ids_are_ids_or_nothing(start: Start, resource: str, name: str) -> None:
    """Whatever is no id is not found, and reaches no store."""
    http = start().http
    for method in ("GET", "DELETE"):
        assert http.open(f"/v1/{resource}/{name}", method=method).status_code in (404, 405), method


@pytest.mark.parametrize("name", MOTIONS, ids=range(len(MOTIONS)))
def test_motions_are_those_that_are_known(start: Start, name: str) -> None:
    """Names are looked up, never opened; what came is shown in part, as a literal."""
    server = start()
    message = assert_error(server.post(motions=name), 422, "unknown_motion")
    assert len(message) < 300
    assert "\0" not in message
    assert server.stored() == []


@pytest.mark.parametrize("value", HEADERS, ids=range(len(HEADERS)))
def test_request_ids_that_do_not_fit_are_replaced(start: Start, value: str) -> None:
    """Nothing of them reaches the answer's headers, its body or the log."""
    response = start().http.get(
        "/healthz", headers={"X-Request-ID": value.encode("latin-1", "replace").decode("latin-1")}
    )
    assert response.headers["X-Request-ID"].isalnum()
    assert len(response.headers["X-Request-ID"]) == 32


@pytest.mark.parametrize("value", ["a b", "ä", "x" * 256, "a\tb"])
def test_idempotency_keys_that_do_not_fit_are_refused(start: Start, value: str) -> None:
    """Rather than cut to fit, where two of them might become one."""
    server = start()
    upload = {"image": (io.BytesIO(DRAWING), "a.png")}
    response = server.http.post("/v1/animations", data=upload, headers={"Idempotency-Key": value})
    assert_error(response, 400, "bad_idempotency_key")
    assert value not in response.text


@pytest.mark.parametrize(
    "name", ["../../a.png", "/etc/passwd", "a\0.png", 'a";x="y', "a" * 5000, "é.png", ""]
)
def test_names_of_uploads_mean_nothing(start: Start, name: str) -> None:
    """No file is called as a client says."""
    server = start()
    upload = {"image": (io.BytesIO(DRAWING), name), "motions": "dab"}
    status = server.http.post("/v1/animations", data=upload).status_code
    assert status in (200, 400)  # without a name it is no file
    assert all(path.name.startswith("dab-") for path in server.stored())


def test_links_do_not_follow_the_host_header(start: Start) -> None:
    """Links, redirects and headers name the address that the operator set."""
    server = start()
    upload = {"image": (io.BytesIO(DRAWING), "a.png"), "motions": "dab"}
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"}
    for response in (
        server.http.post("/v1/animations", data=upload, headers=headers),
        server.http.get("/v1/motions", headers=headers),
        server.http.get("/openapi.json", headers=headers),
        server.http.get("/v1//motions", headers=headers),
    ):
        assert "evil.example" not in response.text + str(response.headers)
        assert "gopher" not in response.text + str(response.headers)


@given(st.text() | st.from_regex(r"[./%\\a-z0-9\x00-]{1,40}", fullmatch=True))
def test_a_key_stays_below_its_folder(text: str) -> None:
    """Whatever passes for a key names a file below the folder, and is told apart by its text alone."""
    assert not is_id(text) or text.isascii()
    if not is_key(text):
        with pytest.raises(ValueError, match="key"):
            check_key(text)
        return
    root = Path("/store")
    path = root.joinpath(text)
    assert path.is_relative_to(root)
    assert ".." not in path.parts
    assert str(path) == f"/store/{text}"
    assert not any(part.startswith(".") for part in text.split("/"))


def test_a_store_refuses_what_is_no_key(tmp_path: Path) -> None:
    """Also when a caller forgets to ask."""
    store = LocalStore(tmp_path / "objects", "http://x")
    for key in ("../x", "a/../../x", "", "/x", "a//b", "x\0", "x\n", "é"):
        with pytest.raises(ValueError, match="key"):
            store.put(key, b"", "image/gif")
        with pytest.raises(ValueError, match="key"):
            store.url(key)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with animation_server(tmp_path_factory.mktemp("server"), {}, ready="/healthz") as running:
        yield running


RAW = {
    "folded header": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\r\n b\r\n\r\n",
    "null in a header": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\0b\r\n\r\n",
    "bare return": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\rX-Injected: yes\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "length and chunks": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n"
    b"\r\n0\r\n\r\n",
    "space before colon": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Api-Key : a\r\n\r\n",
    "null in the path": b"GET /objects/a\0b HTTP/1.1\r\nHost: x\r\n\r\n",
    "endless header": b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100_000 + b"\r\n\r\n",
    "many headers": b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"A: a\r\n" * 1000 + b"\r\n",
    "no method": b"\r\n\r\n\0\0\0\0 / HTTP/9.9\r\n\r\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", RAW)
def test_malformed_requests_are_refused_and_hurt_nobody(server: Server, name: str) -> None:
    """One answer at most, none of it of the client's making; the next request is served."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(RAW[name])
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionResetError:  # closed with bytes of ours unread
            pass
    assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 431", b"HTTP/1.1 501", b"")
    assert len(re.findall(rb"HTTP/1.1 \d", answer)) <= 1
    assert b"X-Injected: yes" not in answer.partition(b"\r\n\r\n")[0]
    assert requests.get(f"{server.url}/healthz", timeout=10).ok
