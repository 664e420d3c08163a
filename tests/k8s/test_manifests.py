"""Every supported combination of manifests renders, and is what the API servers of today take."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate.utils import all_versions

from tests.parts.manifests import K8S, OVERLAYS, Manifest, needs_kubectl, overlay, render_components

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

NEEDED_BEFORE = {"autoscaling/keda": ("workers",)}

COMPONENTS = sorted(
    str(path.parent.relative_to(K8S / "components"))
    for path in (K8S / "components").rglob("kustomization.yaml")
)


def validate(manifests: list[Manifest], version: str) -> None:
    for manifest in manifests:
        if (manifest["apiVersion"], manifest["kind"]) not in CUSTOM_KINDS:
            kubernetes_validate.validate(manifest, version, strict=True)


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
