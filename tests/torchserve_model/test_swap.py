"""Models replaced under a real TorchServe while requests keep coming."""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import requests

from tests.parts.pod import MODEL_STORE
from tests.parts.torchserve import MODELS, TorchServe, torchserve
from torchserve_model.management import TorchServeError
from torchserve_model.probe import main as probe
from torchserve_model.serve import MANIFEST, read_manifest
from torchserve_model.swap import main as swap
from torchserve_model.synthesis.sample import draw_crop

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_torch,
    pytest.mark.skipif(not any(MODEL_STORE.glob("*.mar")), reason="needs the model archives: make archives"),
]

DRAIN_S = "1"
"""Requests here take tens of milliseconds."""
START_S = "45"
"""A worker takes some five seconds, several times that on a machine that has much else to do."""


def repack(archive: Path, out: Path, version: str, handler: str | None = None) -> Path:
    """Write an archive's content under another version, and with another handler's code where it is given."""
    path = out / f"{archive.stem}-{version}.mar"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w") as copy:
        for info in source.infolist():
            content = source.read(info)
            if info.filename == MANIFEST:
                manifest = json.loads(content)
                manifest["model"]["modelVersion"] = version
                content = json.dumps(manifest).encode()
            elif handler is not None and info.filename.endswith("_handler.py"):
                content = handler.encode()
            copy.writestr(info, content)
    return path


@pytest.fixture(scope="module", name="served")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TorchServe, Path]]:
    """TorchServe with its model API on, and its model store."""
    home = tmp_path_factory.mktemp("torchserve")
    with torchserve(MODEL_STORE, home, "--model-api") as server:
        yield server, home / "store"


@pytest.fixture(name="management_port")
def _management_port(served: tuple[TorchServe, Path]) -> str:
    return served[0].management_url.rpartition(":")[2]


@contextmanager
def load(server: TorchServe) -> Iterator[list[list[tuple[int, str]]]]:
    """Ask both models without a pause for the length of the block.

    Yields a list a client, of the status and the pose model's version of every answer, in order.
    """
    image = cv2.cvtColor(draw_crop(np.random.default_rng([5, 5, 0]), 320).image, cv2.COLOR_RGB2BGR)
    content = bytes(cv2.imencode(".png", image)[1])
    answered: list[list[tuple[int, str]]] = [[] for _ in range(4)]
    ending = threading.Event()

    def ask(mine: list[tuple[int, str]]) -> None:
        with requests.Session() as session:
            while not ending.is_set():
                for name in MODELS:
                    url = f"{server.url}/predictions/{name}"
                    answer = session.post(url, files={"data": content}, timeout=20)
                    version = answer.json()[0].get("version", "") if answer.ok else answer.text
                    mine.append((answer.status_code, version))

    with until(ending, [partial(ask, mine) for mine in answered]):
        yield answered


@contextmanager
def asking_whether_ready(management_port: str) -> Iterator[set[int]]:
    """Run the readiness probe without a pause for the length of the block; yields what it said."""
    said: set[int] = set()
    ending = threading.Event()

    def ask() -> None:
        while not ending.is_set():
            said.add(probe(["ready", "--management-port", management_port]))

    with until(ending, [ask]):
        yield said


@contextmanager
def until(ending: threading.Event, tasks: list[Callable[[], None]]) -> Iterator[None]:
    """Run tasks, each in a thread of its own, that end at an event, which the end of the block is."""
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ending.set()
        for thread in threads:
            thread.join()


def versions(server: TorchServe, name: str) -> list[str]:
    """All registered versions of a model."""
    described = requests.get(f"{server.management_url}/models/{name}/all", timeout=5).json()
    return [model["modelVersion"] for model in described]


