"""What may happen to the server's own process: killed, out of memory, its disk full."""

from __future__ import annotations

import io
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from PIL import Image

from tests.fake_torchserve import fake_torchserve
from tests.fakes import FigureClient
from tests.figures import draw_figure
from tests.parts.process import eventually
from tests.parts.server import Server, animation_server
from tests.parts.stand import SMALL_ANIMATIONS, Stand, assert_try_again, heals, is_ready, metric, post

pytestmark = pytest.mark.slow

MEGABYTE = 1 << 20


def worker_pid(server: Server) -> int:
    """Name the one process of a server that answers requests."""
    pid = server.process.pid
    (worker,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(worker)


@pytest.mark.needs_torch
def test_a_worker_is_killed(stand: Stand) -> None:
    """Its clients lose their connection and nothing else; another takes its place, and metrics tell of it."""
    server, before = stand.servers["http"], stand.keys()
    killed, started = worker_pid(server), metric(server, "processes_started_total")
    with ThreadPoolExecutor(1) as pool, stand.models_proxy.broken("hang"):
        answer = pool.submit(post, server, 40)
        assert eventually(lambda: metric(server, "queue_depth") == 1, 10)
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(requests.ConnectionError):
            answer.result()
    assert stand.keys() == before
    assert heals_after_restart(server, 40)
    assert worker_pid(server) != killed
    assert metric(server, "queue_depth") == 0
    assert metric(server, "processes_started_total") == started + 1


def heals_after_restart(server: Server, variant: int) -> bool:
    """Tell whether a server listens again and animates."""

    def listens() -> bool:
        try:
            return is_ready(server)
        except requests.ConnectionError:
            return False

    return eventually(listens, 60) and heals(server, variant)


@pytest.mark.needs_torch
def test_a_drawing_does_not_fit_into_memory(stand: Stand) -> None:
    """Fifty megapixels where there is no room for them: 503 for it, and the same process goes on."""
    server, before, pid = stand.servers["http"], stand.keys(), worker_pid(stand.servers["http"])
    huge = huge_drawing()
    with memory_limited(pid, room=100 * MEGABYTE):
        answer = requests.post(f"{server.url}/v1/animations", files={"image": huge}, timeout=60)
        assert_try_again(answer, 503, "out_of_memory")
        assert post(server, 41).ok
    assert metric(server, "errors_total", code="out_of_memory") == 1
    assert worker_pid(server) == pid
    assert len(stand.keys() - before) == 1
    assert requests.post(f"{server.url}/v1/animations", files={"image": huge}, timeout=60).ok


def huge_drawing() -> bytes:
    """Make a drawing whose file is small and whose pixels take 150 MB, as often as they are copied."""
    out = io.BytesIO()
    Image.fromarray(draw_figure().rgb).resize((7000, 7000), Image.Resampling.NEAREST).save(out, "PNG")
    return out.getvalue()


@contextmanager
def memory_limited(pid: int, room: int) -> Iterator[None]:
    """Leave a process that much room, in bytes, beyond what it has for the length of the block."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    unlimited = resource.prlimit(pid, resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + room
    resource.prlimit(pid, resource.RLIMIT_AS, (limit, unlimited[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_AS, unlimited)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs to mount a tmpfs: {mounted.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(path: Path) -> None:
    """Write to a file for as long as there is room."""
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_the_disk_is_full(small_disk: Path, tmp_path: Path) -> None:
    """503, not ready and nothing left behind, not even in part; with room again all is well by itself."""
    with fake_torchserve(FigureClient()) as models:
        settings = {
            **models.settings,
            "ANIMATION_LOCAL_DIR": str(small_disk / "objects"),
            **SMALL_ANIMATIONS,
        }
        with animation_server(tmp_path / "server", settings) as server:
            filler = small_disk / "filler"
            with pytest.raises(OSError, match="No space left"):
                fill(filler)
            assert_try_again(post(server, 50), 503, "storage_failed")
            assert not is_ready(server)
            assert metric(server, "errors_total", code="storage_failed") == 1
            assert [path for path in small_disk.rglob("*") if path.is_file()] == [filler]
            filler.unlink()
            assert heals(server, 50)
            assert is_ready(server)
