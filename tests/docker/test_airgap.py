"""The archive for clusters without a way out, installed without a network: `make airgap`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.parts.manifests import containers, needs_kubectl, render
from tests.places import ROOT, SAMPLE

ARCHIVE = os.environ.get("AIRGAP_ARCHIVE", "")
ENGINE = os.environ.get("ENGINE", "podman")

REGISTRY = "registry.far.test:5000"
IMAGES = [
    "localhost/animation-server:1.2.3",
    "localhost/torchserve-model:1.2.3-cpu",
    "localhost/animation-redis:1.2.3",
]
ENGINE_THAT_LISTENS = """#!/bin/sh
echo "$@" >>"$(dirname "$0")/calls"
[ "$1" != load ] || cat >/dev/null
"""

needs_archive = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not ARCHIVE, reason="needs the archive: make airgap"),
    pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare, of util-linux"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace"),
]


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive, unpacked."""
    target = tmp_path_factory.mktemp("airgap")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(target, filter="data")
    (folder,) = target.iterdir()
    return folder


@pytest.fixture(scope="module", name="offline")
def _offline(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment whose engine begins with no image at all."""
    store = tmp_path_factory.mktemp("store")
    return {**os.environ, "PODMAN_FLAGS": f"--root {store}/images --runroot {store}/run"}


def run(command: list[str], engine: Path) -> str:
    """Run one of the scripts with an engine, and return what it prints."""
    environ = {"PATH": os.environ["PATH"], "ENGINE": str(engine)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def calls(engine: Path) -> list[str]:
    """What the engine was told, a line a call."""
    return (engine.parent / "calls").read_text().splitlines()


def images(overlay: Path) -> set[str]:
    """The images that an overlay's containers have."""
    return {container["image"] for _, container in containers(render(overlay))}


def without_network(command: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command that reaches nothing, not even this machine."""
    return subprocess.run(
        ["unshare", "--net", *command], env=environ, capture_output=True, text=True, check=False, timeout=800
    )


class TestInstalled:
    """What an operator does on the far side, in order."""

    pytestmark = needs_archive

    def test_it_loads_and_animates_a_drawing(
        self, folder: Path, offline: dict[str, str], tmp_path: Path
    ) -> None:
        """Without any network: images come in, and the server's makes a GIF of a drawing."""
        done = without_network([str(folder / "load.sh")], offline)
        assert done.returncode == 0, done.stdout + done.stderr
        image = next(line for line in (folder / "images.txt").read_text().split() if "server" in line)
        shutil.copy(SAMPLE, tmp_path / "drawing.jpg")
        tmp_path.chmod(0o777)
        tmp_path.parent.chmod(0o755)
        run = [
            ENGINE,
            *offline["PODMAN_FLAGS"].split(),
            "run",
            "--rm",
            "--network=none",
            "--read-only",
            "--tmpfs=/tmp",
        ]
        animate = ["animate", "/drawings/drawing.jpg", "--motion", "dab", "-o", "/drawings/out"]
        done = without_network([*run, f"--volume={tmp_path}:/drawings", image, *animate], offline)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "out" / "dab.gif").read_bytes()[:6] == b"GIF89a"

    @needs_kubectl
    def test_every_image_of_the_manifests_is_in_it(self, folder: Path) -> None:
        """What the cluster would ask the registry for can be pushed there from the archive."""
        held = {line.removeprefix("localhost/") for line in (folder / "images.txt").read_text().split()}
        named = {image.partition("/")[2] for image in images(folder / "k8s" / "overlays" / "airgap")}
        assert named
        assert named <= held

    def test_a_damaged_archive_is_refused(
        self, folder: Path, offline: dict[str, str], tmp_path: Path
    ) -> None:
        """One byte of the manifests changed: nothing is loaded, and it says so."""
        copy = tmp_path / "copy"
        shutil.copytree(folder, copy, copy_function=os.link)
        policy = copy / "k8s" / "overlays" / "airgap" / "network-policy.yaml"
        content = policy.read_bytes()
        policy.unlink()
        policy.write_bytes(content[:-2] + b"?\n")
        done = without_network([str(copy / "load.sh")], offline)
        assert done.returncode == 3
        assert "network-policy.yaml" in done.stdout + done.stderr


class TestPacked:
    """The archive and its script with an engine that only writes down what it is told."""

    @pytest.fixture(name="engine")
    def _engine(self, tmp_path: Path) -> Path:
        program = tmp_path / "engine"
        program.write_text(ENGINE_THAT_LISTENS)
        program.chmod(0o755)
        return program

    @pytest.fixture(name="unpacked")
    def _unpacked(self, engine: Path, tmp_path: Path) -> Path:
        archive = tmp_path / "out" / "airgap.tar"
        run([str(ROOT / "docker" / "airgap.sh"), str(archive), "1.2.3", *IMAGES], engine)
        with tarfile.open(archive) as packed:
            packed.extractall(tmp_path / "far", filter="data")
        return tmp_path / "far" / "animation-1.2.3-airgap"

    def test_what_load_names_is_in_it(self, unpacked: Path, engine: Path) -> None:
        """Every path that the script tells the operator of exists: what to edit, to read and to apply."""
        told = run([str(unpacked / "load.sh"), REGISTRY], engine)
        paths = {Path(word.rstrip(",")) for word in told.split() if word.startswith(str(unpacked))}
        assert unpacked / "k8s" / "overlays" / "ours" / "network-policy.yaml" in paths
        assert all(path.exists() for path in paths)

    @needs_kubectl
    def test_the_overlay_asks_for_what_was_pushed(self, unpacked: Path, engine: Path) -> None:
        """The registry that is named gets the images, and the overlay that is made has them from there."""
        run([str(unpacked / "load.sh"), REGISTRY], engine)
        pushed = [line.split()[1] for line in calls(engine) if line.startswith("push ")]
        assert pushed == [f"{REGISTRY}/{image.removeprefix('localhost/')}" for image in IMAGES]
        asked = {image.rpartition(":")[0] for image in images(unpacked / "k8s" / "overlays" / "ours")}
        assert asked == {image.rpartition(":")[0] for image in pushed}

    def test_what_the_operator_has_edited_stays(self, unpacked: Path, engine: Path) -> None:
        """The script run again neither refuses nor replaces an edited overlay."""
        run([str(unpacked / "load.sh"), REGISTRY], engine)
        edited = unpacked / "k8s" / "overlays" / "ours" / "kustomization.yaml"
        edited.write_text("edited")
        run([str(unpacked / "load.sh"), REGISTRY], engine)
        assert edited.read_text() == "edited"
