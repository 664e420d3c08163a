"""A swap that ends half-way, and one after it, without TorchServe."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from torchserve_model import swap
from torchserve_model.defaults import read_defaults
from torchserve_model.management import Model, TorchServeError
from torchserve_model.serve import MANIFEST

OLD, NEW = "7", "8"


def write_archive(path: Path, name: str, version: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MANIFEST, json.dumps({"model": {"modelName": name, "modelVersion": version}}))
    return path


@dataclass
class Registry:
    """What TorchServe's management address does of a swap, for one model.

    removable : whether versions can be scaled down.
    """

    models: dict[str, Model]
    default: str = OLD
    removable: bool = True
    removed: list[str] = field(default_factory=list)

    def call(self, port: int, method: str, path: str, timeout_s: float, **query: Any) -> bytes:
        if method == "POST":
            registered = replace(self.models[self.default], version=NEW, archive=query["url"], workers=())
            self.models[NEW] = registered
        elif path.endswith("/set-default"):
            self.default = path.split("/")[-2]
        elif method == "PUT":
            version, workers = path.split("/")[-1], int(query["max_worker"])
            if not workers and not self.removable:
                raise TorchServeError("no answer: timed out")
            self.models[version] = replace(self.models[version], workers=("READY",) * workers)
        elif method == "DELETE":
            self.removed.append(path.split("/")[-1])
            del self.models[self.removed[-1]]
        return b""

    def describe(self, port: int, name: str, timeout_s: float, version: str = "") -> Model:
        return self.models[version or self.default]

    def describe_all(self, port: int, name: str, timeout_s: float) -> list[Model]:
        return list(self.models.values())


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Path:
    store = tmp_path / "store"
    store.mkdir()
    write_archive(store / "pose.mar", "pose", OLD)
    return store


@pytest.fixture(name="registry")
def _registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    registry = Registry({OLD: Model("pose", OLD, "pose.mar", ("READY",), 1, 4, 3, 30, 0)})
    for name in ("call", "describe", "describe_all"):
        monkeypatch.setattr(swap, name, getattr(registry, name))
    return registry


@pytest.fixture(name="command")
def _command(store: Path, tmp_path: Path) -> list[str]:
    archive = write_archive(tmp_path / "new.mar", "pose", NEW)
    return [str(archive), "--store", str(store), "--drain-s", "0"]


def test_a_swap_that_could_not_remove_the_old_version_is_finished_by_the_next(
    registry: Registry, store: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The failure says where requests go; the same command again removes what was left, and then nothing."""
    registry.removable = False
    assert swap.main(command) == 1
    assert "requests go to the new versions" in capsys.readouterr().err
    assert (registry.default, set(registry.models)) == (NEW, {OLD, NEW})
    registry.removable = True
    assert swap.main(command) == 0
    assert (registry.default, set(registry.models)) == (NEW, {NEW})
    assert [path.name for path in store.glob("*.mar")] == [f"pose-{NEW}.mar"]
    capsys.readouterr()
    assert swap.main(command) == 0
    assert "already" in capsys.readouterr().out
    assert registry.removed == [OLD]


def test_a_version_of_a_former_attempt_goes_as_well(
    registry: Registry, store: Path, command: list[str]
) -> None:
    """Whatever else is registered is removed with the old version, its file too."""
    left = write_archive(store / "pose-tried.mar", "pose", "tried")
    registry.models["tried"] = replace(registry.models[OLD], version="tried", archive=left.name)
    assert swap.main(command) == 0
    assert set(registry.models) == {NEW}
    assert not left.exists()


def test_a_swap_records_what_requests_go_to(registry: Registry, store: Path, command: list[str]) -> None:
    """The new version is recorded once requests go to it, before the old one is let go."""
    registry.removable = False
    assert swap.main(command) == 1
    assert read_defaults(store) == {"pose": NEW}


def test_a_failed_start_records_nothing(
    registry: Registry, store: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests go to the old version again, after a restart as well."""

    def fail(*arguments: object) -> None:
        raise TorchServeError("workers not READY")

    monkeypatch.setattr(swap, "_wait", fail)
    assert swap.main(command) == 1
    assert registry.default == OLD
    assert read_defaults(store) == {}


def test_requests_that_nobody_answers_do_not_hold_a_swap_for_ever(
    registry: Registry, command: list[str]
) -> None:
    """A version whose workers are gone keeps its queue: it is removed when its time is over."""
    registry.models[OLD] = replace(registry.models[OLD], pending=3)
    assert swap.main([*command, "--queue-s", "0"]) == 0
    assert set(registry.models) == {NEW}
