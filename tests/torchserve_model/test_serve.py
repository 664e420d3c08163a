"""Archives, TorchServe's configuration, and TorchServe itself."""

from __future__ import annotations

import json
import re
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import requests
from numpy.typing import NDArray

from tests.parts.torchserve import MODELS, torchserve
from torchserve_model.defaults import record_defaults
from torchserve_model.predictor import WEIGHTS_DIR, Predictor, models_version
from torchserve_model.serve import (
    MANIFEST,
    ServeConfig,
    environment,
    find_java,
    main,
    prepare,
    properties,
)
from torchserve_model.synthesis.sample import draw_crop


def write_archive(path: Path, name: str = "model", version: str = "7") -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MANIFEST, json.dumps({"model": {"modelName": name, "modelVersion": version}}))


def test_every_archive_is_served(tmp_path: Path) -> None:
    """All archives of the store are loaded at the start with the batch size and workers asked for."""
    for name in ("one", "two"):
        write_archive(tmp_path / f"{name}.mar", name)
    config = ServeConfig(tmp_path, tmp_path / "run", inference_port=1234, workers=3, batch_size=8)
    written = properties(config)
    assert written["load_models"] == "one.mar,two.mar"
    assert written["inference_address"] == "http://127.0.0.1:1234"
    assert written["enable_model_api"] == "false"
    for name, versions in json.loads(written["models"]).items():
        settings = versions["7"]
        assert settings["marName"] == f"{name}.mar"
        assert (settings["minWorkers"], settings["maxWorkers"], settings["batchSize"]) == (3, 3, 8)


def loaded(config: ServeConfig) -> dict[str, list[str]]:
    """The versions of each model that a start loads."""
    prepare(config)
    models = json.loads(properties(config)["models"])
    return {name: list(versions) for name, versions in models.items()}


def test_a_restart_loads_the_versions_that_were_in_service(tmp_path: Path) -> None:
    """Neither a version that was only being tried nor one on its way out, whatever their files are called."""
    for name in ("one", "two"):
        write_archive(tmp_path / f"{name}.mar", name)
    config = ServeConfig(tmp_path, tmp_path / "run", model_api=True)
    assert loaded(config) == {"one": ["7"], "two": ["7"]}
    write_archive(config.model_store / "one-5.mar", "one", "5")
    assert loaded(config) == {"one": ["7"], "two": ["7"]}
    write_archive(config.model_store / "one-8.mar", "one", "8")
    record_defaults(config.model_store, {"one": "8"})
    assert loaded(config) == {"one": ["8"], "two": ["7"]}
    assert sorted(path.name for path in config.model_store.glob("*.mar")) == ["one-8.mar", "two.mar"]
    assert len(list(tmp_path.glob("*.mar"))) == 2


def test_a_restart_takes_what_is_there_when_the_version_in_service_is_not(tmp_path: Path) -> None:
    """A record of an archive that is gone leaves no model out."""
    write_archive(tmp_path / "one.mar", "one")
    config = ServeConfig(tmp_path, tmp_path / "run", model_api=True)
    prepare(config)
    record_defaults(config.model_store, {"one": "gone"})
    assert loaded(config) == {"one": ["7"]}


