"""When TorchServe may stop: real sockets, as the kernel lists them."""

from __future__ import annotations

import socket
import threading

import pytest

from torchserve_model.drain import main, read_sockets, server_is_there


def listener() -> tuple[socket.socket, int]:
    """A listening socket on a free port."""
    server = socket.create_server(("127.0.0.1", 0))
    return server, server.getsockname()[1]


def test_a_server_that_listens_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    """While its port is open the wait goes on, to its end, and says so."""
    server, port = listener()
    with server:
        assert main(["--server-port", str(port), "--torchserve-port", "1", "--longest-s", "0"]) == 1
        assert "still there" in capsys.readouterr().err
    assert main(["--server-port", str(port), "--torchserve-port", "1", "--longest-s", "0"]) == 0


def test_a_server_that_has_stopped_to_listen_is_there_until_it_lets_go_of_torchserve() -> None:
    """The server is at its last requests: a connection to TorchServe is open, whoever listens."""
    torchserve, port = listener()
    with torchserve:
        with socket.create_connection(("127.0.0.1", port)) as held:
            accepted, _ = torchserve.accept()
            ended = threading.Event()
            waiting = threading.Thread(
                target=lambda: (main(["--server-port", "1", "--torchserve-port", str(port)]), ended.set())
            )
            waiting.start()
            assert not ended.wait(1.5)
            held.close()
            accepted.close()
        waiting.join(20)
        assert ended.is_set()


def test_listening_for_requests_is_not_being_asked() -> None:
    """TorchServe's own listening sockets do not keep it waiting."""
    torchserve, port = listener()
    with torchserve:
        sockets = read_sockets()
        assert port in sockets.listening
        assert not server_is_there(sockets, 1, [port])
