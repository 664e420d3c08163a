"""The contract of every inference client, against the real TorchServe over both of its protocols."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from animation_server.errors import InferenceError
from animation_server.inference.embedded import EmbeddedClient
from animation_server.inference.torchserve import TorchServeAddress, TorchServeClient
from animation_server.inference.torchserve_grpc import GrpcTransport
from animation_server.inference.torchserve_http import HttpPeer, HttpTransport
from tests.figures import draw_figure
from tests.inference_contract import InferenceContract
from tests.parts.torchserve import MODELS, TorchServe
from tests.places import SAMPLE

pytestmark = [pytest.mark.slow, pytest.mark.needs_torch]


@pytest.fixture(scope="module", params=["http", "grpc"])
def client(request: pytest.FixtureRequest, torchserve: TorchServe) -> Iterator[TorchServeClient]:
    grpc_address = torchserve.grpc_address if request.param == "grpc" else ""
    address = TorchServeAddress(torchserve.url, grpc_address, torchserve.management_url)
    with closing(TorchServeClient(address)) as client:
        yield client


class TestContract(InferenceContract):
    """What annotate relies on, of the real TorchServe."""


def test_answers_as_the_embedded_models_do(client: TorchServeClient) -> None:
    """Boxes, joints and mask are those of the same networks in process."""
    image = draw_figure().rgb
    with closing(EmbeddedClient(threads=1)) as embedded:
        ours, theirs = client.detect(image), embedded.detect(image)
        np.testing.assert_allclose(ours[0].bbox_xyxy, theirs[0].bbox_xyxy, atol=1e-2)
        our_pose, their_pose = client.estimate_pose(image), embedded.estimate_pose(image)
        np.testing.assert_allclose(our_pose.keypoints, their_pose.keypoints, atol=1e-2)
        assert (our_pose.mask != their_pose.mask).mean() < 1e-3
        assert client.version() == f"{embedded.version()}+{embedded.version()}"


def test_both_protocols_carry_the_same_answer(torchserve: TorchServe) -> None:
    """HTTP and gRPC give the same bytes for the same picture."""
    http = HttpTransport(HttpPeer(torchserve.url, connect_timeout_s=2))
    grpc = GrpcTransport(torchserve.grpc_address, connect_timeout_s=2)
    picture = SAMPLE.read_bytes()
    with closing(http), closing(grpc):
        for model in MODELS:
            assert http.predict(model, picture, 20) == grpc.predict(model, picture, 20)


def test_refusals_are_alike_over_both_protocols(torchserve: TorchServe) -> None:
    """No picture and no such model: the same errors, whatever the protocol."""
    http = HttpTransport(HttpPeer(torchserve.url, connect_timeout_s=2))
    grpc = GrpcTransport(torchserve.grpc_address, connect_timeout_s=2)
    with closing(http), closing(grpc):
        for model, content in (MODELS[0], b"no picture"), ("no_such_model", b""):
            errors = []
            for transport in (http, grpc):
                with pytest.raises(InferenceError) as caught:
                    transport.predict(model, content, 20)
                errors.append(type(caught.value))
            assert errors[0] is errors[1]


def test_grpc_listens_on_localhost_alone(torchserve: TorchServe) -> None:
    """No socket of TorchServe's listens beyond the loopback interface."""
    listening = _listening_addresses(torchserve.process.pid)
    assert len(listening) >= 5
    assert all(re.fullmatch(r"0100007F|0000000000000000FFFF00000100007F", address) for address in listening)


def _listening_addresses(pid: int) -> list[str]:
    """Local addresses, in the kernel's hexadecimal, of a process's listening TCP sockets."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        if (found := re.fullmatch(r"socket:\[(\d+)\]", _target(descriptor))) is not None:
            inodes.add(found[1])
    lines = [line.split() for name in ("tcp", "tcp6") for line in _table(name)]
    return [line[1].partition(":")[0] for line in lines if line[3] == "0A" and line[9] in inodes]


def _table(name: str) -> list[str]:
    return Path(f"/proc/net/{name}").read_text().splitlines()[1:]


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # closed since it was listed
        return ""
