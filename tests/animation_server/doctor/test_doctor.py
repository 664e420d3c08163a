"""`animation-server doctor`: what is wrong, in words, and how to mend it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from pydantic import SecretStr

from animation_server.cli import main
from animation_server.doctor import dependencies, machine
from animation_server.doctor.finding import Finding
from animation_server.settings import Settings
from tests.fake_torchserve import fake_torchserve
from tests.fakes import FigureClient
from tests.moto_bucket import BUCKET
from tests.parts.redis import MISSING, redis_server

pytestmark = pytest.mark.usefixtures("credentials")

NOWHERE = "http://127.0.0.1:1"


def test_a_healthy_service(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every part is named, none fails, and nothing is left in the storage."""
    monkeypatch.setenv("ANIMATION_LOCAL_DIR", str(tmp_path))
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    parts = [line[6:].partition(":")[0] for line in lines if not line.startswith(" ")]
    assert parts == [
        "package", "settings", "memory", "cores", "open files", "kernels", "motions", "inference", "storage",
        "server",
    ]  # fmt: skip
    assert not [line for line in lines if line.startswith("FAIL")]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_is_wrong_is_told_with_how_to_mend_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A TorchServe that is down, a directory that is a file, a motion that is not there: all told, exit 4."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ANIMATION_LOCAL_DIR", str(tmp_path / "file"))
    monkeypatch.setenv("ANIMATION_INFERENCE", "torchserve")
    monkeypatch.setenv("ANIMATION_TORCHSERVE_URL", NOWHERE)
    monkeypatch.setenv("ANIMATION_MOTIONS", "dab,moonwalk")
    monkeypatch.setenv("ANIMATION_KEY_SALT", "sesame")
    assert main(["doctor", "--json"]) == 4
    out = capsys.readouterr().out
    report = json.loads(out)
    assert report["ok"] is False
    failed = {finding["part"]: finding for finding in report["findings"] if finding["state"] == "fail"}
    assert list(failed) == ["motions", "inference", "storage"]
    assert "moonwalk" in failed["motions"]["words"]
    assert NOWHERE in failed["inference"]["words"]
    assert "READY" in failed["inference"]["mend"]
    assert "ANIMATION_LOCAL_DIR" in failed["storage"]["mend"]
    assert "ANIMATION_KEY_SALT=(set)" in out
    assert "sesame" not in out


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"memory.max": "1610612736\n"}, 1610612736),
        ({"memory.max": "max\n"}, 4096 * 1024),
        ({"memory/memory.limit_in_bytes": "536870912\n"}, 536870912),
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, 4096 * 1024),
        ({}, 4096 * 1024),
    ],
    ids=["version 2", "version 2 without limit", "version 1", "version 1 without limit", "no control group"],
)
def test_finds_the_memory_limit(files: dict[str, str], limit: int, tmp_path: Path) -> None:
    """The control group's, whichever version it is of; else all that the machine has."""
    (tmp_path / "meminfo").write_text("MemTotal:        4096 kB\nMemFree: 1 kB\n")
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert machine.memory_limit(tmp_path, tmp_path / "meminfo")[0] == limit


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "50000 100000\n"}, 0.5),
        ({"cpu.max": "max 100000\n"}, machine.usable_cores()),
        ({"cpu/cpu.cfs_quota_us": "25000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.25),
        ({}, machine.usable_cores()),
    ],
)
def test_finds_the_share_of_cores(files: dict[str, str], cores: float, tmp_path: Path) -> None:
    """The control group's quota, where there is one; never more than the cores."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert machine.cpu_limit(tmp_path) == cores


@pytest.mark.parametrize(
    ("finding", "mend"),
    [
        (machine.examine_memory(Settings(workers=100_000)), "ANIMATION_WORKERS"),
        (machine.examine_cores(Settings(render_threads=10_000)), "ANIMATION_RENDER_THREADS"),
        (machine.examine_open_files(Settings(max_clients=10**9)), "ANIMATION_MAX_CLIENTS"),
    ],
)
def test_more_than_the_machine_has_is_a_warning(finding: Finding, mend: str) -> None:
    """It works, yet worse than it could; the setting to change is named."""
    assert finding.state == "warn"
    assert mend in finding.mend


def test_models_that_answer_see_the_sample(tmp_path: Path) -> None:
    """A real question is asked, not only whether someone listens; workers that are not READY are told."""
    with fake_torchserve(FigureClient()) as fake:
        settings = Settings(
            inference="torchserve", torchserve_url=fake.url, torchserve_management_url=fake.url
        )
        finding = dependencies.examine_models(settings)
        assert (finding.state, "found the figure" in finding.words) == ("ok", True)
        fake.worker_status = "LOADING"
        finding = dependencies.examine_models(settings)
    assert (finding.state, "READY" in finding.words) == ("fail", True)


@pytest.mark.parametrize(
    ("more", "state", "words"),
    [
        ({}, "ok", "opened by its presigned link"),
        ({"s3_urls": "public", "s3_public_base_url": NOWHERE}, "warn", "do not open from here"),
        ({"s3_bucket": "no-such-bucket"}, "fail", "NoSuchBucket"),
        ({"s3_endpoint_url": NOWHERE, "s3_connect_timeout_s": 0.2}, "fail", NOWHERE),
    ],
    ids=["well", "links", "bucket", "down"],
)
def test_storage_is_tried(endpoint: str, more: dict[str, str], state: str, words: str) -> None:
    """An object goes there and back, its link opens, and it is gone afterwards."""
    settings = Settings(**{"storage": "s3", "s3_bucket": BUCKET, "s3_endpoint_url": endpoint, **more})  # type: ignore[arg-type]
    finding = dependencies.examine_storage(settings)
    assert finding.state == state, finding
    assert words in finding.words
    assert ("PutObject" in finding.mend) is (state == "fail")
    if state != "fail":
        with dependencies._store(settings) as store:
            assert store.list_keys("doctor") == []


@contextmanager
def clock(ahead: timedelta) -> Iterator[str]:
    """A server whose clock is ahead of ours."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(403)
            self.send_header("Date", format_datetime(datetime.now(UTC) + ahead, usegmt=True))
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.handle_request, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.mark.parametrize(
    ("minutes", "state", "words"),
    [(0, "ok", "0 s"), (3, "warn", "180 s behind"), (-20, "fail", "1200 s ahead of")],
)
def test_the_clock_is_compared_with_storage(minutes: int, state: str, words: str) -> None:
    """S3 refuses signatures a quarter of an hour off; less is a warning."""
    with clock(timedelta(minutes=minutes)) as url:
        finding = dependencies.examine_clock(Settings(storage="s3", s3_endpoint_url=url))
    assert finding.state == state
    measured = int(finding.words.split()[0])
    assert measured == pytest.approx(int(words.split()[0]), abs=5)
    assert " ".join(words.split()[2:]) in finding.words


def test_redis_that_is_down_keeps_its_password() -> None:
    """The address is told, the password is not."""
    finding = dependencies.examine_redis(Settings(redis_url=SecretStr("redis://:hunter2@127.0.0.1:1/0")))
    assert finding.state == "fail"
    assert "127.0.0.1:1" in finding.words
    assert "hunter2" not in finding.words


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_redis_that_would_forget_jobs_is_a_warning(tmp_path: Path) -> None:
    """It answers; what it does when its memory is full decides whether all is well."""
    import redis

    with redis_server(tmp_path) as server:
        settings = Settings(redis_url=SecretStr(server.url))
        assert dependencies.examine_redis(settings).state == "ok"
        with redis.Redis.from_url(server.url) as client:
            client.config_set("maxmemory", "100mb")
            client.config_set("maxmemory-policy", "allkeys-lru")
        finding = dependencies.examine_redis(settings)
    assert (finding.state, "noeviction" in finding.mend) == ("warn", True)
