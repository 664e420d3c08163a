"""What holds for every overlay: pods that take no more than they need, and references that lead somewhere."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from animation_server.app import create_app
from animation_server.settings import PREFIX, Settings
from tests.parts.manifests import (
    COMBINATIONS,
    OVERLAYS,
    Manifest,
    Workload,
    containers,
    named,
    needs_kubectl,
    of_kind,
    overlay,
    quantity,
    selects,
    workloads,
)
from tests.places import ROOT
from torchserve_model.serve import ServeConfig

pytestmark = [needs_kubectl, pytest.mark.parametrize("name", [*OVERLAYS, *COMBINATIONS])]

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
OURS = {"animation-server": "", "animation-redis": "", "torchserve-model": "-"}
"""Our images, and what follows the version in their tags."""

TORCHSERVE_PORTS = {7070, 7071, 8080, 8081, 8082}
SHELL = {"sh", "sleep"}
"""Programs of the images' Debian that hooks and probes may use."""


def long_running(manifests: list[Manifest]) -> list[Workload]:
    return [workload for workload in workloads(manifests) if workload.manifest["kind"] != "Job"]


def settings_of(manifests: list[Manifest], container: Manifest) -> dict[str, str]:
    """The ANIMATION_ variables that a container gets, as far as manifests can tell."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            found |= named(manifests, "ConfigMap", source["configMapRef"]["name"])["data"]
    for variable in container.get("env", []):
        reference = variable.get("valueFrom", {}).get("resourceFieldRef")
        if reference is not None:
            scope, resource = reference["resource"].split(".")
            found[variable["name"]] = f"{quantity(container['resources'][scope][resource]):g}"
        elif "value" in variable:
            found[variable["name"]] = variable["value"]
    return {variable: value for variable, value in found.items() if variable.startswith(PREFIX)}


def commands(container: Manifest) -> list[list[str]]:
    """Every command that probes and hooks run in a container."""
    hooks = [container.get(f"{probe}Probe", {}) for probe in ("startup", "liveness", "readiness")]
    hooks += container.get("lifecycle", {}).values()
    return [hook["exec"]["command"] for hook in hooks if "exec" in hook]


# -- what pods may --------------------------------------------------------------------------------------


def test_images_are_named_exactly(name: str) -> None:
    """A tag that says a version, and of our own images the version of this repository."""
    for where, container in containers(overlay(name)):
        repository, _, tag = container["image"].rpartition(":")
        assert repository, f"{where}: {container['image']} has no tag"
        assert "latest" not in tag, where
        assert any(digit.isdigit() for digit in tag), f"{where}: {tag} says no version"
        own = repository.rpartition("/")[2]
        if own in OURS:
            expected = VERSION + OURS[own]
            assert tag == expected or (OURS[own] and tag.startswith(expected)), f"{where}: {tag}"


def test_every_container_has_requests_and_limits(name: str) -> None:
    """CPU, memory and disk, and none asks for more than its limit."""
    for where, container in containers(overlay(name)):
        resources = container["resources"]
        for resource in ("cpu", "memory", "ephemeral-storage"):
            request, limit = resources["requests"][resource], resources["limits"][resource]
            assert 0 < quantity(request) <= quantity(limit), f"{where}: {resource}"


def test_no_container_has_a_privilege(name: str) -> None:
    """Not root, nothing written but into volumes, no capabilities, no way to gain any."""
    for workload in workloads(overlay(name)):
        assert not {"hostNetwork", "hostPID", "hostIPC"} & workload.pod.keys(), workload.name
        security = workload.pod["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] > 0
        assert security["runAsGroup"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in workload.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, f"{workload.name}/{container['name']}"
            assert not any("hostPort" in port for port in container.get("ports", []))


def test_no_pod_can_talk_to_the_kubernetes_api(name: str) -> None:
    """No token of the service account lies in a pod, and no role is given away."""
    assert all(workload.pod["automountServiceAccountToken"] is False for workload in workloads(overlay(name)))
    assert all(
        account["automountServiceAccountToken"] is False
        for account in of_kind(overlay(name), "ServiceAccount")
    )
    assert not of_kind(overlay(name), "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
    assert named(overlay(name), "Namespace", "animation")["metadata"]["labels"][
        "pod-security.kubernetes.io/enforce"
    ] == ("restricted")


def test_volumes_are_bounded_and_mounted(name: str) -> None:
    """Scratch space has a size that the disk limits cover; what is mounted exists, what exists is mounted."""
    for workload in workloads(overlay(name)):
        volumes = {volume["name"]: volume for volume in workload.pod.get("volumes", [])}
        claims = {
            claim["metadata"]["name"] for claim in workload.manifest["spec"].get("volumeClaimTemplates", [])
        }
        mounted = {
            mount["name"] for container in workload.containers for mount in container.get("volumeMounts", [])
        }
        assert mounted == volumes.keys() | claims, workload.name
        assert not any("hostPath" in volume for volume in volumes.values())
        scratch = [volume["emptyDir"]["sizeLimit"] for volume in volumes.values() if "emptyDir" in volume]
        limits = [container["resources"]["limits"]["ephemeral-storage"] for container in workload.containers]
        assert sum(map(quantity, scratch)) <= sum(map(quantity, limits)), workload.name


# -- what pods promise ----------------------------------------------------------------------------------


def test_probes_mean_something(name: str) -> None:
    """What runs for long is asked whether it lives; what gets requests also whether it can answer them."""
    services = of_kind(overlay(name), "Service")
    for workload in long_running(overlay(name)):
        served = any(selects({"matchLabels": s["spec"]["selector"]}, workload.labels) for s in services)
        for container in workload.pod["containers"]:
            where = f"{workload.name}/{container['name']}"
            wanted = {"startupProbe", "livenessProbe"} | ({"readinessProbe"} if served else set())
            assert wanted <= container.keys(), where
            startup = container["startupProbe"]
            assert startup["periodSeconds"] * startup["failureThreshold"] >= 60, (
                f"{where} is given up too soon"
            )
            # the models and the storage of others are no reason to restart
            assert "readyz" not in json.dumps(container["livenessProbe"]), where


def test_probes_and_hooks_ask_what_there_is(name: str, tmp_path: Path) -> None:
    """Paths are routes of the app, ports have names, modules exist, and no shell is relied on by chance."""
    app = create_app(Settings(local_dir=tmp_path))
    paths = {rule.rule for rule in app.url_map.iter_rules()}
    for where, container in containers(overlay(name)):
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            request = container.get(probe, {}).get("httpGet")
            if request is not None:
                assert request["path"] in paths, where
                assert request["port"] in {port["name"] for port in container["ports"]}, where
        for program, *arguments in commands(container):
            if program == "python":
                assert arguments[0] == "-m"
                assert find_spec(arguments[1]) is not None, f"{where}: {arguments[1]}"
            else:
                assert program in SHELL, where


def test_pods_have_time_to_end(name: str) -> None:
    """The grace period holds the pause before SIGTERM and the longest that accepted work may take."""
    for workload in long_running(overlay(name)):
        grace_s = workload.pod.get("terminationGracePeriodSeconds", 30)
        for container in workload.pod["containers"]:
            settings = settings_of(overlay(name), container)
            hook = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
            if container["name"] == "server":
                assert hook[0] == "sleep"
                assert grace_s >= int(hook[1]) + float(settings[f"{PREFIX}REQUEST_DEADLINE_S"]) + 15
            elif container["name"] == "torchserve":
                assert hook == ["python", "-m", "torchserve_model.drain"]
            elif container["name"] == "worker":
                deadline_s = next(
                    field.default for field in dataclasses.fields(Settings) if field.name == "job_deadline_s"
                )
                assert grace_s >= float(settings.get(f"{PREFIX}JOB_DEADLINE_S", deadline_s)) + 15


def test_disruptions_leave_pods_running(name: str) -> None:
    """Each Deployment of ours has one budget, which never forbids to drain a node."""
    budgets = of_kind(overlay(name), "PodDisruptionBudget")
    for workload in workloads(overlay(name)):
        if workload.manifest["kind"] == "Deployment":
            (budget,) = [b for b in budgets if selects(b["spec"]["selector"], workload.labels)]
            assert budget["spec"]["maxUnavailable"] == 1


# -- settings -------------------------------------------------------------------------------------------


def test_settings_are_settings(name: str) -> None:
    """The server starts with them: every name is in the table, every value fits, secrets aside."""
    seen = 0
    for _, container in containers(overlay(name)):
        environ = settings_of(overlay(name), container)
        if environ:
            seen += 1
            settings = Settings.from_environ(environ)
            if container["name"] == "server":
                assert settings.host == "0.0.0.0"
                assert settings.torchserve_url == "http://127.0.0.1:8080"
                cores = quantity(container["resources"]["limits"]["cpu"])
                assert settings.render_threads == cores
    assert seen


def test_several_pods_share_their_jobs(name: str) -> None:
    """A job is asked for at any pod: with more than one, jobs are in Redis or there are none."""
    for workload in workloads(overlay(name)):
        for container in workload.containers:
            if container["name"] == "server" and workload.manifest["spec"].get("replicas") != 1:
                assert settings_of(overlay(name), container)[f"{PREFIX}JOBS"] in ("celery", "off")


def test_the_server_is_the_first_container(name: str) -> None:
    """Components add to containers by their number; no other component may change their order."""
    server = Workload(named(overlay(name), "Deployment", "animation-server"))
    assert [container["name"] for container in server.pod["containers"]] == ["server", "torchserve"]


def test_torchserve_gets_arguments_that_it_has(name: str) -> None:
    """Every option of TorchServe's command is a field of its configuration."""
    known = {f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(ServeConfig)}
    for _, container in containers(overlay(name)):
        if container["name"] == "torchserve":
            options = {argument for argument in container["args"] if argument.startswith("--")}
            assert options <= known


