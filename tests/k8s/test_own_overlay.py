"""What docs/operations.md has an operator do with the overlays: copy one, make it theirs, change versions."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from animation_server.app import create_app
from animation_server.settings import Settings
from tests.k8s.test_manifests import CUSTOM_KINDS, NEWEST
from tests.parts.manifests import (
    K8S,
    OVERLAYS,
    Manifest,
    containers,
    named,
    needs_kubectl,
    of_kind,
    overlay,
    render,
    workloads,
)
from tests.places import ROOT

pytestmark = needs_kubectl

BY_THEMSELVES = [name for name in OVERLAYS if name != "canary"]
"""Overlays that lie over no other."""

HANDBOOK = "\n".join((ROOT / "docs" / f"{name}.md").read_text() for name in ("operations", "monitoring"))
PATCHES = [
    textwrap.dedent(block)
    for block in re.findall(r"^ *```yaml\n(.*?)^ *```", HANDBOOK, re.S | re.M)
    if block.lstrip().startswith("patches:")
]


@pytest.fixture(name="k8s")
def _k8s(tmp_path: Path) -> Path:
    """A copy of the manifests."""
    return shutil.copytree(K8S, tmp_path / "k8s")


def entrances(manifests: list[Manifest]) -> list[list[tuple[str, str]]]:
    """Of each entrance: how it reads its paths (Exact or Prefix), and the paths."""
    found = [
        [(path["pathType"], path["path"]) for path in ingress["spec"]["rules"][0]["http"]["paths"]]
        for ingress in of_kind(manifests, "Ingress")
    ]
    for route in of_kind(manifests, "HTTPRoute"):
        paths = [match["path"] for match in route["spec"]["rules"][0]["matches"]]
        found.append([(path["type"].removeprefix("Path"), path["value"]) for path in paths])
    return found


def leads_to(entrance: list[tuple[str, str]], path: str) -> bool:
    """Tell whether an entrance passes a path on."""
    return any(
        path == wanted or (kind == "Prefix" and path.startswith(wanted.rstrip("/") + "/"))
        for kind, wanted in entrance
    )


@pytest.mark.parametrize("name", ["cpu-cluster", "gpu-cluster", "airgap"])
def test_what_is_the_operators_is_in_the_overlay(name: str, k8s: Path) -> None:
    """Hosts, registry, Gateway and role changed in a copied overlay: none of the examples is left."""
    ours = shutil.copytree(k8s / "overlays" / name, k8s / "overlays" / "ours")
    for path in ours.iterdir():
        text = path.read_text().replace("example", "drawings").replace("000000000000", "123456789012")
        path.write_text(text.replace("{name: gateway, namespace: gateway}", "{name: edge, namespace: web}"))
    manifests = render(ours)
    rendered = json.dumps(manifests)
    assert "drawings." in rendered
    assert "example" not in rendered
    assert "000000000000" not in rendered
    for route in of_kind(manifests, "HTTPRoute"):
        assert route["spec"]["parentRefs"] == [{"name": "edge", "namespace": "web"}]


def test_a_canary_lies_over_the_operators_own(k8s: Path) -> None:
    """Pointed at a copied overlay it has that one's hosts, and the image to try."""
    ours = shutil.copytree(k8s / "overlays" / "cpu-cluster", k8s / "overlays" / "ours")
    canary = k8s / "overlays" / "canary"
    for path in (ours / "kustomization.yaml", canary / "kustomization.yaml"):
        path.write_text(path.read_text().replace("example", "drawings").replace("../cpu-cluster", "../ours"))
    assert "example" not in json.dumps(render(canary))


@pytest.mark.parametrize("name", BY_THEMSELVES)
def test_a_new_tag_in_the_overlay_is_the_version(name: str, k8s: Path) -> None:
    """Every container gets it, whatever the components name."""
    path = k8s / "overlays" / name / "kustomization.yaml"
    kustomization = yaml.safe_load(path.read_text())
    for image in kustomization["images"]:
        image["newTag"] = "9.9.9"
    path.write_text(yaml.safe_dump(kustomization))
    images = {container["image"] for _, container in containers(render(path.parent))}
    assert images
    assert {image.rpartition(":")[2] for image in images} == {"9.9.9"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_proxy_never_sends_into_a_closed_connection(name: str) -> None:
    """Behind an entrance idle connections are kept for longer than the 60 s that proxies keep theirs."""
    manifests = overlay(name)
    (settings,) = (m["data"] for m in of_kind(manifests, "ConfigMap") if "ANIMATION_HOST" in m["data"])
    if entrances(manifests):
        assert Settings.from_environ(settings).keep_alive_s > 60


@pytest.mark.parametrize("name", OVERLAYS)
def test_entrances_lead_to_all_that_clients_ask_for_and_not_to_the_numbers(name: str, tmp_path: Path) -> None:
    """Every route of the app but /metrics is reached from outside."""
    rules = create_app(Settings(local_dir=tmp_path)).url_map.iter_rules()
    public = {re.sub(r"<[^>]*>", "x", rule.rule) for rule in rules} - {"/metrics"}
    for entrance in entrances(overlay(name)):
        assert [path for path in public if not leads_to(entrance, path)] == []
        assert not leads_to(entrance, "/metrics")
        assert not leads_to(entrance, "/metrics/torchserve")


@pytest.mark.parametrize("patches", PATCHES)
def test_patches_of_the_handbook_fit(patches: str, k8s: Path) -> None:
    """Pasted into a copied overlay, each changes what it renders into something valid."""
    path = k8s / "overlays" / "gpu-cluster" / "kustomization.yaml"
    kustomization = yaml.safe_load(path.read_text())
    kustomization["patches"] += yaml.safe_load(patches)["patches"]
    path.write_text(yaml.safe_dump(kustomization))
    manifests = render(path.parent)
    assert manifests != overlay("gpu-cluster")
    for manifest in manifests:
        if (manifest["apiVersion"], manifest["kind"]) not in CUSTOM_KINDS:
            kubernetes_validate.validate(manifest, NEWEST[-1], strict=True)


def test_the_recipe_without_a_way_out_is_whole() -> None:
    """Every secret that its pods read is made in that section, for a pod that lacks one does not start."""
    section = HANDBOOK.split("\n## Without a way out", 1)[1].split("\n## ", 1)[0]
    made = set(re.findall(r"create secret (?:generic|docker-registry) (\S+)", section))
    assert made == set().union(*(workload.secrets for workload in workloads(overlay("airgap"))))


def test_a_canary_begins_without_pods() -> None:
    """Applying it sends nothing to the new version: its share is what canary.sh gives it."""
    assert named(overlay("canary"), "Deployment", "animation-server-canary")["spec"]["replicas"] == 0
