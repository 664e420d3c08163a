"""The images as they run: `make test-images` after `make images`."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.parts.podman import ENGINE, podman, try_podman
from tests.parts.process import free_ports
from tests.places import SAMPLE

SERVER_IMAGE = os.environ.get("SERVER_IMAGE", "")
MODEL_IMAGE = os.environ.get("MODEL_IMAGE", "")
START_S = 180

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which(ENGINE) is None, reason=f"needs {ENGINE}: apt-get install podman"),
    pytest.mark.skipif(not (SERVER_IMAGE and MODEL_IMAGE), reason="needs the images: make test-images"),
]

every_image = pytest.mark.parametrize("image", [SERVER_IMAGE, MODEL_IMAGE], ids=["server", "model"])
CONFINED = ("--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp")


@contextmanager
def running(image: str, *options: str) -> Iterator[str]:
    """A container of an image, confined as in the pod; yields its id."""
    container = podman("run", "--detach", *CONFINED, *options, image)
    try:
        yield container
    finally:
        podman("rm", "--force", container)


@contextmanager
def running_server() -> Iterator[tuple[str, str]]:
    """A server with the models inside it, storing where it may write; yields its container and address."""
    (port,) = free_ports(1)
    settings = {"ANIMATION_PORT": str(port), "ANIMATION_LOCAL_DIR": "/tmp/objects"}
    options = [f"--env={name}={value}" for name, value in settings.items()]
    with running(SERVER_IMAGE, "--network", "host", *options) as container:
        wait(container, "animation_server.wsgi.probe", "ready")
        yield container, f"http://127.0.0.1:{port}"


def wait(container: str, *probe: str) -> None:
    """Wait until a probe of the image's own is content."""
    deadline = time.monotonic() + START_S
    while try_podman("exec", container, "python", "-m", *probe).returncode != 0:
        if time.monotonic() > deadline or not running_now(container):
            pytest.fail(f"{probe}: not so after {START_S} s\n{try_podman('logs', container).stderr[-3000:]}")
        time.sleep(1)


def running_now(container: str) -> bool:
    """Tell whether a container's process lives."""
    return podman("inspect", "--format", "{{.State.Running}}", container) == "true"


@every_image
def test_it_has_nothing_to_build_or_install_with(image: str) -> None:
    """No compiler, no pip, no tests, no package lists."""
    code = "command -v gcc cc tcc ld pip pip3; ls -d /var/lib/apt/lists/*_*; python -m pip --version"
    done = try_podman("run", "--rm", "--network=none", "--entrypoint=sh", image, "-c", code)
    assert done.stdout.strip() == ""
    code = "find /opt/venv -type d -name tests | head -3"
    assert podman("run", "--rm", "--network=none", "--entrypoint=sh", image, "-c", code) == ""


@every_image
def test_its_user_owns_nothing_of_what_runs(image: str) -> None:
    """A number, not root, and no file of the program can be changed by it."""
    code = "id -u; find /opt /models -writable ! -type l 2>/dev/null | head -3"
    assert podman("run", "--rm", "--network=none", "--entrypoint=sh", image, "-c", code) == "10001"


@every_image
def test_it_tells_where_it_comes_from(image: str) -> None:
    """OCI's labels: title, version, revision, base."""
    (described,) = json.loads(podman("image", "inspect", image))
    labels = described["Config"]["Labels"]
    for name in ("title", "version", "revision", "base.name"):
        assert labels[f"org.opencontainers.image.{name}"]
    assert described["Config"].get("Healthcheck") or described.get("Healthcheck")


def test_drawings_become_clips_of_every_kind_without_compiling() -> None:
    """Confined and read-only; afterwards the kernels are those that came with the image, and no others."""
    with running_server() as (container, url):
        for form, background in [
            ("gif", "transparent"),
            ("webp", "#ffffff"),
            ("apng", "sheet"),
            ("mp4", "sheet"),
        ]:
            answer = requests.post(
                f"{url}/v1/animations",
                files={"image": SAMPLE.read_bytes()},
                data={"motions": "dab", "format": form, "background": background},
                timeout=120,
            )
            assert answer.status_code == 200, answer.text
        kernels = {
            folder: podman(
                "exec", container, "sh", "-c", f"cd {folder} && find . -type f | sort | xargs sha256sum"
            )
            for folder in ("/opt/kernels", "/tmp/kernels")
        }
        assert ".nbc" in kernels["/opt/kernels"]
        assert kernels["/tmp/kernels"] == kernels["/opt/kernels"]


def test_characters_are_written_and_read() -> None:
    """A character written is drawn again: of OpenCV's codecs nothing that is used was taken out."""
    mounts = [f"--volume={SAMPLE.parent}:/drawings:ro", "--entrypoint=sh", "--rm", "--network=none"]
    commands = (
        f"animation-server annotate /drawings/{SAMPLE.name} -o /tmp/character && "
        "animation-server render /tmp/character --motion wave -o /tmp/wave.webp && head -c 4 /tmp/wave.webp"
    )
    assert podman("run", *CONFINED, *mounts, SERVER_IMAGE, "-c", commands) == "RIFF"


def test_the_server_ends_in_good_order_on_sigterm() -> None:
    """Process 1 is gunicorn: it gets the signal, and leaves with status 0."""
    with running_server() as (container, _):
        assert podman("exec", container, "sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline").split()[1:3] == [
            "-m",
            "gunicorn",
        ]
        podman("stop", "--time", "60", container)
        assert podman("inspect", "--format", "{{.State.ExitCode}}", container) == "0"


def test_the_models_answer_from_the_loopback_interface_and_end_on_sigterm() -> None:
    """Ready without a network, Java as process 1, and 143: ended by SIGTERM, not killed."""
    with running(MODEL_IMAGE, "--network", "none") as container:
        wait(container, "torchserve_model.probe", "ready")
        assert (
            podman("exec", container, "sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline")
            .split()[0]
            .endswith("/java")
        )
        podman("stop", "--time", "60", container)
        assert podman("inspect", "--format", "{{.State.ExitCode}}", container) == "143"


def eventually(outcome: Callable[[], bool], within_s: float = 60) -> bool:
    """Tell whether an outcome comes about in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if outcome():
            return True
        time.sleep(1)
    return False


def test_the_health_check_tells_a_server_that_hangs() -> None:
    """Healthy while it answers, not once its process stands still."""
    with running_server() as (container, _):
        assert eventually(lambda: try_podman("healthcheck", "run", container).returncode == 0)
        podman("pause", container)
        try:
            assert try_podman("healthcheck", "run", container).returncode != 0
        finally:
            podman("unpause", container)
