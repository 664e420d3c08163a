"""The pod of the manifests, as podman plays it: `make pod-test` builds the images and runs this."""

from __future__ import annotations

import dataclasses
import io
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import yaml
from PIL import Image

from tests.drawings import sample
from tests.parts.manifests import K8S, Workload, named, needs_kubectl, quantity, render
from tests.parts.podman import (
    ENGINE,
    Container,
    PlayedPod,
    network,
    playing,
    pod_for_podman,
    podman,
    secret,
    try_podman,
)
from tests.parts.process import listens
from tests.parts.swift import S3Server, swift_server

SERVER_IMAGE = os.environ.get("SERVER_IMAGE", "")
MODEL_IMAGE = os.environ.get("MODEL_IMAGE", "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    needs_kubectl,
    pytest.mark.skipif(shutil.which(ENGINE) is None, reason=f"needs {ENGINE}: apt-get install podman"),
    pytest.mark.skipif(not (SERVER_IMAGE and MODEL_IMAGE), reason="needs the images: make pod-test"),
]

BUCKET = "animations"
START_S = 180
TORCHSERVE_PORTS = (7070, 7071, 8080, 8081, 8082)


@dataclass(frozen=True)
class Played:
    """The pod, the deployment it was made of, and the S3 server beside it."""

    pod: PlayedPod
    deployment: Workload
    s3: S3Server


@pytest.fixture(scope="module", name="played")
def _played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    home = tmp_path_factory.mktemp("pod")
    with network() as here, swift_server(home / "s3", bind="0.0.0.0") as local:
        s3 = dataclasses.replace(local, endpoint=local.endpoint.replace("127.0.0.1", here))
        local.make_bucket(BUCKET)
        manifests = render(write_overlay(home / "overlay", s3))
        deployment = Workload(named(manifests, "Deployment", "animation-server"))
        credentials = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
        with (
            secret("animation-s3", credentials),
            playing(pod_for_podman(manifests, deployment), home) as pod,
        ):
            if not eventually(lambda: ready(pod)):
                answer = requests.get(f"{pod.url}/readyz", timeout=10).text
                pytest.fail(f"not ready: {answer}\n{pod.server.log()}\n{pod.torchserve.log()}")
            yield Played(pod, deployment, s3)


def write_overlay(folder: Path, s3: S3Server) -> Path:
    """Write what an operator would: the cluster overlay with their own images and object storage."""
    folder.mkdir()
    images = []
    for name, image in (("animation-server", SERVER_IMAGE), ("torchserve-model", MODEL_IMAGE)):
        new_name, _, tag = image.rpartition(":")
        images.append({"name": f"registry.example.com/{name}", "newName": new_name, "newTag": tag})
    settings = [
        f"ANIMATION_S3_ENDPOINT_URL={s3.endpoint}",
        f"ANIMATION_S3_REGION={s3.region}",
        f"ANIMATION_S3_BUCKET={BUCKET}",
    ]
    kustomization = {
        "resources": [relative(K8S / "overlays" / "cpu-cluster", folder)],
        "images": images,
        "configMapGenerator": [{"name": "animation-server", "behavior": "merge", "literals": settings}],
        "namespace": "animation",
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return folder


def eventually(outcome: Callable[[], bool], within_s: float = START_S) -> bool:
    """Tell whether an outcome comes about in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if outcome():
            return True
        time.sleep(0.5)
    return False


def ready(pod: PlayedPod) -> bool:
    """Tell whether the server says that it, the models and the storage are."""
    try:
        return requests.get(f"{pod.url}/readyz", timeout=10).ok
    except requests.RequestException:
        return False


def post(pod: PlayedPod, variant: int) -> requests.Response:
    """Post the sample; another `variant` is another picture, so that nothing is found ready."""
    return requests.post(f"{pod.url}/v1/animations", files={"image": sample(variant)}, timeout=90)


def python(container: Container, code: str) -> str:
    """Run Python in a container and return what it prints."""
    done = container.run("python", "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_drawing_from_outside_becomes_gifs_in_the_object_storage(played: Played) -> None:
    """Three links to the S3 server, each a GIF that moves, made through TorchServe."""
    answer = post(played.pod, 0)
    assert answer.status_code == 200, answer.text
    urls = answer.json()["animations"]
    assert set(urls) == {"dab", "jumping", "zombie"}
    for url in urls.values():
        assert url.startswith(played.s3.endpoint)
        got = requests.get(url, timeout=30)
        assert (got.status_code, got.headers["Content-Type"]) == (200, "image/gif")
        with Image.open(io.BytesIO(got.content)) as gif:
            assert gif.n_frames > 10
    settings = python(played.pod.server, "import os; print(os.environ['ANIMATION_INFERENCE'])")
    assert settings.startswith("torchserve")


@pytest.mark.parametrize("port", TORCHSERVE_PORTS)
def test_only_the_pod_itself_reaches_torchserve(played: Played, port: int) -> None:
    """The server does, on localhost; from outside nothing of TorchServe's listens."""
    connect = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5)"
    python(played.pod.server, connect)
    assert listens(8000, played.pod.address)
    assert not listens(port, played.pod.address)


