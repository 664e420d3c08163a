"""The pod of the manifests, played by podman: real containers, no cluster.

What podman 4.3 cannot read of the manifests is put here into words that it can; the manifests themselves know
nothing of it.
"""

from __future__ import annotations

import base64
import copy
import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.parts.manifests import Manifest, Workload, named, quantity

ENGINE = os.environ.get("ENGINE", "podman")
FLAGS = shlex.split(os.environ.get("PODMAN_FLAGS", ""))
POD = "animation-test"
NETWORK = "animation-test"

_HTTP_PROBES = {"/healthz": "live", "/readyz": "ready"}


class PodmanFailed(Exception):  # noqa: N818 - reads as a sentence where it is raised
    """Podman did not do what it was told; the message carries its words."""


def podman(*arguments: str, stdin: str | None = None, timeout_s: float = 120) -> str:
    """Run podman and return what it prints; raises PodmanFailed."""
    done = try_podman(*arguments, stdin=stdin, timeout_s=timeout_s)
    if done.returncode != 0:
        raise PodmanFailed(f"podman {' '.join(arguments)}: {done.returncode}: {done.stderr}")
    return done.stdout.strip()


def try_podman(
    *arguments: str, stdin: str | None = None, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run podman, whatever comes of it."""
    command = [ENGINE, *FLAGS, *arguments]
    return subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        # where a container meets its memory limit, its monitor leaves a file called `oom` in this folder
        cwd=tempfile.gettempdir(),
    )


@dataclass(frozen=True)
class Container:
    """One container of the pod."""

    name: str

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it."""
        return try_podman("exec", self.name, *command)

    def state(self) -> dict[str, Any]:
        """Podman's view of it: Status, Pid, OOMKilled, StartedAt and so on."""
        (described,) = json.loads(podman("inspect", self.name))
        state: dict[str, Any] = described["State"]
        return state

    def log(self) -> str:
        """What it has written so far."""
        done = try_podman("logs", "--tail", "60", self.name)
        return done.stdout + done.stderr


@dataclass(frozen=True)
class PlayedPod:
    """A running pod. address : its own, on a network that this machine is a part of."""

    address: str
    server: Container
    torchserve: Container

    @property
    def url(self) -> str:
        """The server, from outside the pod."""
        return f"http://{self.address}:8000"


def pod_for_podman(manifests: list[Manifest], workload: Workload) -> list[Manifest]:
    """Turn a workload into the documents of one pod that podman 4.3 can play.

    Probes over HTTP become commands, for podman runs curl in the container for them; amounts of resources as
    environment are filled in; secrets that may be absent are left out; ConfigMaps come along.
    """
    pod = copy.deepcopy(workload.pod)
    config_maps = []
    for container in pod["containers"]:
        # Podman would take the same ports of this machine. The pod's own address is outside enough.
        container.pop("ports", None)
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            request = container.get(probe, {}).pop("httpGet", None)
            if request is not None:
                question = _HTTP_PROBES[request["path"]]
                container[probe]["exec"] = {
                    "command": ["python", "-m", "animation_server.wsgi.probe", question]
                }
        for variable in container.get("env", []):
            reference = variable.pop("valueFrom", {}).get("resourceFieldRef")
            if reference is not None:
                scope, resource = reference["resource"].split(".")
                variable["value"] = f"{quantity(container['resources'][scope][resource]):g}"
        container["envFrom"] = [
            source
            for source in container.get("envFrom", [])
            if not source.get("secretRef", {}).get("optional")
        ]
        config_maps += [
            named(manifests, "ConfigMap", source["configMapRef"]["name"])
            for source in container["envFrom"]
            if "configMapRef" in source
        ]
    metadata = {"name": POD, "labels": workload.labels}
    return [*config_maps, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}]


@contextmanager
def network() -> Iterator[str]:
    """Make a network for pods for the length of the block; yields this machine's address on it."""
    podman("network", "rm", "--force", NETWORK)
    podman("network", "create", NETWORK)
    try:
        (described,) = json.loads(podman("network", "inspect", NETWORK))
        yield described["subnets"][0]["gateway"]
    finally:
        podman("network", "rm", "--force", NETWORK)


@contextmanager
def secret(name: str, values: Mapping[str, str]) -> Iterator[None]:
    """Keep a secret for the length of the block, in the form in which podman reads it as environment."""
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    try_podman("secret", "rm", name)
    podman("secret", "create", name, "-", stdin=json.dumps(encoded))
    try:
        yield
    finally:
        try_podman("secret", "rm", name)


@contextmanager
def playing(documents: list[Manifest], home: Path) -> Iterator[PlayedPod]:
    """Play a pod of two containers, server and torchserve, for the length of the block."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / "pod.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    try_podman("pod", "rm", "--force", POD)
    podman("kube", "play", "--network", NETWORK, str(path), timeout_s=300)
    try:
        server, torchserve = Container(f"{POD}-server"), Container(f"{POD}-torchserve")
        (pod,) = json.loads(f"[{podman('pod', 'inspect', POD)}]")
        (infra,) = json.loads(podman("inspect", pod["InfraContainerID"]))
        address = infra["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]
        yield PlayedPod(address, server, torchserve)
    finally:
        try_podman("pod", "rm", "--force", "--time", "5", POD)
        try_podman("kube", "down", str(path))
