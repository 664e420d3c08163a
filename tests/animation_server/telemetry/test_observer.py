"""What the parts tell whoever watches: calls, retries, states of jobs; and whose request it is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from animation_server.animate import AnimationOptions
from animation_server.concurrency import ThreadExecutor
from animation_server.errors import InferenceError, JobsUnavailableError, StorageError
from animation_server.inference.torchserve import TorchServeAddress, TorchServeClient
from animation_server.jobs.job import JobRequest, new_job
from animation_server.jobs.records import MemoryRecords
from animation_server.jobs.redis_records import RedisRecords
from animation_server.jobs.watched_records import WatchedRecords
from animation_server.sample import sample_drawing
from animation_server.storage.s3 import S3Address, S3Store
from animation_server.telemetry.observer import Call, Dependency, Unwatched
from animation_server.telemetry.request_context import REQUEST_ID
from tests.fake_torchserve import fake_torchserve
from tests.fake_torchserve_grpc import fake_torchserve_grpc
from tests.fakes import FigureClient
from tests.moto_bucket import BUCKET, KEY

pytestmark = pytest.mark.usefixtures("credentials")

IMAGE = sample_drawing().rgb


class Notebook(Unwatched):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.retries: list[str] = []
        self.states: list[str] = []

    def called(self, call: Call) -> None:
        assert call.seconds >= 0
        self.calls.append((call.dependency, call.operation, call.failure))

    def retried(self, dependency: Dependency) -> None:
        self.retries.append(dependency)

    def job_entered(self, state: str) -> None:
        self.states.append(state)


@pytest.fixture(name="notebook")
def _notebook() -> Notebook:
    return Notebook()


@pytest.fixture(name="request_id")
def _request_id() -> Iterator[str]:
    token = REQUEST_ID.set("r-1")
    yield "r-1"
    REQUEST_ID.reset(token)


@pytest.mark.parametrize("over", ["http", "grpc"])
def test_torchserve_is_watched(notebook: Notebook, over: str) -> None:
    """Every question counts, once, with the code of its failure; asking again counts by itself."""
    fakes, lost, failed = {
        "http": (fake_torchserve, "hang up", "500"),
        "grpc": (fake_torchserve_grpc, "UNAVAILABLE", "INTERNAL"),
    }[over]
    with fakes(FigureClient()) as fake:
        address = TorchServeAddress(fake.url, grpc_address=fake.url if over == "grpc" else "")
        client = TorchServeClient(address, observer=notebook)
        fake.behaviours = [lost, "ok", failed]
        client.detect(IMAGE)
        with pytest.raises(InferenceError):
            client.detect(IMAGE)
        client.check()
        client.close()
    assert notebook.calls == [
        ("torchserve", "drawn_humanoid_detector", ""),
        ("torchserve", "drawn_humanoid_detector", "inference_unavailable"),
        ("torchserve", "check", ""),
    ]
    assert notebook.retries == ["torchserve"]


def test_s3_is_watched(endpoint: str, notebook: Notebook) -> None:
    """An object that is not there is an answer and no failure; a bucket that is not there is one."""
    with closing(S3Store(S3Address(BUCKET, endpoint_url=endpoint), observer=notebook)) as store:
        assert store.exists([KEY, "b/c.gif"]) == [False, False]
        assert store.get(KEY) is None
        store.put(KEY, b"1", "image/gif")
        assert not store.create(KEY, b"2", "image/gif")
        store.delete([KEY])
    assert {failure for _, _, failure in notebook.calls} == {""}
    assert [operation for _, operation, _ in notebook.calls][:3] == [
        "head_object",
        "get_object",
        "put_object",
    ]
    missing = S3Store(S3Address("no-such-bucket", endpoint_url=endpoint), observer=notebook)
    with closing(missing), pytest.raises(StorageError):
        missing.check()
    assert notebook.calls[-1] == ("s3", "head_bucket", "storage_failed")
    assert notebook.retries == []


def test_retries_of_s3_are_told(notebook: Notebook) -> None:
    """An S3 that asks to slow down, once: one retry, and no failure."""
    statuses = itertools.chain([503], itertools.repeat(200))

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(next(statuses))
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = S3Address(BUCKET, endpoint_url=f"http://127.0.0.1:{server.server_port}")
        with closing(S3Store(address, observer=notebook)) as store:
            store.check()
        server.shutdown()
    assert notebook.retries == ["s3"]
    assert notebook.calls == [("s3", "head_bucket", "")]


def test_jobs_are_watched(notebook: Notebook) -> None:
    """Each state is told when it is entered; what is finished enters none; memory is no dependency."""
    records = WatchedRecords(MemoryRecords(60), notebook)
    request = JobRequest(("dab",), AnimationOptions())
    records.add(new_job("a"), request)
    records.begin("a")
    records.update("a", progress=0.5)
    records.update("a", state="done")
    records.update("a", state="failed")
    records.begin("a")
    assert notebook.states == ["queued", "running", "done"]
    assert notebook.calls == []
    assert records.get_request("a") == request


def test_redis_is_watched(notebook: Notebook) -> None:
    """A Redis that is down is a failure of that dependency."""
    with closing(WatchedRecords(RedisRecords("redis://127.0.0.1:1/0", 60), notebook, "redis")) as records:
        with pytest.raises(JobsUnavailableError):
            records.get("a")
        with pytest.raises(JobsUnavailableError):
            records.add(new_job("a"), JobRequest(("dab",), AnimationOptions()))
    assert notebook.calls == [("redis", "get", "jobs_unavailable"), ("redis", "add", "jobs_unavailable")]
    assert notebook.states == []


def test_the_requests_id_goes_on_to_torchserve(request_id: str) -> None:
    """As a header over HTTP; beside the image over gRPC, where TorchServe hands no headers on."""
    with fake_torchserve(FigureClient()) as fake:
        with closing(TorchServeClient(TorchServeAddress(fake.url))) as client:
            client.detect(IMAGE)
        assert fake.request_ids == {request_id}
    with fake_torchserve_grpc(FigureClient()) as fake:
        address = TorchServeAddress("http://nowhere.invalid", grpc_address=fake.url)
        with closing(TorchServeClient(address)) as client:
            client.detect(IMAGE)
        assert fake.request_ids == {request_id}


def test_threads_know_whose_request_they_work_for(request_id: str) -> None:
    """Whatever an executor runs sees the caller's request; what it sets stays with it."""
    executor = ThreadExecutor(2)

    def look(_: object) -> str:
        seen = REQUEST_ID.get()
        REQUEST_ID.set("another")
        return seen

    assert executor.run(lambda: look(None)) == request_id
    assert executor.map(look, [1, 2, 3]) == [request_id] * 3
    assert executor.map_io(look, [1, 2, 3]) == [request_id] * 3
    assert REQUEST_ID.get() == request_id
    executor.close()