@pytest.mark.parametrize("name", ["server", "torchserve"])
def test_containers_have_no_privileges(played: Played, name: str) -> None:
    """Not root, nothing writable but the scratch space, no capability and no way to get one."""
    container = getattr(played.pod, name)
    status = dict(
        line.split(":", 1) for line in python(container, "print(open('/proc/1/status').read())").splitlines()
    )
    assert set(status["Uid"].split()) == {"10001"}
    assert set(status["Gid"].split()) == {"10001"}
    assert {int(status[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    assert status["NoNewPrivs"].strip() == "1"
    mounts = [line.split() for line in python(container, "print(open('/proc/mounts').read())").splitlines()]
    (root_options,) = [options for _, place, _, options, *_ in mounts if place == "/"]
    assert "ro" in root_options.split(",")
    python(container, "open('/tmp/scratch', 'w').close()")
    for place in ("/", "/opt/app", "/models", "/usr/bin"):
        assert container.run("python", "-c", f"open('{place}/x', 'w')").returncode == 1


@pytest.mark.parametrize("name", ["server", "torchserve"])
def test_memory_has_a_limit_that_holds(played: Played, name: str) -> None:
    """Who takes more than the manifest allows is killed, and the pod goes on."""
    (manifest,) = [c for c in played.deployment.containers if c["name"] == name]
    limit = int(quantity(manifest["resources"]["limits"]["memory"]))
    greedy = getattr(played.pod, name).run("python", "-c", f"b'x' * {limit}")
    assert greedy.returncode == 137
    assert eventually(lambda: ready(played.pod))


def test_probes_of_the_manifests_answer(played: Played) -> None:
    """The commands that a kubelet would run say yes in a pod that works."""
    for manifest in played.deployment.containers:
        container = getattr(played.pod, manifest["name"])
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if "exec" in manifest[probe]:
                asked = container.run(*manifest[probe]["exec"]["command"])
                assert asked.returncode == 0, asked.stderr


@pytest.mark.parametrize("name", ["server", "torchserve"])
def test_a_killed_container_comes_back(played: Played, name: str) -> None:
    """Killed without notice: podman starts it again, and drawings are answered again."""
    container = getattr(played.pod, name)
    before = container.state()["StartedAt"]
    # not by `podman kill`, after which podman takes the container for one that is not wanted any more
    os.kill(container.state()["Pid"], signal.SIGKILL)
    assert eventually(lambda: container.state()["StartedAt"] != before)
    assert eventually(lambda: ready(played.pod))
    assert eventually(lambda: post(played.pod, 1 + len(name)).ok)


def test_sigterm_drains(played: Played) -> None:
    """Told to end as a kubelet tells it, the pod answers every request it has accepted.

    The hook of the model container waits for the server, which then ends; only then TorchServe is stopped.
    Last, for nothing runs after it.
    """
    server, torchserve = played.pod.server, played.pod.torchserve
    (manifest,) = [c for c in played.deployment.containers if c["name"] == "torchserve"]
    hook = manifest["lifecycle"]["preStop"]["exec"]["command"]
    grace_s = str(played.deployment.pod["terminationGracePeriodSeconds"])
    in_flight = "print(open('/proc/net/tcp').read())"
    accepted = 6
    with ThreadPoolExecutor(accepted + 2) as pool:
        answers = [pool.submit(post, played.pod, 100 + number) for number in range(accepted)]
        assert eventually(lambda: connections(python(server, in_flight), 8000) >= accepted, 20)
        draining = pool.submit(torchserve.run, *hook)
        stopping = pool.submit(try_podman, "stop", "--time", grace_s, server.name)
        assert [answer.result().status_code for answer in answers] == [200] * accepted
        assert stopping.result().returncode == 0
        assert draining.result().returncode == 0
    assert server.state()["ExitCode"] == 0
    assert torchserve.state()["Status"] == "running"
    podman("stop", "--time", grace_s, torchserve.name)
    assert torchserve.state()["ExitCode"] in (0, 143)


def connections(table: str, port: int) -> int:
    """Count the established connections to a local port in the kernel's table."""
    rows = [line.split() for line in table.splitlines()[1:]]
    return sum(row[3] == "01" and int(row[1].rpartition(":")[2], 16) == port for row in rows)


def relative(folder: Path, start: Path) -> str:
    """The path from one folder to another, the only kind that kustomize takes."""
    return os.path.relpath(folder, start.resolve())
