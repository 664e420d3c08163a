"""One contract for every inference client, and how the TorchServe client takes failures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import requests

from animation_server.errors import (
    InferenceError,
    InferenceTimeoutError,
    InferenceUnavailableError,
    NoFigureError,
)
from animation_server.inference import torchserve_http, torchserve_management
from animation_server.inference.contract import InferenceClient
from animation_server.inference.embedded import EmbeddedClient
from animation_server.inference.torchserve import TorchServeAddress, TorchServeClient
from animation_server.inference.torchserve_http import HttpPeer
from tests.fake_torchserve import FakeTorchServe, fake_torchserve
from tests.fake_torchserve_grpc import fake_torchserve_grpc
from tests.fakes import FigureClient
from tests.figures import draw_figure
from tests.inference_contract import InferenceContract
from tests.places import ROOT

DETECT = "POST /predictions/drawn_humanoid_detector"


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedClient]:
    client = EmbeddedClient(threads=1)
    yield client
    client.close()


@pytest.fixture(scope="module", params=["embedded", "torchserve", "torchserve-grpc"])
def client(request: pytest.FixtureRequest, embedded: EmbeddedClient) -> Iterator[InferenceClient]:
    """Each client in turn; TorchServe answers with what the embedded models say."""
    if request.param == "embedded":
        yield embedded
    elif request.param == "torchserve":
        with fake_torchserve(embedded) as fake, closing(over_http(fake)) as http:
            yield http
    else:
        with fake_torchserve_grpc(embedded) as fake, closing(over_grpc(fake)) as grpc:
            yield grpc


def over_http(fake: FakeTorchServe, **address: Any) -> TorchServeClient:
    return TorchServeClient(TorchServeAddress(fake.url, **address))


def over_grpc(fake: FakeTorchServe, **address: Any) -> TorchServeClient:
    return TorchServeClient(TorchServeAddress("http://nowhere.invalid", grpc_address=fake.url, **address))


class TestContract(InferenceContract):
    """What annotate relies on, of each client."""


def test_all_clients_see_the_same_pixels(client: InferenceClient, embedded: EmbeddedClient) -> None:
    """However they travel, the answers are those of the models in process: nothing is lost on the way."""
    image = draw_figure().rgb
    assert client.detect(image) == embedded.detect(image)
    ours, theirs = client.estimate_pose(image), embedded.estimate_pose(image)
    np.testing.assert_array_equal(ours.keypoints, theirs.keypoints)
    np.testing.assert_array_equal(ours.mask, theirs.mask)


def test_embedded_models_that_cannot_be_loaded(tmp_path: object) -> None:
    """Missing weights are a dependency that fails, and say so."""
    with pytest.raises(InferenceUnavailableError, match="cannot be loaded"):
        EmbeddedClient(weights_dir=tmp_path).check()  # type: ignore[arg-type]


GEVENT_PROGRAM = """
from gevent import monkey
monkey.patch_all()
import faulthandler
import time
from types import SimpleNamespace
import gevent
from animation_server.concurrency import make_executor
from animation_server.inference.embedded import EmbeddedClient
from torchserve_model.predictor import Predictor

def load(**_):
    time.sleep(0.01)  # others run, as while an import waits for another thread's
    return SimpleNamespace(version="1")