def test_models_are_swapped_and_swapped_back_under_load(
    served: tuple[TorchServe, Path], management_port: str, tmp_path: Path
) -> None:
    """No request fails, the pod stays ready; each client sees the old version, then only the new one."""
    server, store = served
    _, old = read_manifest(MODEL_STORE / f"{MODELS[0]}.mar")
    new_archives = [str(repack(MODEL_STORE / f"{name}.mar", tmp_path, "next")) for name in MODELS]
    old_archives = [str(MODEL_STORE / f"{name}.mar") for name in MODELS]
    for archives, before, after in ((new_archives, old, "next"), (old_archives, "next", old)):
        with load(server) as answered, asking_whether_ready(management_port) as said:
            where = ["--store", str(store), "--management-port", management_port, "--drain-s", DRAIN_S]
            assert swap([*archives, *where]) == 0
        assert said == {0}
        for mine in answered:
            assert {status for status, _ in mine} == {200}
            seen = [version for _, version in mine if version]
            assert (seen[0], seen[-1]) == (before, after)
            assert seen == sorted(seen, key=[before, after].index)
        for name in MODELS:
            assert versions(server, name) == [after]
        assert sorted(path.name for path in store.glob("*.mar")) == [f"{name}-{after}.mar" for name in MODELS]


def test_a_version_that_does_not_start_changes_nothing(
    served: tuple[TorchServe, Path],
    management_port: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The swap fails with a reason, no request does, and neither version nor file of the failure stays.

    TorchServe's log says why, at the level that it has by default, in JSON lines.
    """
    server, store = served
    before = {name: versions(server, name) for name in MODELS}
    files = sorted(store.iterdir())
    sound = repack(MODEL_STORE / f"{MODELS[0]}.mar", tmp_path, "broken")
    broken = repack(
        MODEL_STORE / f"{MODELS[1]}.mar", tmp_path, "broken", handler="raise ValueError('out of order')\n"
    )
    with load(server) as answered:
        where = ["--store", str(store), "--management-port", management_port, "--start-s", START_S]
        assert swap([str(sound), str(broken), *where]) == 1
    assert MODELS[1] in capsys.readouterr().err
    assert {status for mine in answered for status, _ in mine} == {200}
    assert {name: versions(server, name) for name in MODELS} == before
    assert sorted(store.iterdir()) == files
    log = (store.parent / "torchserve.log").read_text().splitlines()
    events = [json.loads(line)["event"] for line in log if line.startswith("{")]
    assert "ValueError: out of order" in events
    assert not any(event.startswith(("[PID]", "[METRICS]", "model_name")) for event in events)


def test_what_is_in_service_already_is_left_alone(
    served: tuple[TorchServe, Path], management_port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same version again is no change and no error."""
    archives = [str(path) for path in served[1].glob("*.mar")]
    assert swap([*archives, "--store", str(served[1]), "--management-port", management_port]) == 0
    assert "already" in capsys.readouterr().out


def test_probes_tell_a_ready_torchserve_from_none(
    served: tuple[TorchServe, Path], management_port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alive and ready where it runs; neither where nothing listens, and the reason names the address."""
    ports = ["--inference-port", served[0].url.rpartition(":")[2], "--management-port", management_port]
    assert [probe([question, *ports]) for question in ("live", "ready")] == [0, 0]
    nowhere = ["--inference-port", "1", "--management-port", "1"]
    assert [probe([question, *nowhere]) for question in ("live", "ready")] == [1, 1]
    assert capsys.readouterr().err.count("127.0.0.1:1/") == 2


def test_a_restart_finishes_a_swap_that_was_cut_short(
    served: tuple[TorchServe, Path], management_port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests go on to the new versions, which are alone from then on."""
    server, store = served
    archives = [str(repack(MODEL_STORE / f"{name}.mar", tmp_path, "zz")) for name in MODELS]
    command = [*archives, "--store", str(store), "--management-port", management_port, "--drain-s", DRAIN_S]
    with monkeypatch.context() as patch:
        patch.setattr("torchserve_model.swap._drain", fail)
        assert swap(command) == 1
    assert len(versions(server, MODELS[0])) == 2
    server.kill()
    server.start()
    for name in MODELS:
        assert versions(server, name) == ["zz"]
    assert sorted(path.name for path in store.glob("*.mar")) == [f"{name}-zz.mar" for name in MODELS]
    assert swap(command) == 0


def fail(*_: object) -> None:
    raise TorchServeError("no answer: timed out")
