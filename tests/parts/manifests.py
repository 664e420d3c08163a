"""The Kubernetes manifests as kubectl renders them, and ways about them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from tests.places import ROOT

K8S = ROOT / "k8s"
OVERLAYS = sorted(path.parent.name for path in (K8S / "overlays").glob("*/kustomization.yaml"))

COMBINATIONS = {
    "job, everything on the CPU": (
        "cpu", "ingress/gateway-api", "autoscaling", "autoscaling/requests", "workers", "autoscaling/keda",
        "api-keys", "model-swap", "batch", "monitoring", "s3-credentials", "pull-secret",
    ),
    "gpu, fetched and swapped models": ("model-fetch", "gpu", "ingress", "model-swap", "s3-credentials"),
    "annotations for Prometheus": ("cpu", "nodeport", "workers", "monitoring/annotations"),
    "a load balancer that sends to pods": (
        "gpu", "ingress", "open-entrance", "s3-credentials/workload-identity",
    ),
}  # fmt: skip
"""Components on the base as no overlay has them together."""

Manifest = dict[str, Any]

needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None,
    reason="needs kubectl 1.27 or newer on PATH: neither Debian 12 nor PyPI has one that knows components",
)


@dataclass(frozen=True)
class Workload:
    """What starts pods: a Deployment, StatefulSet or Job, with its pods' template."""

    manifest: Manifest

    @property
    def name(self) -> str:
        """Kind and name."""
        return f"{self.manifest['kind']}/{self.manifest['metadata']['name']}"

    @property
    def template(self) -> Manifest:
        """Metadata and spec of its pods."""
        template: Manifest = self.manifest["spec"]["template"]
        return template

    @property
    def labels(self) -> dict[str, str]:
        """Labels of its pods."""
        labels: dict[str, str] = self.template["metadata"]["labels"]
        return labels

    @property
    def pod(self) -> Manifest:
        """The spec of its pods."""
        pod: Manifest = self.template["spec"]
        return pod

    @property
    def containers(self) -> list[Manifest]:
        """All containers of its pods, those that run before the others included."""
        return [*self.pod.get("initContainers", []), *self.pod["containers"]]

    @property
    def secrets(self) -> set[str]:
        """Names of all secrets that its pods would read, those that may be absent included."""
        found = {
            volume["secret"]["secretName"] for volume in self.pod.get("volumes", []) if "secret" in volume
        }
        found |= {secret["name"] for secret in self.pod.get("imagePullSecrets", [])}
        for container in self.containers:
            found |= {s["secretRef"]["name"] for s in container.get("envFrom", []) if "secretRef" in s}
            references = [variable.get("valueFrom", {}) for variable in container.get("env", [])]
            found |= {r["secretKeyRef"]["name"] for r in references if "secretKeyRef" in r}
        return found


def render(folder: Path) -> list[Manifest]:
    """Render a kustomization.

    Raises AssertionError with kubectl's words where it cannot be rendered.
    """
    # kubectl need not know of any cluster for this, and gets no home to look for one in.
    environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    done = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, env=environ, check=False
    )
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def render_components(*components: str) -> list[Manifest]:
    """Render the base with these components, in this order."""
    with TemporaryDirectory() as folder:
        here = Path(folder).resolve()
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": "animation",
            # kustomize takes relative paths alone
            "resources": [os.path.relpath(K8S / "base", here)],
            "components": [os.path.relpath(K8S / "components" / name, here) for name in components],
        }
        (here / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return render(here)


@cache
def overlay(name: str) -> list[Manifest]:
    """Render an overlay or a combination, once a run of the tests."""
    if name in COMBINATIONS:
        return render_components(*COMBINATIONS[name])
    return render(K8S / "overlays" / name)


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    """The manifests of these kinds."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """The one manifest of that kind and name."""
    (found,) = [m for m in of_kind(manifests, kind) if m["metadata"]["name"] == name]
    return found


def workloads(manifests: list[Manifest]) -> list[Workload]:
    """All that starts pods."""
    return [Workload(m) for m in of_kind(manifests, "Deployment", "StatefulSet", "DaemonSet", "Job")]


def containers(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Every container, with a name to tell it by."""
    for workload in workloads(manifests):
        for container in workload.containers:
            yield f"{workload.name}/{container['name']}", container


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector (its matchLabels, as all of ours are) fits the labels."""
    unknown = set(selector) - {"matchLabels"}
    assert not unknown, f"this reads matchLabels only, came {unknown}"
    return selector.get("matchLabels", {}).items() <= labels.items()


def quantity(text: str | int) -> float:
    """Read a Kubernetes quantity: cores, or bytes."""
    suffixes = {"m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
    for suffix, factor in suffixes.items():
        if str(text).endswith(suffix):
            return float(str(text).removesuffix(suffix)) * factor
    return float(text)