def test_a_damaged_record_of_versions_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused on one line that says how to mend it."""
    write_archive(tmp_path / "one.mar")
    config = ServeConfig(tmp_path, tmp_path / "run", model_api=True)
    prepare(config)
    (config.model_store / "default-versions.json").write_text("[]")
    assert main(["--store", str(tmp_path), "--run-dir", str(config.run_dir), "--model-api"]) == 3
    assert "remove it" in capsys.readouterr().err


def test_nothing_is_open_to_the_network(tmp_path: Path) -> None:
    """Every address is on the loopback interface."""
    write_archive(tmp_path / "one.mar")
    addresses = {
        key: value for key, value in properties(ServeConfig(tmp_path, tmp_path)).items() if "addr" in key
    }
    assert len(addresses) == 5
    assert all("127.0.0.1" in value for value in addresses.values())


def test_workers_share_the_cores(tmp_path: Path) -> None:
    """Threads a worker are the cores by the workers, never none, unless the environment says otherwise."""
    config = ServeConfig(tmp_path, tmp_path, workers=1000)
    assert environment(config, {})["OMP_NUM_THREADS"] == "1"
    assert environment(config, {"OMP_NUM_THREADS": "5"})["OMP_NUM_THREADS"] == "5"


def test_java_is_looked_for_in_order(tmp_path: Path) -> None:
    """JAVA_HOME comes before PATH."""
    java = tmp_path / "java"
    java.touch(mode=0o755)
    assert find_java({"PATH": str(tmp_path)}) == java
    assert find_java({"PATH": str(tmp_path), "JAVA_HOME": "/jdk"}) == Path("/jdk/bin/java")


def test_an_unusable_store_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A store without archives, or with something else called one, is refused on one line."""
    assert main(["--store", str(tmp_path), "--run-dir", str(tmp_path / "run")]) == 3
    assert "want at least one .mar archive" in capsys.readouterr().err
    (tmp_path / "text.mar").write_text("no archive")
    assert main(["--store", str(tmp_path), "--run-dir", str(tmp_path / "run")]) == 3
    assert "want a TorchServe archive" in capsys.readouterr().err


def png(image: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1])


@pytest.mark.slow
@pytest.mark.needs_torch
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # model_archiver's open file
def test_torchserve_answers_and_stops(tmp_path: Path) -> None:
    """Both models answer as the predictor does, a bad image fails alone among others, and SIGTERM ends it."""
    pytest.importorskip("torch")
    pytest.importorskip("ts")
    from torchserve_model.archive import archive

    store = tmp_path / "store"
    archive(store)
    image = draw_crop(np.random.default_rng([5, 5, 0]), 320).image
    predictor = Predictor.load(WEIGHTS_DIR)
    with torchserve(store, tmp_path / "home") as server:
        described = requests.get(f"{server.management_url}/models/{MODELS[1]}", timeout=5).json()[0]
        assert described["modelVersion"] == models_version()
        workers = [
            int(worker["pid"])
            for name in MODELS
            for worker in requests.get(f"{server.management_url}/models/{name}", timeout=5).json()[0][
                "workers"
            ]
        ]

        def post(name: str, content: bytes) -> requests.Response:
            url, headers = f"{server.url}/predictions/{name}", {"X-Request-ID": "find-me"}
            return requests.post(url, files={"data": content}, headers=headers, timeout=30)

        found = post(MODELS[0], png(image)).json()
        expected = predictor.detect([image])[0]
        assert [box["score"] for box in found] == pytest.approx([score for _, score in expected], abs=1e-3)
        contents = [b"no image" if index == 2 else png(image) for index in range(6)]
        with ThreadPoolExecutor(len(contents)) as pool:
            answers = list(pool.map(lambda content: post(MODELS[1], content), contents))
        assert [answer.status_code for answer in answers] == [200, 200, 400, 200, 200, 200]
        keypoints, _ = predictor.estimate_pose([image])[0]
        np.testing.assert_allclose(answers[0].json()[0]["keypoints"], keypoints, atol=0.1)
        assert "expected" in answers[2].json()["message"]
        metrics = re.search(r"metrics_address=(\S+)", (tmp_path / "home" / "config.properties").read_text())
        assert metrics is not None
        counted = requests.get(f"{metrics[1]}/metrics", timeout=5).text
        assert f'ts_inference_requests_total{{model_name="{MODELS[1]}"' in counted
    deadline = time.monotonic() + 20
    while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in workers)
    log = (tmp_path / "home" / "torchserve.log").read_text().splitlines()
    lines = [json.loads(line) for line in log if line.startswith("{")]
    assert sum(line.get("request_id") == "find-me" for line in lines) == 1 + len(contents)
    assert {"timestamp", "level", "logger", "event"}.issubset(set.intersection(*map(set, lines)))


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
