"""The real processes together: gunicorn with gevent workers, TorchServe, an S3 server."""

from __future__ import annotations

import io
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest
import requests
from PIL import Image

from tests.drawings import sample
from tests.parts.pod import MODEL_STORE, Pod, running_pod

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_torch,
    pytest.mark.skipif(not any(MODEL_STORE.glob("*.mar")), reason="needs the model archives: make archives"),
]


@pytest.fixture(scope="module", name="pod")
def _pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with running_pod(tmp_path_factory.mktemp("pod")) as pod:
        yield pod


def post(pod: Pod, variant: int) -> requests.Response:
    return requests.post(f"{pod.server.url}/v1/animations", files={"image": sample(variant)}, timeout=60)


def test_a_drawing_becomes_gifs_in_object_storage(pod: Pod) -> None:
    """Three links, each answered by the S3 server with a GIF that moves and lasts as long as its motion."""
    answer = post(pod, 0)
    assert answer.status_code == 200, answer.text
    urls = answer.json()["animations"]
    assert set(urls) == {"dab", "jumping", "zombie"}
    known = requests.get(f"{pod.server.url}/v1/motions", timeout=10).json()["motions"]
    duration_s = {motion["name"]: motion["duration_s"] for motion in known}
    for name, url in urls.items():
        assert url.startswith(pod.s3.endpoint)
        got = requests.get(url, timeout=10)
        assert (got.status_code, got.headers["Content-Type"]) == (200, "image/gif")
        with Image.open(io.BytesIO(got.content)) as gif:
            delays_ms = []
            for frame in range(gif.n_frames):
                gif.seek(frame)
                delays_ms.append(gif.info["duration"])
        assert len(delays_ms) > 10
        assert sum(delays_ms) == pytest.approx(duration_s[name] * 1000, abs=10)


def test_torchserve_is_reached_from_this_machine_alone(pod: Pod) -> None:
    """Every port of Java and of its workers is on the loopback interface."""
    main = psutil.Process(pod.models.process.pid)
    listening = [
        connection.laddr.ip
        for process in (main, *main.children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 5
    assert set(listening) <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_torchserve_takes_no_orders(pod: Pod) -> None:
    """Unless it is started so, its management address tells of models, and neither adds nor removes them."""
    models = f"{pod.models.management_url}/models"
    assert requests.get(models, timeout=10).ok
    orders = [
        requests.post(models, params={"url": "file:///tmp/other.mar"}, timeout=10),
        requests.delete(f"{models}/drawn_humanoid_detector", timeout=10),
    ]
    assert [order.status_code for order in orders] == [405, 405]
    assert len(requests.get(models, timeout=10).json()["models"]) == 2


def test_the_same_drawing_gives_the_same_objects(pod: Pod) -> None:
    """A second request is answered with the same objects; only the links' signatures may differ."""
    first, second = post(pod, 1).json(), post(pod, 1).json()
    assert first["id"] == second["id"]
    for motion, url in first["animations"].items():
        assert url.partition("?")[0] == second["animations"][motion].partition("?")[0]


def test_links_do_not_open_with_another_signature(pod: Pod) -> None:
    """Who makes a link up is refused."""
    url = post(pod, 1).json()["animations"]["dab"]
    signature = parse_qs(urlsplit(url).query)["X-Amz-Signature"][0]
    assert requests.get(url.replace(signature, signature[::-1]), timeout=10).status_code == 403


def test_characters_live_in_object_storage(pod: Pod) -> None:
    """Made, shown, corrected, animated and deleted by way of the real S3 server; nothing of it is left."""
    image = sample(7)
    answer = requests.post(
        f"{pod.server.url}/v1/characters", image, headers={"Content-Type": "image/png"}, timeout=60
    )
    assert answer.status_code == 201, answer.text
    url, etag = f"{pod.server.url}/v1/characters/{answer.json()['id']}", answer.headers["ETag"]
    links = [*answer.json()["urls"].values()]
    assert {requests.get(link, timeout=10).headers["Content-Type"] for link in links} == {"image/png"}
    known = requests.get(url, headers={"If-None-Match": etag}, timeout=10)
    assert known.status_code == 304
    wanted = {"keypoints": {"nose": [440, 219]}}
    for status in (200, 412):
        corrected = requests.patch(url, json=wanted, headers={"If-Match": etag}, timeout=60)
        assert corrected.status_code == status, corrected.text
    made = requests.post(f"{url}/animations", json={"motions": ["dab"], "frames": 5}, timeout=60)
    links += made.json()["animations"].values()
    assert requests.get(links[-1], timeout=10).content.startswith(b"GIF89a")
    for _ in range(2):
        assert requests.delete(url, timeout=60).status_code == 204
    assert requests.get(url, timeout=10).status_code == 404
    assert {requests.get(link, timeout=10).status_code for link in links} == {404}
