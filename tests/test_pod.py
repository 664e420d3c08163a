"""The real processes together: gunicorn with gevent workers, TorchServe, an S3 server."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from PIL import Image

from tests.parts.pod import MODEL_STORE, SAMPLE, Pod, running_pod
from tests.parts.torchserve import torchserve

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_torch,
    pytest.mark.skipif(not any(MODEL_STORE.glob("*.mar")), reason="needs the model archives: make archives"),
]

READ_TIMEOUT_S = 3
RECOVERY_S = 60


@pytest.fixture(scope="module", name="pod")
def _pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    settings = {"ANIMATION_TORCHSERVE_READ_TIMEOUT_S": str(READ_TIMEOUT_S)}
    with running_pod(tmp_path_factory.mktemp("pod"), settings) as pod:
        yield pod


def post(pod: Pod, variant: int) -> requests.Response:
    """Post the sample; another `variant` is another picture, so that nothing is found ready."""
    with Image.open(SAMPLE) as sample:
        picture = sample.convert("RGB").resize((500 + variant, 500))
    out = io.BytesIO()
    picture.save(out, "PNG")
    files = {"image": out.getvalue()}
    return requests.post(f"{pod.server.url}/v1/animations", files=files, timeout=60)


def eventually(outcome: Callable[[], bool]) -> bool:
    """Tell whether an outcome comes about within the time a recovery may take."""
    deadline = time.monotonic() + RECOVERY_S
    while time.monotonic() < deadline:
        if outcome():
            return True
        time.sleep(0.5)
    return False


def assert_try_again(answer: requests.Response, *statuses: int) -> None:
    """The answer is an error of a dependency, in the one shape of errors, and says when to try again."""
    assert answer.status_code in statuses
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["ok"] is False


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


def test_a_torchserve_that_hangs_is_a_timeout_and_heals(pod: Pod) -> None:
    """Stopped in mid air: 504 and Retry-After; answers again once it goes on."""
    group = os.getpgid(pod.models.process.pid)
    os.killpg(group, signal.SIGSTOP)
    try:
        assert_try_again(post(pod, 2), 503, 504)
        assert requests.get(f"{pod.server.url}/healthz", timeout=5).ok
    finally:
        os.killpg(group, signal.SIGCONT)
    assert eventually(lambda: post(pod, 2).ok)


def test_a_torchserve_that_dies_is_unavailable_until_it_is_back(pod: Pod, tmp_path: Path) -> None:
    """Gone: 503 and Retry-After, not ready; back on the same port: served and ready again, by itself."""
    os.killpg(os.getpgid(pod.models.process.pid), signal.SIGKILL)
    pod.models.process.wait()
    assert_try_again(post(pod, 3), 503)
    assert requests.get(f"{pod.server.url}/readyz", timeout=30).status_code == 503
    inference, management = (
        int(url.rpartition(":")[2]) for url in (pod.models.url, pod.models.management_url)
    )
    with torchserve(MODEL_STORE, tmp_path, port=inference, management_port=management):
        assert eventually(lambda: post(pod, 3).ok)
        assert eventually(lambda: requests.get(f"{pod.server.url}/readyz", timeout=30).ok)