def test_the_gpu_image_goes_with_a_gpu(name: str) -> None:
    """The image with CUDA has one GPU to itself, the one without asks for none."""
    for _, container in containers(overlay(name)):
        if container["name"] == "torchserve":
            gpus = container["resources"]["limits"].get("nvidia.com/gpu", 0)
            assert gpus == int(container["image"].endswith("-gpu"))


# -- references -----------------------------------------------------------------------------------------


def test_selectors_find_pods(name: str) -> None:
    """Every selector finds pods, and a controller no other's."""
    templates = {workload.name: workload.labels for workload in workloads(overlay(name))}

    def found(selector: dict[str, Any]) -> list[str]:
        return [where for where, labels in templates.items() if selects(selector, labels)]

    for workload in long_running(overlay(name)):
        assert found(workload.manifest["spec"]["selector"]) == [workload.name]
        for spread in workload.pod.get("topologySpreadConstraints", []):
            assert workload.name in found(spread["labelSelector"])
    for service in of_kind(overlay(name), "Service"):
        assert found({"matchLabels": service["spec"]["selector"]}), service["metadata"]["name"]
    for manifest in of_kind(overlay(name), "PodDisruptionBudget"):
        assert found(manifest["spec"]["selector"]), manifest["metadata"]["name"]
    for policy in of_kind(overlay(name), "NetworkPolicy"):
        assert found(policy["spec"]["podSelector"]), policy["metadata"]["name"]