faulthandler.dump_traceback_later(20, exit=True)
Predictor.load = load
executor = make_executor(1)
client = EmbeddedClient(run_native=executor.run_native)
calls = [gevent.spawn(client.version) for _ in range(2)] + [gevent.spawn(executor.run, client.version)]
gevent.joinall(calls, raise_error=True)
assert [call.value for call in calls] == ["1"] * 3
"""


def test_the_first_calls_may_come_at_once() -> None:
    """Under gevent others run while the models are loaded: the loop must not wait for itself then."""
    subprocess.run([sys.executable, "-c", GEVENT_PROGRAM], check=True, timeout=60)


@pytest.fixture
def fake() -> Iterator[FakeTorchServe]:
    with fake_torchserve(FigureClient()) as server:
        yield server


@pytest.fixture
def torchserve(fake: FakeTorchServe) -> Iterator[TorchServeClient]:
    """A client with short timeouts that reaches both addresses."""
    address = TorchServeAddress(fake.url, management_url=fake.url, read_timeout_s=0.5)
    client = TorchServeClient(address)
    yield client
    client.close()


IMAGE = draw_figure().rgb


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ("slow", InferenceTimeoutError),
        ("500", InferenceUnavailableError),
        ("503", InferenceUnavailableError),
        ("507", InferenceUnavailableError),
        ("404", InferenceUnavailableError),
        ("400", InferenceError),
        ("", InferenceError),
        ("<html>rubbish</html>", InferenceError),
        ('{"code": 200}', InferenceError),
        ('[{"bbox": [1, 2, 3], "score": 0.5}]', InferenceError),
        ('[{"bbox": [1, 2, 3, "x"], "score": 0.5}]', InferenceError),
        ('[{"bbox": [1, 2, 3, NaN], "score": 0.5}]', InferenceError),
        ('[{"bbox": [1, 2, 3, 4], "score": 7}]', InferenceError),
    ],
)
def test_maps_failures_and_heals(
    torchserve: TorchServeClient, fake: FakeTorchServe, behaviour: str, error: type[InferenceError]
) -> None:
    """Each failure is the fitting error, asked for once; the next call works again."""
    fake.behaviours = [behaviour]
    with pytest.raises(InferenceError) as caught:
        torchserve.detect(IMAGE)
    assert type(caught.value) is error
    assert fake.requests == [DETECT]
    assert torchserve.detect(IMAGE)


def test_asks_again_when_the_connection_is_lost(torchserve: TorchServeClient, fake: FakeTorchServe) -> None:
    """Predictions change nothing, so a connection that was lost is no reason to fail."""
    fake.behaviours = ["hang up"]
    assert torchserve.detect(IMAGE)
    assert fake.requests == [DETECT, DETECT]


def test_asks_again_only_once(torchserve: TorchServeClient, fake: FakeTorchServe) -> None:
    """A TorchServe that keeps hanging up is unavailable."""
    fake.behaviours = ["hang up"] * 3
    with pytest.raises(InferenceUnavailableError):
        torchserve.detect(IMAGE)
    assert len(fake.requests) == 2


def test_asking_again_has_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both attempts together take no longer than the caller waits; with nothing left there is no second."""
    now, timeouts = 0.0, []

    def lose_connection(session: requests.Session, method: str, url: str, **request: Any) -> NoReturn:
        nonlocal now
        now += 0.75
        timeouts.append(request["timeout"])
        raise requests.ConnectionError("reset")

    monkeypatch.setattr(torchserve_http, "monotonic", lambda: now)
    monkeypatch.setattr(requests.Session, "request", lose_connection)
    with closing(HttpPeer("http://nowhere.invalid", connect_timeout_s=0.5)) as peer:
        with pytest.raises(InferenceUnavailableError):
            peer.exchange("GET", "/ping", 1.0)
        assert timeouts == [(0.5, 1.0), (0.25, 0.25)]
        timeouts.clear()
        with pytest.raises(InferenceTimeoutError):
            peer.exchange("GET", "/ping", 0.5)
        assert timeouts == [(0.5, 0.5)]


def test_nobody_listens() -> None:
    """A TorchServe that is down is unavailable, for predictions and for the check."""
    with fake_torchserve(FigureClient()) as fake:
        url = fake.url
    client = TorchServeClient(TorchServeAddress(url))
    for call in (lambda: client.detect(IMAGE), client.check):
        with pytest.raises(InferenceUnavailableError):
            call()
    client.close()


KEYPOINTS = [[1.0, 2.0, 0.5]] * 17


@pytest.mark.parametrize(
    "answer",
    [
        [{"keypoints": KEYPOINTS[:13]}],
        [{"keypoints": [[1.0, 2.0]] * 17}],
        [{"keypoints": KEYPOINTS, "mask": {"size": [2, 2], "counts": [4]}}],
        [{"keypoints": KEYPOINTS, "mask": {"size": list(IMAGE.shape[:2]), "counts": [5]}}],
        [{"keypoints": KEYPOINTS, "mask": {"size": list(IMAGE.shape[:2]), "counts": [-1]}}],
        [{"keypoints": KEYPOINTS, "mask": {"size": list(IMAGE.shape[:2]), "counts": [10**30]}}],
    ],
)
def test_refuses_poses_that_are_not_by_the_contract(
    torchserve: TorchServeClient, fake: FakeTorchServe, answer: object
) -> None:
    """Joints too few, masks of another size and run lengths that do not add up never reach the renderer."""
    fake.behaviours = [json.dumps(answer)]
    with pytest.raises(InferenceError):
        torchserve.estimate_pose(IMAGE)


def test_a_mask_is_not_required(torchserve: TorchServeClient, fake: FakeTorchServe) -> None:
    """AnimatedDrawings' own container gives none; its heatmap scores may exceed 1 a little."""
    fake.behaviours = [json.dumps([{"keypoints": [[1.0, 2.0, 1.02]] * 17}])]
    pose = torchserve.estimate_pose(IMAGE)
    assert pose.mask is None
    assert pose.keypoints[:, 2].max() == 1.0


def test_no_pose_is_no_figure(torchserve: TorchServeClient, fake: FakeTorchServe) -> None:
    """A crop in which the models see nobody is the caller's picture, not the server's failure."""
    fake.behaviours = ["[]"]
    with pytest.raises(NoFigureError):
        torchserve.estimate_pose(IMAGE)


def test_check_wants_workers_that_are_ready(torchserve: TorchServeClient, fake: FakeTorchServe) -> None:
    """TorchServe is healthy before its workers are; readiness waits for the workers."""
    torchserve.check()
    fake.worker_status = "LOADING"
    with pytest.raises(InferenceUnavailableError, match="READY"):
        torchserve.check()


def test_check_pings_where_the_management_address_is_unknown(fake: FakeTorchServe) -> None:
    """Only the inference port need be reachable."""
    client = TorchServeClient(TorchServeAddress(fake.url))
    client.check()
    assert fake.requests == ["GET /ping"]
    client.close()


