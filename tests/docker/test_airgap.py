"""The archive for clusters without a way out, installed without a network: `make airgap`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from tests.places import SAMPLE

ARCHIVE = os.environ.get("AIRGAP_ARCHIVE", "")
ENGINE = os.environ.get("ENGINE", "podman")

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

    def test_every_image_of_the_manifests_is_in_it(self, folder: Path) -> None:
        """What the cluster would ask the registry for can be pushed there from the archive."""
        held = {line.removeprefix("localhost/") for line in (folder / "images.txt").read_text().split()}
        named = {
            container["image"].partition("/")[2]
            for manifest in yaml.safe_load_all((folder / "manifests.yaml").read_text())
            for pod in [manifest.get("spec", {}).get("template", {}).get("spec", {})]
            for container in [*pod.get("containers", []), *pod.get("initContainers", [])]
        }
        assert named
        assert named <= held

    def test_a_damaged_archive_is_refused(
        self, folder: Path, offline: dict[str, str], tmp_path: Path
    ) -> None:
        """One byte of the manifests changed: nothing is loaded, and it says so."""
        copy = tmp_path / "copy"
        shutil.copytree(folder, copy, copy_function=os.link)
        manifests = (copy / "manifests.yaml").read_bytes()
        (copy / "manifests.yaml").unlink()
        (copy / "manifests.yaml").write_bytes(manifests[:-2] + b"?\n")
        done = without_network([str(copy / "load.sh")], offline)
        assert done.returncode == 3
        assert "manifests.yaml" in done.stdout + done.stderr