def test_references_lead_somewhere(name: str) -> None:
    """Services, autoscalers, entrances and pods name what exists, down to the port."""
    manifests = overlay(name)
    kinds = {(m["kind"], m["metadata"]["name"]) for m in manifests}
    for service in of_kind(manifests, "Service"):
        ports = {
            port["name"]
            for workload in workloads(manifests)
            if selects({"matchLabels": service["spec"]["selector"]}, workload.labels)
            for container in workload.containers
            for port in container.get("ports", [])
        }
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        scaled = named(manifests, target.get("kind", "Deployment"), target["name"])
        assert "replicas" not in scaled["spec"], "applying it would undo what the autoscaler did"
    backends = [
        (backend["name"], backend["port"])
        for route in of_kind(manifests, "HTTPRoute")
        for rule in route["spec"]["rules"]
        for backend in rule["backendRefs"]
    ] + [
        (path["backend"]["service"]["name"], path["backend"]["service"]["port"]["name"])
        for ingress in of_kind(manifests, "Ingress")
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    for service_name, port in backends:
        ports_of = named(manifests, "Service", service_name)["spec"]["ports"]
        assert any(port in (p["port"], p["name"]) for p in ports_of)
    for workload in workloads(manifests):
        if account := workload.pod.get("serviceAccountName"):
            assert ("ServiceAccount", account) in kinds
        for container in workload.containers:
            for source in container.get("envFrom", []):
                if "configMapRef" in source:
                    assert ("ConfigMap", source["configMapRef"]["name"]) in kinds


def test_every_secret_is_made_by_a_command_of_the_handbook(name: str) -> None:
    """Secrets are not in the repository; how each is made is in docs/operations.md."""
    assert not of_kind(overlay(name), "Secret")
    handbook = (ROOT / "docs" / "operations.md").read_text()
    for workload in workloads(overlay(name)):
        for secret in workload.secrets:
            assert f" {secret} " in handbook, secret
            assert "create secret" in handbook


# -- the network ----------------------------------------------------------------------------------------


def test_nothing_is_open_but_what_is_opened(name: str) -> None:
    """One policy denies everything to all pods, in both directions."""
    deny = named(overlay(name), "NetworkPolicy", "default-deny")["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_torchserve_has_no_way_in(name: str) -> None:
    """None of its ports is a container's, a Service's or a policy's."""
    manifests = overlay(name)
    for _, container in containers(manifests):
        assert not TORCHSERVE_PORTS & {port["containerPort"] for port in container.get("ports", [])}
        assert container["name"] != "torchserve" or "ports" not in container
    for service in of_kind(manifests, "Service"):
        assert not TORCHSERVE_PORTS & {port["targetPort"] for port in service["spec"]["ports"]}
    for policy in of_kind(manifests, "NetworkPolicy"):
        opened = {port["port"] for rule in policy["spec"].get("ingress", []) for port in rule["ports"]}
        assert opened <= {"http", "redis", "metrics"}


def test_every_pod_reaches_what_it_needs(name: str) -> None:
    """DNS for all, object storage for who stores, Redis for who has its password; each is let in there."""
    policies = of_kind(overlay(name), "NetworkPolicy")

    def opened(labels: dict[str, str], direction: str) -> set[Any]:
        return {
            port["port"]
            for policy in policies
            if selects(policy["spec"]["podSelector"], labels)
            for rule in policy["spec"].get(direction, [])
            for port in rule["ports"]
        }

    for workload in workloads(overlay(name)):
        reached = opened(workload.labels, "egress")
        assert 53 in reached
        for container in workload.containers:
            if any("configMapRef" in source for source in container.get("envFrom", [])):
                assert reached & {443, 9000}, workload.name
            if f"{PREFIX}REDIS_URL" in settings_of(overlay(name), container):
                assert 6379 in reached, workload.name
            for port in container.get("ports", []):
                assert port["name"] in opened(workload.labels, "ingress"), workload.name


def test_who_gets_drawings_from_the_internet_cannot_reach_the_clouds_metadata(name: str) -> None:
    """The address where a cloud gives out a node's credentials is in no opening."""
    for policy in of_kind(overlay(name), "NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            for peer in rule["to"]:
                block = peer.get("ipBlock", {})
                assert block.get("cidr") != "0.0.0.0/0" or "169.254.0.0/16" in block["except"]
