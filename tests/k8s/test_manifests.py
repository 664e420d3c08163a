"""Every supported combination of manifests renders, and is what the API servers of today take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate.utils import all_versions

from tests.parts.manifests import (
    COMBINATIONS,
    K8S,
    OVERLAYS,
    Manifest,
    named,
    needs_kubectl,
    overlay,
    render_components,
)

NEWEST = list(dict.fromkeys(all_versions()))[-3:]
"""The three newest versions of Kubernetes that kubernetes-validate knows."""

CUSTOM_KINDS = {
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("keda.sh/v1alpha1", "ScaledObject"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
    ("monitoring.coreos.com/v1", "PrometheusRule"),
    ("monitoring.coreos.com/v1", "ServiceMonitor"),
}
"""Kinds that Kubernetes itself does not have, and so no schema here: those of the operators that
docs/operations.md asks for.
"""

BUILDING_BLOCKS = {"canary", "canary/copy"}
"""Components that stand on a whole overlay, not on the base; overlays/canary renders them."""

NEEDED_BEFORE = {
    "autoscaling/keda": ("workers",),
    "autoscaling/requests": ("autoscaling",),
    "pull-secret": ("workers",),
}
"""What a component is of no use without. The last two alone must also come after it."""

COMPONENTS = sorted(
    str(path.parent.relative_to(K8S / "components"))
    for path in (K8S / "components").rglob("kustomization.yaml")
)


def validate(manifests: list[Manifest], version: str) -> None:
    for manifest in manifests:
        if (manifest["apiVersion"], manifest["kind"]) not in CUSTOM_KINDS:
            kubernetes_validate.validate(manifest, version, strict=True)


def regardless_of_order(value: Any) -> Any:
    """The same with every list sorted: Kubernetes tells volumes and variables apart by their names."""
    if isinstance(value, dict):
        return {key: regardless_of_order(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return sorted((regardless_of_order(entry) for entry in value), key=json.dumps)
    return value


def metrics(manifests: list[Manifest]) -> list[str]:
    """What the autoscaler of the server goes by."""
    return [
        m["type"] for m in named(manifests, "HorizontalPodAutoscaler", "animation-server")["spec"]["metrics"]
    ]


@needs_kubectl
@pytest.mark.parametrize("name", OVERLAYS)
def test_overlays_are_valid_for_the_newest_versions_of_kubernetes(name: str) -> None:
    """Rendered, with no field that the API server does not know."""
    for version in NEWEST:
        validate(overlay(name), version)


@needs_kubectl
@pytest.mark.parametrize("name", sorted(set(COMPONENTS) - BUILDING_BLOCKS))
def test_every_component_stands_on_the_base(name: str) -> None:
    """Each can be taken by itself, with no other than those its first lines name."""
    before = NEEDED_BEFORE.get(name, ())
    rendered = render_components(*before, name)
    assert rendered != render_components(*before), "it changes nothing"
    validate(rendered, NEWEST[-1])


@needs_kubectl
@pytest.mark.parametrize("name", COMBINATIONS)
def test_the_order_of_components_does_not_matter(name: str) -> None:
    """Listed the other way round they make the same; k8s/README.md names the two that have their place."""
    components = list(COMBINATIONS[name])
    placed = [each for each in ("autoscaling/requests", "pull-secret") if each in components]
    backwards = [each for each in reversed(components) if each not in placed] + placed
    assert regardless_of_order(render_components(*backwards)) == regardless_of_order(overlay(name))


@needs_kubectl
@pytest.mark.parametrize("components", [("gpu", "model-swap"), ("model-swap", "gpu")])
def test_arguments_of_two_components_add_up(components: tuple[str, str]) -> None:
    """A GPU's larger batches, and the interface that models are swapped by."""
    server = named(render_components(*components), "Deployment", "animation-server")
    arguments = server["spec"]["template"]["spec"]["containers"][1]["args"]
    assert arguments == ["--batch-size", "8", "--max-batch-delay-ms", "5", "--model-api"]


@needs_kubectl
def test_the_autoscaler_asks_for_nothing_that_its_component_does_not_name() -> None:
    """CPU alone, for with a metric that is missing pods only ever multiply; requests by a component more."""
    assert metrics(render_components("autoscaling")) == ["ContainerResource"]
    assert metrics(render_components("autoscaling", "autoscaling/requests")) == ["ContainerResource", "Pods"]


@needs_kubectl
@pytest.mark.parametrize("name", [name for name in OVERLAYS if "cluster" in name])
def test_requests_scale_only_where_they_are_counted(name: str) -> None:
    """An overlay's autoscaler goes by requests in flight where the overlay brings the monitoring of them."""
    monitored = any(manifest["kind"] == "PodMonitor" for manifest in overlay(name))
    assert metrics(overlay(name)) == ["ContainerResource", *(["Pods"] if monitored else [])]


def test_a_schema_refuses_what_it_does_not_know() -> None:
    """The validation that the tests above lean on is strict."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"prots": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(service, NEWEST[-1], strict=True)


@pytest.mark.parametrize("path", sorted(K8S.rglob("*.y*ml")), ids=lambda path: str(path.relative_to(K8S)))
def test_no_file_lies_about_unused(path: Path) -> None:
    """Every file is YAML, and the kustomization in its folder names it."""
    assert list(yaml.safe_load_all(path.read_text()))
    if path.name == "kustomization.yaml":
        return
    assert path.name in (path.parent / "kustomization.yaml").read_text()
