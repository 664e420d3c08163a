"""TorchServe fails in every way it can, asked over HTTP and over gRPC; the server outlives all of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
import requests

from tests.parts.process import eventually
from tests.parts.server import Server
from tests.parts.stand import (
    RECOVERY_S,
    TORCHSERVE_QUEUE,
    Stand,
    assert_try_again,
    heals,
    is_ready,
    metric,
    post,
)
from tests.places import SAMPLE

pytestmark = [pytest.mark.slow, pytest.mark.needs_torch]

PROTOCOLS = ("http", "grpc")
BATCH = 4
"""Requests that a worker of TorchServe's takes at once, by default."""


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Stop processes for the length of the block."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):  # killed meanwhile
                os.kill(pid, signal.SIGCONT)


def failures(server: Server, code: str) -> float:
    return metric(server, "dependency_failures_total", dependency="torchserve", code=code)


def assert_healed(server: Server, variant: int) -> None:
    """The same drawing is animated, the server is ready, and its metrics tell that all is well again."""
    assert heals(server, variant)
    assert eventually(lambda: is_ready(server), RECOVERY_S)
    assert metric(server, "dependency_up", dependency="torchserve") == 1


@pytest.fixture(params=PROTOCOLS)
def server(request: pytest.FixtureRequest, stand: Stand) -> Server:
    return stand.servers[request.param]


def variant_of(server: Server, stand: Stand, number: int) -> int:
    """Number a drawing that no other test and no other server has."""
    return 20 + 2 * number + (server is stand.servers["grpc"])


def test_answers_500(stand: Stand) -> None:
    """A TorchServe that fails inside is unavailable."""
    server, before = stand.servers["http"], stand.keys()
    answer = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
    with stand.models_proxy.broken("answer", answer):
        failed = failures(server, "inference_unavailable")
        assert_try_again(post(server, 1), 503, "inference_unavailable")
        assert failures(server, "inference_unavailable") > failed
        assert metric(server, "dependency_up", dependency="torchserve") == 0
    assert stand.keys() == before
    assert_healed(server, 1)


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"\x00\xff\x13",
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n<html/>",
        b"HTTP/1.1 200 OK\r\n\r\n[{}]",
    ],
    ids=["nothing", "no HTTP", "no JSON", "no detection"],
)
def test_answers_rubbish(stand: Stand, rubbish: bytes) -> None:
    """What is not by the contract is a failure of the models, and never reaches the renderer."""
    server, before = stand.servers["http"], stand.keys()
    with stand.models_proxy.broken("answer", rubbish):
        answer = post(server, 2)
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] in ("inference_failed", "inference_unavailable")
    assert stand.keys() == before


def test_stopped(stand: Stand, server: Server) -> None:
    """In mid air: 504 after the time allowed, while what is stored stays in reach."""
    variant = variant_of(server, stand, 3)
    assert post(server, variant).ok
    before, failed = stand.keys(), failures(server, "inference_timeout")
    stand.models.signal(signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(1) as pool:
            answer, beats = pool.submit(post, server, variant + 100), 0
            while not answer.done():
                beats += requests.get(f"{server.url}/healthz", timeout=5).ok
        assert_try_again(answer.result(), 504, "inference_timeout")
        # Were the wait to hold the server's loop, one answer would come after it.
        assert beats > 5
        assert post(server, variant).ok
        assert failures(server, "inference_timeout") > failed
    finally:
        stand.models.signal(signal.SIGCONT)
    assert stand.keys() == before
    assert_healed(server, variant + 100)


def test_workers_die_with_their_requests(stand: Stand) -> None:
    """Requests that they were at get 503; TorchServe starts other workers, with which the next succeed."""
    before, pids = stand.keys(), stand.models.worker_pids()
    variants = {server: variant_of(server, stand, 4) for server in stand.servers.values()}
    with ThreadPoolExecutor(len(variants)) as pool, stopped(pids):
        answers = [pool.submit(post, server, variant) for server, variant in variants.items()]
        for server in variants:
            assert eventually(lambda s=server: metric(s, "queue_depth") == 1, 10)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for answer in answers:
            assert answer.result().status_code in (503, 504)
            assert int(answer.result().headers["Retry-After"]) > 0
    assert stand.keys() == before
    for server, variant in variants.items():
        assert_healed(server, variant)
    assert not set(pids) & set(stand.models.worker_pids())


def test_overloaded(stand: Stand, server: Server) -> None:
    """With TorchServe's queue full of others' requests, ours is refused by it and told to come again."""
    variant, before, failed = (
        variant_of(server, stand, 5),
        stand.keys(),
        failures(server, "inference_unavailable"),
    )
    url = f"{stand.models.url}/predictions/drawn_humanoid_detector"
    picture = SAMPLE.read_bytes()
    first, second = TORCHSERVE_QUEUE + 2, BATCH + 4
    with ThreadPoolExecutor(first + second) as pool, stopped(stand.models.worker_pids()):

        def ask(count: int) -> list[Future[requests.Response]]:
            return [
                pool.submit(requests.post, url, files={"data": picture}, timeout=60) for _ in range(count)
            ]

        ask(first)
        # the stopped worker still takes one batch out of the queue, and then no more
        time.sleep(1)
        late = ask(second)
        assert eventually(lambda: any(other.done() for other in late), 20)
        assert_try_again(post(server, variant), 503, "inference_unavailable")
        assert failures(server, "inference_unavailable") > failed
    assert stand.keys() == before
    assert_healed(server, variant)


def test_killed(stand: Stand) -> None:
    """Gone: 503, not ready, what is stored stays in reach. Back: ready and animating, without a restart."""
    variants = {protocol: variant_of(server, stand, 6) for protocol, server in stand.servers.items()}
    for protocol, server in stand.servers.items():
        assert post(server, variants[protocol]).ok
    before = stand.keys()
    stand.models.kill()
    for protocol, server in stand.servers.items():
        assert_try_again(post(server, variants[protocol] + 100), 503, "inference_unavailable")
        assert post(server, variants[protocol]).ok
        assert not is_ready(server)
        assert metric(server, "dependency_up", dependency="torchserve") == 0
    assert stand.keys() == before
    stand.models.start()
    for protocol, server in stand.servers.items():
        recoveries = metric(server, "dependency_recoveries_total", dependency="torchserve")
        assert_healed(server, variants[protocol] + 100)
        assert metric(server, "dependency_recoveries_total", dependency="torchserve") > recoveries