def test_version_comes_from_the_management_address(
    torchserve: TorchServeClient, fake: FakeTorchServe
) -> None:
    """Both models' versions make the name; it is not asked for at every request."""
    fake.model_version = "2.1"
    assert torchserve.version() == "2.1+2.1"
    assert torchserve.version() == "2.1+2.1"
    assert len(fake.requests) == 2


def test_version_is_believed_until_another_is_read(
    fake: FakeTorchServe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stored stays in reach while TorchServe does not answer; who never knew a version cannot say."""
    monkeypatch.setattr(torchserve_management, "VERSION_LIFE_S", 0.0)
    with closing(over_http(fake, management_url=fake.url)) as client:
        fake.behaviours = ["503"]
        with pytest.raises(InferenceUnavailableError):
            client.version()
        assert client.version() == "1.0+1.0"
        fake.behaviours = ["503"]
        assert client.version() == "1.0+1.0"
        fake.model_version = "2.0"
        assert client.version() == "2.0+2.0"


@pytest.mark.parametrize("client", ["torchserve", "torchserve-grpc"], indirect=True)
def test_no_time_left_is_a_timeout(client: InferenceClient) -> None:
    """A deadline that passes just before a call fails it as one that passes just after."""
    for ask in (client.detect, client.estimate_pose):
        with pytest.raises(InferenceTimeoutError):
            ask(IMAGE, 0.0)


def test_version_by_the_settings(fake: FakeTorchServe) -> None:
    """A version that the operator names is not asked for; without either, the name is constant."""
    named = TorchServeClient(TorchServeAddress(fake.url, management_url=fake.url, models_version="mine"))
    assert named.version() == "mine"
    assert TorchServeClient(TorchServeAddress(fake.url)).version() == "torchserve"
    assert fake.requests == []


@pytest.fixture
def fake_grpc() -> Iterator[FakeTorchServe]:
    with fake_torchserve_grpc(FigureClient()) as server:
        yield server


@pytest.fixture
def grpc_client(fake_grpc: FakeTorchServe) -> Iterator[TorchServeClient]:
    with closing(over_grpc(fake_grpc, read_timeout_s=0.5)) as client:
        yield client


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ("slow", InferenceTimeoutError),
        ("INTERNAL", InferenceUnavailableError),
        ("RESOURCE_EXHAUSTED", InferenceUnavailableError),
        ("INVALID_ARGUMENT", InferenceError),
        ('{"code": 400, "type": "BadImage", "message": "none"}', InferenceError),
        ('{"code": 503, "message": "worker died"}', InferenceUnavailableError),
        ("<html>rubbish</html>", InferenceError),
        ('{"rubbish": 200}', InferenceError),
        ('[{"bbox": [1, 2, 3], "score": 0.5}]', InferenceError),
    ],
)
def test_maps_failures_over_grpc_and_heals(
    grpc_client: TorchServeClient, fake_grpc: FakeTorchServe, behaviour: str, error: type[InferenceError]
) -> None:
    """As over HTTP, where a handler's status stands in the answer's body; the next call works again."""
    fake_grpc.behaviours = [behaviour]
    with pytest.raises(InferenceError) as caught:
        grpc_client.detect(IMAGE)
    assert type(caught.value) is error
    assert fake_grpc.requests == ["drawn_humanoid_detector"]
    assert grpc_client.detect(IMAGE)


def test_asks_again_once_over_grpc(grpc_client: TorchServeClient, fake_grpc: FakeTorchServe) -> None:
    """One lost call is asked again; two are an unavailable TorchServe."""
    fake_grpc.behaviours = ["UNAVAILABLE"]
    assert grpc_client.detect(IMAGE)
    fake_grpc.requests.clear()
    fake_grpc.behaviours = ["UNAVAILABLE"] * 3
    with pytest.raises(InferenceUnavailableError):
        grpc_client.detect(IMAGE)
    assert len(fake_grpc.requests) == 2


def test_pings_over_grpc(grpc_client: TorchServeClient, fake_grpc: FakeTorchServe) -> None:
    """The inference port need be the only one that can be reached."""
    grpc_client.check()
    assert fake_grpc.requests == ["ping"]


def test_nobody_listens_for_grpc() -> None:
    """A TorchServe that is down is unavailable, for predictions and for the check."""
    with fake_torchserve_grpc(FigureClient()) as fake:
        pass
    with closing(over_grpc(fake)) as client:
        for call in (lambda: client.detect(IMAGE), client.check):
            with pytest.raises(InferenceUnavailableError):
                call()


def test_the_messages_are_compiled(tmp_path: Path) -> None:
    """What is in the tree is what the compiler makes of the .proto beside it: run `make protos`."""
    protoc = pytest.importorskip("grpc_tools.protoc", reason="needs grpcio-tools")
    proto = "animation_server/inference/torchserve_wire.proto"
    assert protoc.main(["", f"-I{ROOT}", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", proto]) == 0
    for name in ("torchserve_wire_pb2.py", "torchserve_wire_pb2.pyi"):
        place = Path(proto).parent / name
        assert (tmp_path / place).read_text() == (ROOT / place).read_text()
